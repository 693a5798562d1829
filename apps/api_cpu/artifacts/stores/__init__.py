"""Places where artifacts are kept."""
