"""The notebook of notebooks/gpu runs against the mock, and does not show its key."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager
from mock_process import MockProcess
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
KEY = "a-key-of-the-tests"

pytestmark = pytest.mark.slow


@pytest.fixture
def mock() -> Iterator[MockProcess]:
    process = MockProcess("--api-key", KEY)
    yield process
    process.close()


@pytest.fixture
def kernel() -> Iterator[AsyncKernelManager]:
    """Spoken to over files: five ports would be free when they are chosen, and later not."""
    # Not below pytest's folder, whose path may be longer than that of a socket: unix(7).
    with tempfile.TemporaryDirectory() as folder:
        yield AsyncKernelManager(transport="ipc", connection_file=f"{folder}/kernel.json")


@pytest.mark.parametrize("model", ["mock-chat", "mock-tilt"])
def test_the_notebook_runs(
    model: str,
    mock: MockProcess,
    kernel: AsyncKernelManager,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("VLLM_BASE_URL", mock.url)
    monkeypatch.setenv("VLLM_MODEL", model)
    monkeypatch.setenv("VLLM_API_KEY", KEY)
    monkeypatch.setenv("LIMIT", "2")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    notebook = nbformat.read(ROOT / "notebooks" / "gpu" / "ask_a_model.ipynb", as_version=4)
    resources = {"metadata": {"path": str(ROOT / "notebooks" / "gpu")}}
    NotebookClient(
        notebook, km=kernel, timeout=600, startup_timeout=600, resources=resources
    ).execute()
    printed = "".join(
        output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", [])
    )
    assert f"{model} at {mock.url}" in printed
    assert "micro" in printed
    assert "errors: none" in printed
    assert KEY not in nbformat.writes(notebook)
