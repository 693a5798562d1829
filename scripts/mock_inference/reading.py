"""What the mock reads: page images or given words, by the embedded CPU engine."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Protocol

from lib.domain.deadline import Deadline
from lib.domain.document import Line, Page, PageSource, Word
from lib.domain.extraction import FieldValue, Hints, Source
from lib.domain.geometry import Polygon
from lib.domain.task import Task
from lib.inference.wire import DocumentPage, OcrDocument
from lib.kie.extractor import Extractor
from lib.kie.extractor_later import CpuExtractorLater
from lib.loading.limits import LoadingLimits
from lib.loading.loader import ProcessLoader, build_loader
from lib.ocr.build import OcrSettings, build_ocr_pool
from lib.ocr.pages import read_pages
from lib.ocr.pool import OcrPool
from lib.pipelines.tasks import load_tasks
from lib.post.finish import finish

_PATIENCE_S = 120.0
_WORD_GAP = 1.0  # of a line's height: a wider one separates columns
_REMEMBERED = 64
_CELL = re.compile(r"(?P<table>\w+)\[(?P<row>\d+)\]\.(?P<column>\w+)")


@dataclass(frozen=True)
class Values:
    """A document's fields by name and its tables' rows, with the printed text of each."""

    task: Task
    fields: Mapping[str, FieldValue] = field(default_factory=dict)

    @cached_property
    def tables(self) -> dict[str, list[dict[str, FieldValue]]]:
        """Rows by table, each by column."""
        found: dict[str, dict[int, dict[str, FieldValue]]] = {}
        for name, value in self.fields.items():
            if cell := _CELL.fullmatch(name):
                rows = found.setdefault(cell["table"], {})
                rows.setdefault(int(cell["row"]), {})[cell["column"]] = value
        return {table: [rows[n] for n in sorted(rows)] for table, rows in found.items()}


class UnreadableImageError(Exception):
    """A page image that is none."""


class Reader(Protocol):
    """Reads documents for the mock. Safe to share between threads."""

    def images(self, uris: Sequence[str], names: frozenset[str]) -> Values:
        """The values on page images (data URIs), for the task that knows most of these fields."""
        ...

    def words(self, document: OcrDocument, names: frozenset[str]) -> Values:
        """The values among words that were read by whoever asks."""
        ...


@dataclass
class _Picture:
    """What is on it, once it has been read; the lock is held by who reads it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    page: Page | None = None


class DocumentReader:
    """Reads pages into values. Safe to share between threads; its models load at first use.

    What it has read lately it says again at once: under load it is no model's work that is wanted.
    A picture is read once whatever is asked about it, and by however many at the same time.
    """

    def __init__(self, tasks_folder: Path) -> None:
        self._tasks = [task for task in load_tasks(tasks_folder).values() if not task.choices]
        self._extractor: Extractor = CpuExtractorLater()
        self._lock = threading.Lock()
        self._values: dict[str, Values] = {}
        self._pictures: dict[bytes, _Picture] = {}

    @cached_property
    def _engine(self) -> tuple[ProcessLoader, OcrPool]:
        return build_loader(LoadingLimits(max_processes=2)), build_ocr_pool(OcrSettings())

    def images(self, uris: Sequence[str], names: frozenset[str]) -> Values:
        """See `Reader`."""
        images = [image_bytes(uri) for uri in uris]

        def pages() -> list[Page]:
            read = (self._page(image) for image in images)
            return [replace(page, number=n) for n, page in enumerate(read, start=1)]

        return self._remembered(images, names, pages)

    def words(self, document: OcrDocument, names: frozenset[str]) -> Values:
        """See `Reader`."""

        def pages() -> list[Page]:
            return [_page_of_words(n, page) for n, page in enumerate(document.pages, start=1)]

        return self._remembered([document.to_json()], names, pages)

    def close(self) -> None:
        """End the processes."""
        if "_engine" in self.__dict__:
            loader, pool = self._engine
            pool.close()
            loader.close()

    def _started(self) -> tuple[ProcessLoader, OcrPool]:
        with self._lock:
            return self._engine

    def _page(self, image: bytes) -> Page:
        """The page on a picture: who asks while another has it read waits for that."""
        key = hashlib.sha256(image).digest()
        with self._lock:
            if key not in self._pictures and len(self._pictures) >= _REMEMBERED:
                self._pictures.pop(next(iter(self._pictures)))
            picture = self._pictures.setdefault(key, _Picture())
        with picture.lock:
            if picture.page is None:
                picture.page = _read(image, *self._started())
            return picture.page

    def _remembered(
        self, contents: Sequence[bytes], names: frozenset[str], pages: Callable[[], Sequence[Page]]
    ) -> Values:
        digest = hashlib.sha256(repr(sorted(names)).encode())
        for content in contents:
            digest.update(hashlib.sha256(content).digest())
        key = digest.hexdigest()
        with self._lock:
            known = self._values.get(key)
        if known is None:
            known = self._values_on(pages(), names)
            with self._lock:
                if len(self._values) >= _REMEMBERED:
                    self._values.pop(next(iter(self._values)))
                self._values[key] = known
        return known

    def _values_on(self, pages: Sequence[Page], names: frozenset[str]) -> Values:
        task = max(self._tasks, key=lambda task: len(names & {f.name for f in task.fields}))
        if not any(page.words for page in pages):
            return Values(task)
        hints = Hints(received_on=datetime.now(UTC).date())
        raw = self._extractor.extract(pages, task, hints)
        found = finish(raw, task, pages, hints).fields
        # What is asked for is what is printed, and a value that was computed is not.
        printed = {n: value for n, value in found.items() if value.source is not Source.DERIVED}
        return Values(task, printed)


def image_bytes(uri: str) -> bytes:
    """The bytes of a data URI. Raises `UnreadableImageError`."""
    head, comma, text = uri.partition(",")
    if not comma or not head.startswith("data:image/") or not head.endswith(";base64"):
        raise UnreadableImageError
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise UnreadableImageError from None


def _read(data: bytes, loader: ProcessLoader, pool: OcrPool) -> Page:
    deadline = Deadline.after(_PATIENCE_S)
    pool.wait_ready(deadline)
    with loader.open(data, deadline) as document:
        return read_pages(document, (1,), pool, deadline)[0]


def _page_of_words(number: int, page: DocumentPage) -> Page:
    """Words with boxes as a page: neighbours on one baseline are a line."""
    lines: list[list[tuple[Word, tuple[float, float, float, float]]]] = []
    for text, box in zip(page.words, page.bboxes, strict=True):
        x0, y0, x1, y1 = box
        polygon = Polygon.from_box(
            x0 / page.width, y0 / page.height, x1 / page.width, y1 / page.height
        )
        if lines and _follows(lines[-1][-1][1], box):
            lines[-1].append((Word(text, polygon), box))
        else:
            lines.append([(Word(text, polygon), box)])
    return Page(
        number=number,
        width=page.width,
        height=page.height,
        rotation=0,
        source=PageSource.OCR,
        lines=tuple(Line(tuple(word for word, _ in line)) for line in lines),
    )


def _follows(
    before: tuple[float, float, float, float], after: tuple[float, float, float, float]
) -> bool:
    height = before[3] - before[1]
    level = before[1] <= (after[1] + after[3]) / 2 <= before[3]
    return level and -height <= after[0] - before[2] <= _WORD_GAP * height
