"""A document that is open but not read: its pages, their text layers, images on demand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

from lib.domain.cancellation import Cancellation
from lib.domain.deadline import Deadline
from lib.domain.document import Line, PageImage, Size
from lib.domain.extraction import RawExtraction
from lib.domain.page_images import EncodedImage, ImageLimits, PagePart


@dataclass(frozen=True, slots=True)
class TextLayer:
    """The words that a PDF page carries, in reading order, and what speaks against trusting them.

    `hidden_share`: share of characters drawn invisibly (text render mode 3: someone else's OCR).
    `unmapped_share`: share of characters that are U+FFFD, private use or control characters.
    `image_share`: share of the page's area under its largest image, 0..1.
    """

    lines: tuple[Line, ...]
    hidden_share: float
    unmapped_share: float
    image_share: float


@dataclass(frozen=True, slots=True)
class SourcePage:
    """A page before reading; `width` and `height` in pixels of what `OpenDocument.image` gives.

    The file's own rotation (PDF /Rotate, EXIF) is already applied to sizes, text layer and image.
    """

    number: int
    width: int
    height: int
    text_layer: TextLayer | None


@dataclass(frozen=True, slots=True)
class EInvoice:
    """An e-invoice's XML, read: `syntax` cii or ubl, `profile` the specification (BT-24)."""

    syntax: str
    profile: str
    raw: RawExtraction


class OpenDocument(Protocol):
    """A document held open in a decoder process; a context manager that closes it."""

    @property
    def mime_type(self) -> str:
        """The type found in the bytes, e.g. `application/pdf`."""
        ...

    @property
    def page_count(self) -> int:
        """Number of pages; 0 for a bare XML e-invoice."""
        ...

    @property
    def einvoice(self) -> EInvoice | None:
        """The e-invoice inside, when there is one."""
        ...

    def page(self, number: int, deadline: Deadline) -> SourcePage:
        """Size and text layer of page `number` (from 1)."""
        ...

    def image(self, number: int, deadline: Deadline, size: Size | None = None) -> PageImage:
        """Page `number` as an upright-by-its-own-metadata RGB image.

        Of less than the page's own `size` where that is enough for who looks at it: a PDF page is
        drawn in just so many pixels, a picture has at least as many.
        """
        ...

    def encoded(self, part: PagePart, limits: ImageLimits, deadline: Deadline) -> EncodedImage:
        """`part` of a page as JPEG, upright as it is read, within the limits; never enlarged.

        Made where the document is held: its pixels stay there. A whole page is drawn as `image`
        draws it in the size that it is sent in; of parts of one page, asked for in a row, all are
        cut from one drawing in the page's own size.

        Raises ValueError for a page that the document has not; `unreadable_document`,
        `page_too_large`, `inference_timeout` or `inference_unavailable`; `Canceled`.
        """
        ...

    def close(self) -> None:
        """Let the decoder process go."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc_info: object) -> None: ...


class DocumentLoader(Protocol):
    """Opens untrusted bytes under limits; a failure is an `Error` with a code of the contract."""

    def open(
        self,
        data: bytes,
        deadline: Deadline,
        cancellation: Cancellation | None = None,
        owner: str | None = None,
    ) -> OpenDocument:
        """Judge the bytes by their magic and open them.

        What has read documents of an `owner` may read others of the same owner, and of nobody else.
        Once `cancellation` is set the decoder is ended, and what waits for it raises `Canceled`.
        """
        ...
