"""Parts of `make_samples.py`: what the sample documents say, and how each becomes a file."""
