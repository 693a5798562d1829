"""Pages to words and lines: the text layer when it can be trusted, an OCR engine otherwise."""
