"""The error table: every code that the code raises is in it, with one kind."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from apps.api_cpu.errors import ERROR_CODES, STATUS
from lib.errors import Kind

_ROOT = Path(__file__).resolve().parents[3]
# Raised only while the server or a command starts: no request can meet them.
_START_UP = {"invalid_task", "invalid_model_card", "invalid_prompt"}


def _raised() -> Iterator[tuple[str, str, str]]:
    """File, code and kind of each `Error(...)` with literal arguments."""
    for folder in ("apps/api_cpu", "lib"):
        for path in sorted((_ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not (isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Error"):
                    continue
                if len(node.args) < 2 or not isinstance(node.args[0], ast.Constant):
                    continue
                kind = node.args[1].attr if isinstance(node.args[1], ast.Attribute) else ""
                yield path.name, node.args[0].value, kind


def test_every_raised_code_is_in_the_table_with_its_kind() -> None:
    table = {entry.code: entry.kind for entry in ERROR_CODES}
    raised = list(_raised())
    assert len(raised) > 10
    for file, code, kind in raised:
        if "evals" in file or code in _START_UP:
            continue
        assert code in table, f"{file} raises {code}"
        if kind:
            assert table[code] is Kind[kind], f"{file} raises {code} as {kind}"


def test_every_kind_has_a_status() -> None:
    assert set(STATUS) == set(Kind)


def test_no_code_is_listed_twice() -> None:
    assert len({entry.code for entry in ERROR_CODES}) == len(ERROR_CODES)
