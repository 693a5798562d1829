"""Stored inputs: documents that are kept for a job, or because a caller asked."""
