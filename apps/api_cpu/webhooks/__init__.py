"""Webhooks: what callers are told when a job has ended."""
