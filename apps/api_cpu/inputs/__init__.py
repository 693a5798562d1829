"""Stored inputs: documents that are kept, or held while work needs them."""
