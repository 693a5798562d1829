"""Predictions against truth: comparison rules, precision, recall, F1."""
