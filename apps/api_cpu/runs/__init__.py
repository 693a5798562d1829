"""What batches did: listed, looked up, their items page by page."""
