"""Text to typed values: amounts, dates, currencies, identifiers. Used by every station above it."""
