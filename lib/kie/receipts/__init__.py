"""Receipts: candidates for each field of a till slip, from labels, places and arithmetic."""
