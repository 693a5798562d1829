"""Support: what happened to a request, with what the model wrote, and artifacts in bulk."""
