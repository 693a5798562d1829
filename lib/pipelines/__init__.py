"""The whole story of one document, from bytes to an extraction."""
