"""Text to typed values: amounts, dates, currencies, identifiers; knows nothing of layout."""
