"""Traces: what records them, for both programs."""
