"""docs/limits.md names a test for each limit: one that exists, and sets what it is said to set."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from apps.api_cpu.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
LIMITS, _, SHOWN = (
    (ROOT / "docs" / "limits.md")
    .read_text("utf-8")
    .partition("\n## Which test shows which limit\n")
)
# What a setting that limits a caller is called; the times of servers and workers among each other,
# and of what is kept, limit no caller.
_LIMITING = re.compile(
    r"^(MAX|BATCH|EXTRACT|VLLM|SPOOL|DECODER)_\w+|\w+_(PER_KEY|PER_MINUTE|DEADLINE_S|TIMEOUT_S|PATIENCE_S)$"
)
_NO_LIMITS = {"VLLM_BASE_URL", "VLLM_API_KEY", "VLLM_MODEL"}
_TEST = re.compile(r"`(tests/[\w./-]+\.py)(?:::(\w+))?`")


def _rows() -> Iterator[tuple[list[str], str]]:
    """Variables, and the text that names their tests."""
    for line in SHOWN.splitlines():
        if line.startswith("| ") and "`tests/" in line:
            _, limit, shown_by, _ = line.split("|")
            yield re.findall(r"`([A-Z0-9_]+)`", limit), shown_by


def test_every_setting_that_limits_is_in_both_tables() -> None:
    limiting = {name.upper() for name in Settings.model_fields if _LIMITING.match(name.upper())}
    limiting -= _NO_LIMITS
    assert len(limiting) > 25
    assert limiting == {name for names, _ in _rows() for name in names}
    assert {name for name in limiting if f"`{name}`" not in LIMITS} == set()


def test_every_test_exists_and_sets_what_it_is_said_to_set() -> None:
    rows = list(_rows())
    assert len(rows) > 30
    for names, shown_by in rows:
        found = [(ROOT / path, test) for path, test in _TEST.findall(shown_by)]
        texts = [path.read_text("utf-8") for path, _ in found]
        for (path, test), text in zip(found, texts, strict=True):
            assert not test or f"def {test}(" in text, f"{path}::{test}"
        if "its setting:" in shown_by or "their settings:" in shown_by:
            first = texts[0]
            assert all(name in first or name.lower() in first for name in names), names
