"""One document through the stations: loading, OCR, KIE, post. The story on one page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from lib.domain.deadline import Deadline
from lib.domain.extraction import Extraction, Hints
from lib.domain.source import DocumentLoader, EInvoice, OpenDocument
from lib.domain.task import Task
from lib.errors import Error, Kind
from lib.kie.models.sight import Asking, Sight
from lib.loading.page_images import DocumentImages
from lib.ocr.pages import OcrPool, read_pages
from lib.pipelines.comparison import compared
from lib.pipelines.field_reading import EINVOICE, ModelStation, read_fields, still_wanted
from lib.pipelines.rules import Rules
from lib.pipelines.stopwatch import Stopwatch
from lib.pipelines.word_limit import within_limit
from lib.post.finish import finish


@dataclass(frozen=True, slots=True)
class Stations:
    """The implementations that were chosen at start-up.

    `rules` need no model; `model` is asked besides them, where there is one.
    """

    loader: DocumentLoader
    ocr: OcrPool
    rules: Rules
    tasks: Mapping[str, Task]
    model: ModelStation | None = None


class Pipeline(Protocol):
    """What `extract` is: it reads one document, as described there."""

    def __call__(  # noqa: PLR0913 - as `extract`
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
        """One document, read. Raises `Error`, `Canceled`."""
        ...


def extract(  # noqa: PLR0913 - the last four are what most callers leave out
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
    """Read one document.

    `page_selection` is a list of pages and ranges such as `1-3,5`; None means all. The caller may
    pass a `stopwatch` and an `asking` of its own, to keep the timings and the model's calls of a
    document that failed. With `compare` the pages of an e-invoice are read too and held against its
    XML. Raises `Error`; `Canceled` where `asking` says that nobody waits.
    """
    exact: Extraction | None = None
    watch = stopwatch or Stopwatch()
    asking = asking or Asking()
    with watch.station("load"):
        document = stations.loader.open(data, deadline, asking.cancellation, asking.owner)
    with document:
        if document.einvoice is not None:
            exact = _from_einvoice(document, document.einvoice, task, hints, watch)
            if not (compare and document.page_count):
                return exact
            task = task.for_document(exact.reading.document_type)
        numbers = select_pages(page_selection, document.page_count)
        with watch.station("ocr"):
            pages = read_pages(document, numbers, stations.ocr, deadline, asking.cancellation)
        interpreted, warnings = within_limit(pages)
        sight = Sight(DocumentImages(document, deadline), deadline, asking)
        still_wanted(sight)
        # The pages beside an XML only confirm it: no model is asked for that.
        model = stations.model if exact is None else None
        read = read_fields(stations.rules, model, interpreted, task, hints, sight, watch)
        mime_type, page_count = document.mime_type, document.page_count
    if exact is not None:
        return compared(exact, read.task, read.reading, pages)
    return Extraction(
        task_id=read.task.id,
        backend=read.backend,
        model=read.model,
        mime_type=mime_type,
        reading=read.reading,
        pages=pages,
        page_count=page_count,
        warnings=(*warnings, *read.warnings),
        timings_ms=watch.timings_ms,
    )


def _from_einvoice(
    document: OpenDocument,
    einvoice: EInvoice,
    task: Task,
    hints: Hints,
    watch: Stopwatch,
) -> Extraction:
    """The XML of an e-invoice is the invoice: its values are exact and no page has to be read."""
    chosen = task.for_document(einvoice.raw.document_type)
    with watch.station("post"):
        reading = finish(einvoice.raw, chosen, (), hints)
    return Extraction(
        task_id=chosen.id,
        backend=EINVOICE,
        model=f"{einvoice.syntax}:{einvoice.profile}",
        mime_type=document.mime_type,
        reading=reading,
        pages=(),
        page_count=document.page_count,
        timings_ms=watch.timings_ms,
    )


def select_pages(selection: str | None, page_count: int) -> tuple[int, ...]:
    """Page numbers of a selection such as `1-3,5`, in order and once each.

    Raises `validation_error` for a malformed selection or one without a page of the document.
    """
    if selection is None:
        return tuple(range(1, page_count + 1))
    wanted: set[int] = set()
    for part in selection.split(","):
        first, dash, last = part.strip().partition("-")
        if not (first.isascii() and first.isdigit()) or len(first) > 6:
            raise _bad_selection(selection)
        if dash and last and not (last.isascii() and last.isdigit() and len(last) <= 6):
            raise _bad_selection(selection)
        start = int(first)
        end = start if not dash else int(last) if last else page_count
        wanted.update(range(max(1, start), min(end, page_count) + 1))
    if not wanted:
        raise _bad_selection(selection)
    return tuple(sorted(wanted))


def _bad_selection(selection: str) -> Error:
    return Error(
        "validation_error",
        Kind.UNPROCESSABLE,
        "`pages` must name pages of the document, such as `1-3,5`.",
        {"errors": [{"field": "pages", "message": f"not a page selection: {selection[:40]!r}"}]},
    )
