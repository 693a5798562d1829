"""The inference service for a GPU pod: an OpenAI-compatible server for Arctic-TILT."""
