"""Key information extraction: words and layout to raw fields with the words they came from."""
