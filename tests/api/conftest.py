"""The server in this process, with a pipeline that answers at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from apps.api_cpu.auth.roles import Role
from apps.api_cpu.auth.service import KeyService
from apps.api_cpu.auth.store import KeyStore
from apps.api_cpu.db.engine import Durability, Schema, open_database
from apps.api_cpu.extractions import service as extraction_service
from apps.api_cpu.main import create_app
from apps.api_cpu.settings import CONFIGS, Settings, load_settings
from apps.api_cpu.stations import Reader
from lib.domain.document import Line, Page, PageSource, Word
from lib.domain.extraction import (
    Alternative,
    Check,
    CheckStatus,
    Extraction,
    FieldValue,
    Reading,
    Source,
)
from lib.domain.geometry import Polygon
from lib.domain.task import DocumentType, FieldSpec, FieldType, Task
from lib.errors import Error, Kind
from lib.pipelines.extract import Stations
from lib.pipelines.tasks import load_tasks

PEPPER = "a pepper for these tests only"
RECEIPT = b"a document: total 19,90 EUR"
_BOX = Polygon.from_box(0.123456789, 0.2, 0.3, 0.25)

_RECEIPT_TASK = Task(
    "receipt_fields_v1",
    "Fields of a receipt",
    DocumentType.RECEIPT,
    (
        FieldSpec("vendor_name", FieldType.NAME, "Seller"),
        FieldSpec("total", FieldType.MONEY, "Amount to pay"),
        FieldSpec(
            "line_items",
            FieldType.TABLE,
            "Items",
            columns=(FieldSpec("amount", FieldType.MONEY, "Amount"),),
        ),
    ),
)
INVOICE_TASK = load_tasks(CONFIGS / "tasks")["invoice_fields_v1"]
TASKS = {
    task.id: task
    for task in (_RECEIPT_TASK, INVOICE_TASK, Task("auto", "Chooses", None, (), (_RECEIPT_TASK,)))
}


def reading() -> Extraction:
    """What the fake pipeline reads, whatever the document."""
    words = (Word("Corner", _BOX, 0.99), Word("Shop", _BOX, 0.98))
    return Extraction(
        task_id="receipt_fields_v1",
        backend="cpu",
        model="fake",
        mime_type="application/pdf",
        reading=Reading(
            document_type=DocumentType.RECEIPT,
            result={
                "vendor_name": "=Corner Shop",
                "total": Decimal("19.90"),
                "line_items": ({"amount": Decimal("19.90")},),
            },
            fields={
                "vendor_name": FieldValue("=Corner Shop", "=Corner Shop", 0.9, Source.OCR, 1, _BOX),
                "total": FieldValue(
                    Decimal("19.90"),
                    "19,90 EUR",
                    0.97,
                    Source.OCR,
                    1,
                    _BOX,
                    (Alternative(Decimal("1.99"), 0.02),),
                ),
                "line_items[0].amount": FieldValue(Decimal("19.90"), "19,90", 0.8, Source.XML),
            },
            checks=(Check("total_is_sum", CheckStatus.PASSED, ("total",), "19.90 = 19.90"),),
            needs_review=False,
            review_reasons=(),
        ),
        pages=(Page(1, 1240, 1754, 0, PageSource.OCR, (Line(words),)),),
        page_count=1,
    )


class FakePipeline:
    """Answers `reading()`; a document whose bytes name an action gets that instead."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.answer: Callable[[], Extraction] = reading
        self.entered = threading.Event()
        self.release = threading.Event()
        self.stopped = threading.Event()

    def __call__(
        self,
        data: bytes,
        task: Task,
        stations: Stations,
        hints: Any,
        deadline: Any,
        page_selection: str | None = None,
        stopwatch: Any = None,
        *,
        compare: bool = False,
        asking: Any = None,
    ) -> Extraction:
        self.calls.append(
            {
                "data": data,
                "task": task,
                "hints": hints,
                "pages": page_selection,
                "compare": compare,
                "asking": asking,
            }
        )
        with stopwatch.station("load"):
            if data == b"crash":
                raise RuntimeError("secret words of a document")
            if data == b"unsupported":
                raise Error("unsupported_media_type", Kind.UNSUPPORTED, "Not a document.")
            if data == b"wait":
                self.entered.set()
                self.release.wait(20)
            if data == b"until canceled":
                with asking.cancellation.calling(self.stopped.set):
                    self.entered.set()
                    self.stopped.wait(20)
                asking.cancellation.check()
        return self.answer()


class Place:
    """A server to talk to, and what it was made of."""

    def __init__(self, settings: Settings, pipeline: FakePipeline) -> None:
        self.settings = settings
        self.pipeline = pipeline
        self.app = create_app(settings, lambda _settings: fake_reader())
        self.client = TestClient(self.app, "http://localhost")

    def key(self, role: Role = Role.CLIENT) -> str:
        """A new key of that role."""
        engine = open_database(self.settings.auth_database, Schema.KEYS, Durability.CRASH)
        return KeyService(KeyStore(engine), PEPPER).create("test", role).text

    def headers(self, role: Role = Role.CLIENT) -> dict[str, str]:
        """Headers with a new key of that role."""
        return {"Authorization": f"Bearer {self.key(role)}"}

    def artifact_files(self) -> list[Path]:
        """Everything in the store."""
        folder = self.settings.artifacts_folder
        return sorted(path for path in folder.rglob("*") if path.is_file())


def fake_reader() -> Reader:
    """A reader whose stations are never asked."""

    class _Named:
        name = "fake"

    stations = Stations(loader=None, ocr=None, extractor=_Named(), tasks=TASKS)  # type: ignore[arg-type]
    return Reader(stations, is_ready=lambda: True, close=lambda: None)


@pytest.fixture
def make_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Place]]:
    """Builds servers: keyword arguments are settings."""
    pipeline = FakePipeline()
    monkeypatch.setattr(extraction_service, "extract", pipeline)
    entered: list[Place] = []

    def make(**settings: Any) -> Place:
        given = {"data_root": tmp_path / "data", "ocr_workers": 1} | settings
        place = Place(load_settings(**given), pipeline)
        place.client.__enter__()
        entered.append(place)
        return place

    yield make
    pipeline.release.set()
    for place in entered:
        place.client.__exit__(None, None, None)


@pytest.fixture
def place(make_place: Callable[..., Place]) -> Place:
    """A server that asks for no keys."""
    return make_place()


@pytest.fixture
def locked(make_place: Callable[..., Place]) -> Place:
    """A server that asks for keys."""
    return make_place(auth_enabled=True, api_key_pepper=PEPPER)
