"""Text to typed values: amounts, dates, currencies, identifiers. Knows nothing of pages and
layout.
"""
