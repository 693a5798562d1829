"""The orchestrator: the only public door."""
