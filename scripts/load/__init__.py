"""Load on a server, and what comes of it: for `scripts/bench_load.py`."""
