"""Stations as parts of a document's span, beside their milliseconds."""

from __future__ import annotations

import pytest
from recorded_spans import RecordedSpan

from lib.pipelines.stopwatch import Stopwatch


def test_a_station_is_a_part_and_is_closed_when_it_fails() -> None:
    document = RecordedSpan()
    watch = Stopwatch(span=document)
    with watch.station("load") as span:
        span.note({"pages": 2})
    with pytest.raises(ValueError, match="x"), watch.station("ocr"):
        raise ValueError("x")
    with watch.station("load"):
        pass
    assert [part.name for part in document.parts] == ["load", "ocr", "load"]
    assert not any(part.is_open for part in document.parts)
    assert document.parts[0].attributes == {"pages": 2}
    assert set(watch.timings_ms) == {"load", "ocr"}


def test_nobody_has_to_be_traced() -> None:
    watch = Stopwatch()
    with watch.station("load") as span, span.child("deeper") as deeper:
        deeper.fail("nothing comes of it")
    assert set(watch.timings_ms) == {"load"}
