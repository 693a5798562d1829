"""Support: artifacts of any key, raw model text, a backup."""
