"""The parts of scripts/mock_vllm.py: what it reads, how it answers, how it misbehaves."""
