"""Idempotency keys: the same POST again gets the first answer."""
