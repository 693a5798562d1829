"""What persons corrected: typed, kept beside the extraction, remembered."""
