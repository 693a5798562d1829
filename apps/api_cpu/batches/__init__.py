"""Many documents in one request."""
