"""Text as a key: what two spellings of one name share."""

from __future__ import annotations


def letters_and_digits(text: str) -> str:
    """The letters and digits of any script, case folded: spacing and punctuation do not count."""
    return "".join(c for c in text.casefold() if c.isalnum())
