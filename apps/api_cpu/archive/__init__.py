"""How long things are kept: the index made again, retention, and the right to erase."""
