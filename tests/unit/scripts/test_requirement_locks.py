"""The locks fit pyproject.toml, and a resolver finds all of the GPU's packages together."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parents[3]


def compiled(option: str, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [ROOT / "scripts" / "compile_requirements.sh", option],
        env=os.environ | {"PATH": path} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_resolver_finds_every_package_of_both_locks() -> None:
    found = compiled("--check")
    assert found.returncode == 0, found.stdout + found.stderr


# A cache could hold what another index had at the same port.
OF_ITS_OWN = {"UV_NO_CACHE": "1", "NO_PROXY": "127.0.0.1"}


class Index(ThreadingHTTPServer):
    """A package index with one wheel of `paddlepaddle-gpu`, which wants a CUDA library."""

    def __init__(self, folder: Path, version: str) -> None:
        name = f"paddlepaddle_gpu-{version}-cp311-cp311-linux_x86_64.whl"
        page = folder / "paddlepaddle-gpu"
        page.mkdir()
        about = f"paddlepaddle_gpu-{version}.dist-info"
        wants = "Requires-Dist: nvidia-cublas-cu12==12.6.4.1"
        with ZipFile(page / name, "w") as wheel:
            head = f"Metadata-Version: 2.1\nName: paddlepaddle-gpu\nVersion: {version}\n{wants}\n"
            wheel.writestr(f"{about}/METADATA", head)
            wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: cp311-cp311-linux_x86_64\n")
            wheel.writestr(f"{about}/RECORD", "")
        (page / "index.html").write_text(f'<a href="{name}">{name}</a>', encoding="utf-8")
        super().__init__(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder)))
        Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


@pytest.mark.slow
@pytest.mark.parametrize(("version", "fits"), [("3.3.1", True), ("2.6.2", False)])
def test_paddles_gpu_build_is_resolved_where_its_index_answers(
    tmp_path: Path, version: str, fits: bool
) -> None:
    with Index(tmp_path, version) as index:
        found = compiled("--paddle-gpu", PADDLE_INDEX=index.url, **OF_ITS_OWN)
        index.shutdown()
    assert (found.returncode == 0) is fits, found.stdout + found.stderr
    pinned = found.stdout.split()
    assert ("paddlepaddle-gpu==3.3.1" in pinned) is fits
    assert ("nvidia-cublas-cu12==12.6.4.1" in pinned) is fits
    assert any(line.startswith("paddleocr==3.") for line in pinned) is fits


def test_an_index_that_is_away_is_said() -> None:
    with socket.socket() as deaf:  # nobody else gets its port, and it refuses
        deaf.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/"
        found = compiled("--paddle-gpu", PADDLE_INDEX=url, NO_PROXY="127.0.0.1")
    assert found.returncode == 0
    assert "NOT RESOLVED" in found.stderr


def test_the_gpus_lock_is_one_of_cuda_12() -> None:
    lock = (ROOT / "requirements-gpu.txt").read_text(encoding="utf-8")
    pinned = dict(re.findall(r"^([a-z0-9-]+)==([^\s;]+)", lock, re.MULTILINE))
    assert {"vllm", "torch", "paddleocr", "paddlepaddle", "huggingface-hub"} <= pinned.keys()
    # vLLM of CUDA 13 pins nvidia-cublas and its like, without a suffix.
    assert pinned["nvidia-cublas-cu12"].startswith("12.")
    assert "nvidia-cublas" not in pinned
