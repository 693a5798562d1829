"""What a document is and how its fields are read: no HTTP server, no database, no environment."""
