"""Vendors that a key has met before: remembered, listed, erased."""
