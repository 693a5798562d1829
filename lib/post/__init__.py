"""Raw fields to values: normalisation, checks across fields, confidence, what needs review."""
