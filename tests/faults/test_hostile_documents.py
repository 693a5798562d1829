"""No document may crash, block or bloat the server: each ends in its error, in time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import psutil
import pytest
from hostile import hostile_documents
from hostile_case import OPENS, Hostile
from hostile_pdfs import sound_pdf

from lib.domain.deadline import Deadline
from lib.domain.page_images import WHOLE_PAGE, ImageLimits, PagePart
from lib.errors import Error
from lib.loading.limits import LoadingLimits
from lib.loading.loader import ProcessDocument, ProcessLoader, build_loader

pytestmark = pytest.mark.slow

SECONDS = 100.0


LIMITS = LoadingLimits(cpu_seconds=1, memory_bytes=700_000_000, documents_per_process=50)
SENT = ImageLimits(dpi=170, max_pixels=2_200_000, multiple=28)
OWNER = "the owner of all"


@pytest.fixture(scope="module")
def loader() -> Iterator[ProcessLoader]:
    with build_loader(LIMITS) as built:
        yield built


@pytest.fixture(scope="module")
def sound(loader: ProcessLoader) -> Sequence[Any]:
    """What a decoder that has read nothing else says of a sound document."""
    return everything(loader, sound_pdf(), None)


def everything(loader: ProcessLoader, data: bytes, owner: str | None = OWNER) -> Sequence[Any]:
    """All that a document holds. Raises `Error`."""
    deadline = Deadline.after(SECONDS)
    with loader.open(data, deadline, owner=owner) as document:
        return [
            all_of_page(document, number, deadline) for number in range(1, document.page_count + 1)
        ]


def all_of_page(document: ProcessDocument, number: int, deadline: Deadline) -> Sequence[Any]:
    page, image = document.page(number, deadline), document.image(number, deadline)
    part = PagePart(number, (page.width, page.height), 0, WHOLE_PAGE.box)
    return page, image, document.encoded(part, SENT, deadline)


def read_all(loader: ProcessLoader, data: bytes) -> str:
    """Open a document and read all of it, a page at a time; `opens`, or the code of its error."""
    deadline = Deadline.after(SECONDS)
    try:
        with loader.open(data, deadline, owner=OWNER) as document:
            for number in range(1, document.page_count + 1):
                all_of_page(document, number, deadline)
    except Error as error:
        return error.code
    return OPENS


@pytest.mark.parametrize("hostile", hostile_documents(), ids=lambda hostile: hostile.name)
def test_hostile_document_ends_as_it_should(
    loader: ProcessLoader, sound: Sequence[Any], hostile: Hostile
) -> None:
    data = hostile.build()
    memory = psutil.Process().memory_info().rss
    started = time.monotonic()

    outcome = read_all(loader, data)

    assert outcome == hostile.expected
    assert time.monotonic() - started < SECONDS
    # The largest page image is 50 MB; anything beyond was unpacked in the wrong process.
    assert psutil.Process().memory_info().rss - memory < 100_000_000
    # Read by the same decoder, where the one before has left it alive.
    assert everything(loader, sound_pdf()) == sound
