"""Traces of the orchestrator: one over a request, its job and what both ask of others."""
