"""A network volume in a temporary folder, wheels and weights for it, and scripts run on it.

The wheels are made here: some are stand-ins with a code of their own, the others lead to the
packages of the environment that runs the tests. Nothing comes from an index.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from scripts.service_processes import free_port

ROOT = Path(__file__).resolve().parents[3]
STAND_INS = ROOT / "tests" / "stand_ins"
CHAT = "Qwen/Qwen2.5-VL-7B-Instruct"
TILT = "Snowflake/snowflake-arctic-tilt-v1.3"
REVISION = "0123456789abcdef0123456789abcdef01234567"
KEY = "a-key-of-the-tests"
PATIENCE_S = 240.0

_HUB = """
import os, pathlib, shutil, types
from huggingface_hub.errors import LocalEntryNotFoundError
def snapshot_download(
    model, *, revision, ignore_patterns, local_files_only=False, force_download=False
):
    cached = pathlib.Path(os.environ["HF_HOME"]) / model.replace("/", "--") / revision
    if force_download or not cached.is_dir():
        if local_files_only:
            raise LocalEntryNotFoundError
        shutil.copytree(os.environ["STAND_IN_HUB"], cached, dirs_exist_ok=True)
    return str(cached)
class HfApi:
    def model_info(self, model, *, timeout):
        return types.SimpleNamespace(sha=os.environ["STAND_IN_HEAD"])
"""
_BORROWED = ("pydantic", "pyyaml", "fastapi", "uvicorn", "pillow", "prometheus_client")


def make_wheel(
    folder: Path, name: str, version: str, files: Mapping[str, str], **points: str
) -> Path:
    """A wheel with these files and console scripts."""
    info = f"{name}-{version}.dist-info"
    entries = dict(files) | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\n"
        + "".join(f"{command} = {target}\n" for command, target in points.items()),
    }
    entries[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in (*entries, f"{info}/RECORD"))
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inside, text in entries.items():
            archive.writestr(inside, text)
    return path


def safetensors(size: int) -> bytes:
    """A weight file of one tensor."""
    header = json.dumps({"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(size)


class Volume:
    """The volume and the environment of whoever runs a script on it."""

    def __init__(self, folder: Path, model: str) -> None:
        self.folder = folder
        self.workspace = folder / "workspace"
        self.hub = folder / "hub"
        self.workspace.mkdir(parents=True)
        self.hub.mkdir()
        (self.hub / "model.safetensors").write_bytes(safetensors(100))
        wheels = folder / "index"
        wheels.mkdir()
        self._fill(wheels)
        self.port = free_port()
        lock = folder / "requirements-gpu.txt"
        lock.write_text("vllm==0.13.0\n")
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.environment = kept | {
            "WORKSPACE": str(self.workspace),
            "PYTHON": sys.executable,
            "PYTHON_WANTED": f"{sys.version_info.major}.{sys.version_info.minor}",
            "GPU_LOCK": str(lock),
            "MIN_FREE_GB": "0",
            "VLLM_MODEL": model,
            "VLLM_REVISION": REVISION,
            "VLLM_API_KEY": KEY,
            "PORT": str(self.port),
            "HOST": "127.0.0.1",
            "STOP_GRACE_S": "10",
            "IDLE_POLL_S": "0.2",
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(wheels),
            "PIP_CONFIG_FILE": os.devnull,
            "STAND_IN_HUB": str(self.hub),
        }

    def _fill(self, wheels: Path) -> None:
        borrowed = "\n".join(path for path in sys.path if path.endswith("site-packages"))
        for name in _BORROWED:
            version = {"pillow": "12.0", "fastapi": "0.118", "uvicorn": "0.35"}.get(name, "2.11")
            version = "0.22" if name == "prometheus_client" else version
            make_wheel(wheels, name, version, {f"borrowed_{name}.pth": borrowed + "\n"})
        hub = {"huggingface_hub/__init__.py": _HUB}
        hub["huggingface_hub/errors.py"] = "class LocalEntryNotFoundError(Exception):\n    pass\n"
        make_wheel(wheels, "huggingface_hub", "1.0", hub)
        for name, version in (
            ("torch", "2.6.0"),
            ("xformers", "0.0.29.post2"),
            ("transformers", "4.51.3"),
        ):
            make_wheel(wheels, name, version, {f"{name}/__init__.py": ""})
        serve = (STAND_INS / "vllm_serve.py").read_text(encoding="utf-8")
        # The orchestrator's packages are in vLLM's environment too.
        package = {"vllm/__init__.py": "", "vllm/serve.py": serve, "borrowed_vllm.pth": borrowed}
        make_wheel(wheels, "vllm", "0.13.0", package, vllm="vllm.serve:main")

    def add_tilt_wheel(self) -> None:
        """What an operator has built and put there."""
        folder = self.workspace / "wheelhouse" / "tilt"
        folder.mkdir(parents=True)
        source = STAND_INS / "arctic_tilt"
        files = {
            str(path.relative_to(source)): path.read_text(encoding="utf-8")
            for path in source.rglob("*.py")
        }
        make_wheel(folder, "vllm", "0.8.3+tilt", files)

    def run(self, script: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """A script from beginning to end."""
        return subprocess.run(
            [ROOT / "scripts" / script, *arguments],
            env=self.environment | more,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    @contextmanager
    def running(self, **more: str) -> Iterator[Pod]:
        """`start_all.sh` while the test looks on."""
        pod = Pod(self, more)
        try:
            yield pod
        finally:
            pod.process.kill()
            pod.process.wait()
            for pid in pod.pids_in_logs():
                with suppress(ProcessLookupError):
                    os.kill(pid, 9)

    def forget_logs(self) -> None:
        """So that a test reads its own."""
        shutil.rmtree(self.workspace / "logs", ignore_errors=True)


class Pod:
    """A running `start_all.sh`."""

    def __init__(self, volume: Volume, more: Mapping[str, str]) -> None:
        volume.forget_logs()
        self.volume = volume
        self._said = volume.folder / "start_all.err"
        self.process = subprocess.Popen(
            [ROOT / "scripts" / "start_all.sh"],
            env=volume.environment | dict(more),
            stderr=self._said.open("wb"),
        )

    @property
    def said(self) -> str:
        return self._said.read_text(encoding="utf-8")

    def wait_until(self, text: str) -> None:
        """Until the script has said it; fails when it ends before."""
        eventually(lambda: text in self.said or self.process.poll() is not None, text)
        assert text in self.said, self.said

    def ended(self) -> int:
        """The exit status, once every process of the model is gone too."""
        status = self.process.wait(PATIENCE_S)
        pids = self.pids_in_logs()
        eventually(lambda: not any(is_alive(pid) for pid in pids), "no process left behind")
        return status

    def pids_in_logs(self) -> list[int]:
        """The stand-in's child, which stands for vLLM's engine process."""
        logs = (self.volume.workspace / "logs").glob("*-model.log")
        lines = [line.split() for log in logs for line in log.read_text().splitlines()]
        return [int(words[1]) for words in lines if len(words) == 2 and words[0] == "engine"]


def eventually(probe: Callable[[], Any], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if probe():
            return
        time.sleep(0.02)
    raise AssertionError(f"waited in vain: {what}")


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def pids_with(variable: str) -> list[int]:
    """Processes that have `NAME=value` in their environment: a value that only ours have."""
    wanted = f"\0{variable}\0".encode()
    found = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            if folder.name.isdigit() and wanted in b"\0" + (folder / "environ").read_bytes():
                found.append(int(folder.name))
    return found
