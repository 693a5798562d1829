"""A server in this process whose pipeline answers at once, to be asked by the tests of the API."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

from httpx import Response
from starlette.testclient import TestClient

from apps.api_cpu.auth.roles import Role
from apps.api_cpu.auth.service import KeyService
from apps.api_cpu.auth.store import KeyStore
from apps.api_cpu.db.engine import Durability, Schema, open_database
from apps.api_cpu.main import build_access_limits, create_app
from apps.api_cpu.settings import CONFIGS, Settings
from apps.api_cpu.stations import Reader
from lib.domain.deadline import Deadline
from lib.domain.document import Line, Page, PageSource, Word
from lib.domain.extraction import (
    Alternative,
    Check,
    CheckStatus,
    Extraction,
    FieldValue,
    Hints,
    Reading,
    Source,
)
from lib.domain.geometry import Polygon
from lib.domain.task import DocumentType, FieldSpec, FieldType, Task
from lib.errors import Error, Kind
from lib.kie.models.sight import Asking
from lib.loading.loader import ProcessLoader
from lib.pipelines.extract import Pipeline, Stations
from lib.pipelines.stopwatch import Stopwatch
from lib.pipelines.tasks import load_tasks

PEPPER = "a pepper for these tests only"
RECEIPT = b"a document: total 19,90 EUR"
# Longer than any test: what waits is let go by the test, and by nothing else.
_UNTIL_TOLD_S = 600.0
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
        hints: Hints,
        deadline: Deadline,
        page_selection: str | None = None,
        stopwatch: Stopwatch | None = None,
        *,
        compare: bool = False,
        asking: Asking | None = None,
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
        assert stopwatch is not None
        assert asking is not None
        with stopwatch.station("load"):
            if data == b"crash":
                raise RuntimeError("secret words of a document")
            if data == b"unsupported":
                raise Error("unsupported_media_type", Kind.UNSUPPORTED, "Not a document.")
            if data == b"wait":
                self.entered.set()
                self.release.wait(_UNTIL_TOLD_S)
            if data == b"until canceled":
                with asking.cancellation.calling(self.stopped.set):
                    self.entered.set()
                    self.stopped.wait(_UNTIL_TOLD_S)
                asking.cancellation.check()
        return self.answer()


class Place:
    """A server to talk to, and what it was made of."""

    def __init__(
        self,
        settings: Settings,
        pipeline: FakePipeline,
        loader: ProcessLoader | None = None,
    ) -> None:
        """`loader` is for what opens documents beside the pipeline; by default nothing can.

        What is limited by the minute is counted on a clock that stands still, so that no turn comes
        back however long a test takes.
        """
        self.settings = settings
        self.pipeline = pipeline
        self.app = create_app(settings, lambda _settings: fake_reader(pipeline, loader))
        self.app.state.access_limits = build_access_limits(settings, lambda: 0.0)
        self.client = TestClient(self.app, "http://localhost")

    def key(self, role: Role = Role.CLIENT) -> str:
        """A new key of that role."""
        engine = open_database(self.settings.auth_database, Schema.KEYS, Durability.CRASH)
        return KeyService(KeyStore(engine), PEPPER).create("test", role).text

    def headers(self, role: Role = Role.CLIENT) -> dict[str, str]:
        """Headers with a new key of that role."""
        return {"Authorization": f"Bearer {self.key(role)}"}

    def outlasted(self, send: Callable[[], Response], status: int) -> Response:
        """The answer to a request that takes longer than it may: the one with that status.

        Its time is short, but not so short that it is over before the request itself has come;
        how long that takes is a matter of what else the machine does.
        """
        for seconds in (0.1, 1.0, 10.0, 30.0):
            self.app.state.sync_deadline_s = seconds
            answer = send()
            if answer.status_code == status:
                break
        return answer

    def artifact_files(self) -> list[Path]:
        """Everything in the store; not what is just being written aside, a probe of it perhaps."""
        folder = self.settings.artifacts_folder
        files = (path for path in folder.rglob("*") if path.is_file())
        return sorted(path for path in files if ".incoming" not in path.parts)

    def everything_written(self) -> Iterator[tuple[Path, bytes]]:
        """Every file of the server with its bytes; what goes while it is looked at is left out."""
        for path in self.settings.data_root.rglob("*"):
            with suppress(FileNotFoundError, IsADirectoryError):
                yield path, path.read_bytes()


def fake_reader(pipeline: Pipeline, loader: ProcessLoader | None = None) -> Reader:
    """A reader with that pipeline; its other stations are never asked."""

    class _Named:
        name = engine_name = "fake"

    stations = Stations(loader=loader, ocr=_Named(), rules=_Named(), tasks=TASKS)  # type: ignore[arg-type]
    close = loader.close if loader is not None else lambda: None
    return Reader(stations, is_ready=lambda: True, close=close, extract=pipeline)
