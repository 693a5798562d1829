"""The documentation names no variable that nothing reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.api_cpu.settings import Settings
from apps.api_gpu.settings import Settings as TiltSettings

ROOT = Path(__file__).resolve().parents[3]
PAGES = [ROOT / "README.md", ROOT / "AGENTS.md", *sorted((ROOT / "docs").rglob("*.md"))]
# Set, and not only named: `NAME=value`, or a name by itself in a table or a sentence.
_NAMED = re.compile(r"\b([A-Z][A-Z0-9]*_[A-Z0-9_]*[A-Z0-9])(?==)")
_SETTINGS = {name.upper() for model in (Settings, TiltSettings) for name in model.model_fields}
# Other programs': what they read is written in their own documentation.
_OF_OTHERS = re.compile(r"OTEL_|PG|WSL|TORCH_|MAX_JOBS$|SETUPTOOLS_|HF_|MALLOC_|VLLM_(USE|TARGET)_")


def _read_somewhere() -> str:
    """All that is code: a variable that a script or a container reads is named there."""
    wanted = {".py", ".sh", ".yml", ".toml"}
    files = [
        path
        for folder in ("apps", "lib", "scripts")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in wanted
    ]
    files += [ROOT / name for name in ("Makefile", ".ci/run", "docker-compose.dev.yml")]
    files += sorted(ROOT.glob("Dockerfile.*"))
    return "\n".join(path.read_text("utf-8") for path in files)


@pytest.fixture(scope="module")
def code() -> str:
    return _read_somewhere()


def _named() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for name in sorted(set(_NAMED.findall(page.read_text("utf-8")))):
            if name not in _SETTINGS and not _OF_OTHERS.match(name):
                yield str(page.relative_to(ROOT)), name


def test_what_is_set_somewhere_in_the_documentation_is_read(code: str) -> None:
    unread = [(page, name) for page, name in _named() if not re.search(rf"\b{name}\b", code)]
    assert unread == []
