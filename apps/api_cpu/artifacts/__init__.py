"""Artifacts: what is kept of every request, and the stored inputs."""
