"""What is generated from the code is as generated."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[3]
_SCRIPT = runpy.run_path(str(_ROOT / "scripts" / "generate_docs.py"))


@pytest.mark.parametrize(
    "name", ["openapi.json", "postman_collection.json", "configuration.md", "errors.md"]
)
def test_generated_document_has_not_drifted(name: str) -> None:
    text = (_ROOT / "docs" / name).read_text(encoding="utf-8")
    assert text == _SCRIPT["documents"]()[name], "run python scripts/generate_docs.py"
