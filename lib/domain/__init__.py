"""Frozen data shared by all stations; standard library only."""
