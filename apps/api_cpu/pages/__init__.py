"""The pages of a document that was read: as images, and as words with their places."""
