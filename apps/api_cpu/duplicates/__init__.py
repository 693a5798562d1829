"""Documents that a key has sent before: the same bytes, the same number, the same text."""
