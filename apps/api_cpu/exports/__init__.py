"""One extraction in other formats."""
