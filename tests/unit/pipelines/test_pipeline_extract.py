"""The story of one document, with stations that answer at once."""

from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from lib.domain.cancellation import Cancellation
from lib.domain.deadline import Deadline
from lib.domain.document import Line, PageImage, Word
from lib.domain.extraction import Candidate, Hints, RawExtraction, Source
from lib.domain.geometry import Polygon
from lib.domain.source import EInvoice, SourcePage, TextLayer
from lib.domain.task import DocumentType
from lib.errors import Error
from lib.kie.models.sight import Asking
from lib.pipelines.extract import Stations, extract, select_pages
from lib.pipelines.rules import RulesHere
from lib.pipelines.stopwatch import Stopwatch
from lib.pipelines.tasks import load_tasks

TASKS = load_tasks(Path(__file__).parents[3] / "configs" / "tasks")
HINTS = Hints(received_on=date(2026, 11, 21))
WORD = Word("Total", Polygon.from_box(0.1, 0.1, 0.2, 0.12))


@dataclass
class Opened:
    """A PDF of text-layer pages, or an e-invoice."""

    page_count: int = 3
    einvoice: EInvoice | None = None
    mime_type: str = "application/pdf"
    closed: bool = False

    def page(self, number: int, deadline: Deadline) -> SourcePage:
        lines = tuple(
            Line(
                tuple(
                    replace(
                        WORD,
                        text=f"word{number}",
                        polygon=Polygon.from_box(x, y, x + 0.08, y + 0.01),
                    )
                    for x in (0.1, 0.2, 0.3, 0.4, 0.5)
                )
            )
            for y in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
        )
        return SourcePage(number, 1240, 1754, TextLayer(lines, 0.0, 0.0, 0.0))

    def image(
        self, number: int, deadline: Deadline, size: tuple[int, int] | None = None
    ) -> PageImage:
        raise AssertionError("a page with a good text layer is not rendered")

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> "Opened":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


@dataclass
class Loader:
    document: Opened
    owner: str | None = None

    def open(
        self,
        data: bytes,
        deadline: Deadline,
        cancellation: Cancellation | None = None,
        owner: str | None = None,
    ) -> Opened:
        self.owner = owner
        return self.document


@dataclass
class Found:
    """An extractor that finds what it was given, and remembers which pages it saw."""

    raw: RawExtraction
    seen: list[int] = field(default_factory=list)
    on_extract: Any = None
    name: str = "fake"

    def extract(self, pages: Any, task: Any, hints: Hints) -> RawExtraction:
        self.seen = [page.number for page in pages]
        if self.on_extract:
            self.on_extract()
        return replace(self.raw, task=task.for_document(self.raw.document_type))


def raw(document_type: DocumentType, source: Source = Source.TEXT_LAYER) -> RawExtraction:
    total = Candidate("19.90", 0.9, source, page=1, words=(replace(WORD, text="19.90"),))
    return RawExtraction(document_type, 0.9, {"total": (total,)}, {})


def stations(document: Opened, found: Found) -> Stations:
    # The text layer is trusted on every page, so that no engine is asked.
    return Stations(Loader(document), None, RulesHere(found), TASKS)  # type: ignore[arg-type]


def test_only_the_chosen_pages_are_read_and_the_document_is_closed() -> None:
    document, found = Opened(), Found(raw(DocumentType.INVOICE))
    extraction = extract(
        b"%PDF", TASKS["auto"], stations(document, found), HINTS, Deadline.after(60), "2-"
    )
    assert found.seen == [2, 3]
    assert [page.number for page in extraction.pages] == [2, 3]
    assert extraction.page_count == 3
    assert extraction.task_id == "invoice_fields_v1"
    assert document.closed


def test_the_document_is_opened_for_its_owner() -> None:
    document = Opened()
    chosen = stations(document, Found(raw(DocumentType.INVOICE)))
    extract(b"%PDF", TASKS["auto"], chosen, HINTS, Deadline.after(60), asking=Asking(owner="key-1"))
    assert isinstance(chosen.loader, Loader)
    assert chosen.loader.owner == "key-1"


def test_an_einvoice_is_answered_from_its_xml_and_no_page_is_read() -> None:
    found = Found(raw(DocumentType.RECEIPT))
    document = Opened(einvoice=EInvoice("cii", "urn:x", raw(DocumentType.CREDIT_NOTE, Source.XML)))
    extraction = extract(
        b"%PDF", TASKS["auto"], stations(document, found), HINTS, Deadline.after(60)
    )
    assert (extraction.backend, extraction.model) == ("einvoice", "cii:urn:x")
    assert extraction.task_id == "invoice_fields_v1"
    assert extraction.reading.document_type is DocumentType.CREDIT_NOTE
    assert found.seen == []
    assert document.closed


def test_the_pages_of_an_einvoice_are_read_when_they_are_to_be_compared() -> None:
    found = Found(raw(DocumentType.INVOICE))
    document = Opened(einvoice=EInvoice("cii", "urn:x", raw(DocumentType.INVOICE, Source.XML)))
    extraction = extract(
        b"%PDF",
        TASKS["auto"],
        stations(document, found),
        HINTS,
        Deadline.after(60),
        "1-2",
        compare=True,
    )
    assert extraction.backend == "einvoice"
    assert found.seen == [1, 2]
    assert extraction.comparison is not None
    assert extraction.comparison.agreeing == ("total",)
    assert extraction.reading.fields["total"].page == 1


def test_without_pages_or_without_xml_there_is_nothing_to_compare() -> None:
    bare = Opened(0, EInvoice("ubl", "urn:x", raw(DocumentType.INVOICE, Source.XML)))
    for document in (bare, Opened()):
        found = Found(raw(DocumentType.INVOICE))
        extraction = extract(
            b"", TASKS["auto"], stations(document, found), HINTS, Deadline.after(60), compare=True
        )
        assert extraction.comparison is None


def test_what_nobody_waits_for_any_longer_is_not_begun() -> None:
    now = 0.0

    def later() -> None:
        nonlocal now
        now = 100.0

    found = Found(raw(DocumentType.INVOICE), on_extract=later)
    watch = Stopwatch()
    with pytest.raises(Error) as caught:
        extract(
            b"%PDF",
            TASKS["auto"],
            stations(Opened(), found),
            HINTS,
            Deadline.after(60, lambda: now),
            stopwatch=watch,
        )
    assert caught.value.code == "inference_timeout"
    assert "kie" in watch.timings_ms
    assert "post" not in watch.timings_ms


@pytest.mark.parametrize(
    ("selection", "pages"),
    [
        (None, (1, 2, 3, 4, 5)),
        ("1", (1,)),
        ("4-2,5", (5,)),
        ("3-", (3, 4, 5)),
        (" 2 , 1-2", (1, 2)),
        ("5-999999", (5,)),
    ],
)
def test_page_selections(selection: str | None, pages: tuple[int, ...]) -> None:
    assert select_pages(selection, 5) == pages


@pytest.mark.parametrize("selection", ["", "0", "6", "-3", "a", "1;2", "1-b", "٣", "9999999"])
def test_selections_without_a_page_are_refused(selection: str) -> None:
    with pytest.raises(Error) as caught:
        select_pages(selection, 5)
    assert caught.value.code == "validation_error"
