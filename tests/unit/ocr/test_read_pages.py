"""Documents of text layers, scans and both, read through a real pool of fake engines."""

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self

import pytest

from lib.domain.cancellation import Canceled, Cancellation
from lib.domain.deadline import Deadline
from lib.domain.document import Line, PageImage, PageSource, Word
from lib.domain.geometry import Polygon
from lib.domain.source import EInvoice, SourcePage, TextLayer
from lib.errors import Error
from lib.ocr.pages import OcrPool, read_pages
from lib.ocr.pool import PoolLimits

WORKER = Path(__file__).with_name("fake_ocr_worker.py")
READ, CRASH, HANG = range(3)
TEXT = -1


class FakeDocument:
    """Pages that are a text layer (TEXT) or an image with an action for the fake engine."""

    mime_type = "application/pdf"
    einvoice: EInvoice | None = None

    def __init__(self, pages: Sequence[int]) -> None:
        self._pages = pages
        self.images_given: list[int] = []

    @property
    def page_count(self) -> int:
        return len(self._pages)

    def page(self, number: int, deadline: Deadline) -> SourcePage:
        layer = text_layer() if self._pages[number - 1] == TEXT else None
        return SourcePage(number, 100, 200, layer)

    def image(
        self, number: int, deadline: Deadline, size: tuple[int, int] | None = None
    ) -> PageImage:
        self.images_given.append(number)
        action = self._pages[number - 1]
        return PageImage(10, 20, bytes([action]) + bytes(599))

    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None: ...


def text_layer() -> TextLayer:
    """Two rows of readable words, given in the wrong order."""
    rows = []
    for y in (0.5, 0.1):
        boxes = [Polygon.from_box(0.2 * n, y, 0.2 * n + 0.15, y + 0.02) for n in range(4)]
        rows.append(Line(tuple(Word(f"number{int(10 * y)}", box) for box in boxes)))
    return TextLayer(tuple(rows), 0.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def pool() -> Iterator[OcrPool]:
    command = (sys.executable, "-P", str(WORKER), "well")
    with OcrPool(command, PoolLimits(2, 2, 1000, 1 << 30)) as pool:
        assert pool.wait_ready(soon())
        yield pool


def soon() -> Deadline:
    return Deadline.after(100)


def test_a_text_layer_needs_no_image(pool: OcrPool) -> None:
    document = FakeDocument([TEXT])
    (page,) = read_pages(document, [1], pool, soon())
    assert (page.number, page.width, page.height, page.rotation) == (1, 100, 200, 0)
    assert page.source is PageSource.TEXT_LAYER
    assert [line.words[0].text for line in page.lines] == ["number1", "number5"]
    assert document.images_given == []


def test_a_scan_is_read_and_carries_the_engines_orientation(pool: OcrPool) -> None:
    (page,) = read_pages(FakeDocument([READ]), [1], pool, soon())
    assert page.source is PageSource.OCR
    assert (page.width, page.height, page.rotation) == (20, 10, 90)
    assert page.words


def test_mixed_pages_come_in_the_order_asked_for(pool: OcrPool) -> None:
    document = FakeDocument([READ, TEXT, READ, READ, TEXT, READ, READ])
    pages = read_pages(document, [1, 2, 3, 5, 6, 7], pool, soon())
    assert [page.number for page in pages] == [1, 2, 3, 5, 6, 7]
    assert [page.source is PageSource.TEXT_LAYER for page in pages] == [
        False,
        True,
        False,
        True,
        False,
        False,
    ]


def test_a_long_scan_holds_few_images(pool: OcrPool) -> None:
    document = FakeDocument([READ] * 2 + [HANG] * 2 + [READ] * 30)
    # Workers that the test before has ended are up again: the first pages need no time.
    assert pool.wait_at_rest(soon())
    with pytest.raises(Error) as caught:
        read_pages(document, range(1, 35), pool, Deadline.after(2.0))
    assert caught.value.code == "inference_timeout"
    assert caught.value.details["page"] == 3
    assert len(document.images_given) <= 2 + pool.workers + 2


def test_a_document_waits_for_its_own_pages_when_the_queue_is_full(pool: OcrPool) -> None:
    pages = read_pages(FakeDocument([READ] * 40), range(1, 41), pool, soon())
    assert [page.number for page in pages] == list(range(1, 41))


def test_a_page_that_crashes_the_engine_is_named_and_the_rest_given_up(pool: OcrPool) -> None:
    with pytest.raises(Error) as caught:
        read_pages(FakeDocument([READ, CRASH, HANG, READ]), [1, 2, 3, 4], pool, soon())
    assert caught.value.code == "unreadable_document"
    assert caught.value.details == {"reason": "crashed", "page": 2}
    assert pool.read(PageImage(1, 1, bytes(3)), soon()).lines  # the hanging page holds no worker
    assert pool.stats.waiting == 0


def test_a_canceled_document_gives_its_pages_up_and_frees_the_workers(pool: OcrPool) -> None:
    document = FakeDocument([HANG, HANG, READ])
    cancellation = Cancellation()
    begun = threading.Timer(0, lambda: _when_busy(pool, 2, cancellation.set))
    begun.start()
    with pytest.raises(Canceled):
        read_pages(document, [1, 2, 3], pool, soon(), cancellation)
    begun.join()
    assert pool.read(PageImage(1, 1, bytes(3)), soon()).lines
    assert pool.stats.waiting == 0


def test_nothing_is_begun_for_a_canceled_document(pool: OcrPool) -> None:
    cancellation = Cancellation()
    cancellation.set()
    document = FakeDocument([READ])
    with pytest.raises(Canceled):
        read_pages(document, [1], pool, soon(), cancellation)
    assert document.images_given == []


def _when_busy(pool: OcrPool, workers: int, act: Callable[[], None]) -> None:
    end = soon()
    while pool.stats.busy < workers and not end.passed:
        threading.Event().wait(0.01)
    act()


def test_no_pages(pool: OcrPool) -> None:
    assert read_pages(FakeDocument([]), [], pool, soon()) == ()
