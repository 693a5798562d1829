"""What the settings and the fixed limits let a document cost: each with the code of its refusal."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from fpdf import FPDF
from PIL import Image

from apps.api_cpu.settings import load_settings
from apps.api_cpu.stations import build_document_loader
from lib.domain.deadline import Deadline
from lib.errors import Error
from lib.loading.limits import LoadingLimits
from lib.loading.loader import ProcessLoader
from lib.loading.processes import _Forked

LIMITS = LoadingLimits()


@contextmanager
def _loader(folder: Path, **settings: Any) -> Iterator[ProcessLoader]:
    with build_document_loader(load_settings(data_root=folder, **settings)) as loader:
        yield loader


def _refusal(loader: ProcessLoader, data: bytes) -> Error:
    with pytest.raises(Error) as refused, loader.open(data, Deadline.after(100)):
        pass
    return refused.value


def _pdf(pages: int = 1, width_in: float = 4.0) -> bytes:
    document = FPDF(unit="in", format=(width_in, 4.0))
    for _ in range(pages):
        document.add_page()
    return bytes(document.output())


def _png(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("1", (width, height)).save(file, "PNG")
    return file.getvalue()


def test_pages_and_bytes_are_the_settings(tmp_path: Path) -> None:
    with _loader(tmp_path, max_pages=2, max_upload_mb=1) as loader:
        with loader.open(_pdf(2), Deadline.after(100)) as document:
            assert document.page_count == 2
        refused = _refusal(loader, _pdf(3))
        assert (refused.code, refused.details["limit"]) == ("too_many_pages", 2)
        assert _refusal(loader, _pdf() + bytes(1 << 20)).code == "payload_too_large"


def test_sides_pixels_and_inches_are_fixed(tmp_path: Path) -> None:
    side = LIMITS.max_side_px
    with _loader(tmp_path) as loader:
        for data in (
            _png(side + 1, 1),
            _png(side, LIMITS.max_pixels // side + 1),
            _pdf(width_in=LIMITS.max_page_inches + 1),
        ):
            assert _refusal(loader, data).code == "page_too_large"
        for data in (_png(side, 1), _pdf(width_in=LIMITS.max_page_inches - 1)):
            with loader.open(data, Deadline.after(100)) as document:
                assert document.page_count == 1


@pytest.mark.skipif(sys.platform != "linux", reason="decoders are forked on Linux")
def test_reading_has_the_time_of_its_setting(tmp_path: Path) -> None:
    # Time enough for the decoder to be started and to open the document before it is stopped.
    with (
        _loader(tmp_path, loading_timeout_s=5.0) as loader,
        loader.open(_pdf(), Deadline.after(100)) as document,
        pytest.raises(Error) as refused,
    ):
        decoder = document._decoder.process  # type: ignore[union-attr]
        assert isinstance(decoder, _Forked)
        psutil.Process(decoder._process_id).suspend()
        document.page(1, Deadline.after(30))
    # Not `inference_timeout`: it was not the deadline.
    assert (refused.value.code, refused.value.details) == (
        "unreadable_document",
        {"reason": "timeout"},
    )


@pytest.mark.parametrize(("most", "processes"), [(1, 4), (2, 2), (50, 1)])
def test_a_decoder_opens_as_many_documents_as_its_setting_says(
    tmp_path: Path, most: int, processes: int
) -> None:
    used = set()
    with _loader(tmp_path, decoder_documents=most) as loader:
        for _ in range(4):
            with loader.open(_pdf(), Deadline.after(100), owner="a key") as document:
                assert document._decoder is not None
                used.add(document._decoder.channel)
    assert len(used) == processes
