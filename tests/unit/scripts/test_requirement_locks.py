"""The locks fit pyproject.toml, and a resolver finds all of the GPU's packages together."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow
def test_the_resolver_finds_every_package_of_both_locks() -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    found = subprocess.run(
        [ROOT / "scripts" / "compile_requirements.sh", "--check"],
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr


def test_the_gpus_lock_is_one_of_cuda_12() -> None:
    lock = (ROOT / "requirements-gpu.txt").read_text(encoding="utf-8")
    pinned = dict(re.findall(r"^([a-z0-9-]+)==([^\s;]+)", lock, re.MULTILINE))
    assert {"vllm", "torch", "paddleocr", "paddlepaddle", "huggingface-hub"} <= pinned.keys()
    # vLLM of CUDA 13 pins nvidia-cublas and its like, without a suffix.
    assert pinned["nvidia-cublas-cu12"].startswith("12.")
    assert "nvidia-cublas" not in pinned
