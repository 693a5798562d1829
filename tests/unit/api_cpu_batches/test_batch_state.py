"""The state of `ocr batch`: what is noted is there again, whatever cut the file off."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from apps.api_cpu.batches.state import BatchState
from lib.errors import Error


def _written(path: Path) -> BatchState:
    state = BatchState(path)
    state.note_sent("run-1", ["a", "b"])
    state.note_done("a", [{"file": "a.pdf", "total": Decimal("19.90")}])
    state.note_sent("run-2", ["c"])
    state.note_collected("run-1")
    return state


def test_what_was_noted_is_there_again(tmp_path: Path) -> None:
    path = tmp_path / "x.state"
    written = _written(path)
    again = BatchState.load(path)
    assert (again.done, again.sent) == (written.done, {"run-2": ["c"]})
    assert str(again.done["a"][0]["total"]) == "19.90"
    assert BatchState.load(tmp_path / "none").done == {}


def test_a_line_that_was_cut_off_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "x.state"
    _written(path)
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        BatchState.load(path).note_done("z", [])
        assert "z" in BatchState.load(path).done


@pytest.mark.parametrize("text", ["no state\n", "[]\n", '{"other": 1}\n', "1\n"])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.state"
    path.write_text(text)
    with pytest.raises(Error):
        BatchState.load(path)
