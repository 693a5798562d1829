"""Answers that were given before, where the same is asked again; docs/result_cache.md."""
