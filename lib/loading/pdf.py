"""PDF pages through pypdfium2: sizes, text, rendering, attachments. Runs in a decoder process."""

from __future__ import annotations

import contextlib
import ctypes
import math
from collections.abc import Iterator

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from lib.domain.document import PageImage, Size
from lib.domain.source import SourcePage, TextLayer
from lib.errors import Error
from lib.loading import failures, textlayer
from lib.loading.limits import LoadingLimits
from lib.loading.textlayer import Glyph, PlacedWord

POINTS_PER_INCH = 72.0
# pdfium maps pages to a device of whole pixels; this one is fine enough to keep 1/1000 point.
_DEVICE = 1_000_000
_INVISIBLE = pdfium_c.FPDF_TEXTRENDERMODE_INVISIBLE
_SPACE, _LINE_FEED = 0x20, 0x0A
_LINK_LIKE = frozenset({pdfium_c.FPDF_ANNOT_LINK, pdfium_c.FPDF_ANNOT_POPUP})
_WHITE, _UPRIGHT = (255, 255, 255, 255), 0
# A page counts as a scan when one image covers this share of it.
_SCAN_SHARE = 0.5
_SCAN_SIDE_PX = 1640


class PdfFile:
    """A PDF in memory. Raises `Error`; not safe to share between threads."""

    def __init__(self, data: bytes, limits: LoadingLimits) -> None:
        """Open and judge the page tree; no page is parsed yet."""
        self._limits = limits
        try:
            self._document = pdfium.PdfDocument(data)
        except pdfium.PdfiumError as error:
            raise _opening_failure(error.err_code) from None
        self.page_count = len(self._document)
        if self.page_count > limits.max_pages:
            raise failures.too_many_pages(limits.max_pages)
        for index in range(self.page_count):
            self._check_size(*self._size(index))
        # Form fields are drawn only when a form environment exists before a page is loaded.
        if self._document.get_formtype() != pdfium_c.FORMTYPE_NONE:
            self._document.init_forms()
        self._flattened: set[int] = set()
        self._last: tuple[int, pdfium.PdfPage] | None = None

    def attachments(self) -> Iterator[tuple[str, bytes]]:
        """Names and contents of embedded XML files, none larger than the e-invoice limit."""
        for index in range(self._document.count_attachments()):
            try:
                attachment = self._document.get_attachment(index)
                name = attachment.get_name()
                if not name.lower().endswith(".xml"):
                    continue
                content = attachment.get_data()
            except pdfium.PdfiumError:
                continue
            if 0 < len(content) <= self._limits.max_einvoice_bytes:
                yield name, bytes(content)

    def page(self, number: int) -> SourcePage:
        """Size and text layer of page `number` (from 1)."""
        with self._loaded(number) as page:
            largest = _largest_image(page)
            width, height = _pixels(page, self._scale(page, largest))
            layer = self._text_layer(page, largest)
        return SourcePage(number, width, height, layer)

    def image(self, number: int, size: Size | None = None) -> PageImage:
        """Page `number` drawn on white, its annotations and form fields included."""
        with self._loaded(number) as page:
            width, height = size or _pixels(page, self._scale(page, _largest_image(page)))
            # Drawn into memory of ours: a large image is neither cleared before nor copied after.
            pixels = bytearray(width * height * 3)
            buffer = (ctypes.c_ubyte * len(pixels)).from_buffer(pixels)
            bitmap = pdfium.PdfBitmap.new_native(
                width, height, pdfium_c.FPDFBitmap_BGR, rev_byteorder=True, buffer=buffer
            )
            bitmap.fill_rect(_WHITE, 0, 0, width, height)
            # Not by `PdfPage.render`, which takes one scale for both sides and rounds.
            flags = pdfium_c.FPDF_ANNOT | pdfium_c.FPDF_REVERSE_BYTE_ORDER
            all_of_it = (bitmap, page, 0, 0, width, height, _UPRIGHT, flags)
            pdfium_c.FPDF_RenderPageBitmap(*all_of_it)
            if page.formenv:
                pdfium_c.FPDF_FFLDraw(page.formenv, *all_of_it)
            return PageImage(width, height, pixels)

    def _size(self, index: int) -> tuple[float, float]:
        try:
            width, height = self._document.get_page_size(index)
        except pdfium.PdfiumError:
            raise failures.unreadable("damaged") from None
        return float(width), float(height)

    def _check_size(self, width: float, height: float) -> None:
        """Refuse a page (in points) that is no sheet of any size."""
        if not (math.isfinite(width) and math.isfinite(height)) or min(width, height) <= 0:
            raise failures.unreadable("damaged")
        if max(width, height) > self._limits.max_page_inches * POINTS_PER_INCH:
            raise failures.page_too_large(f"{self._limits.max_page_inches:g} inches a side")

    @contextlib.contextmanager
    def _loaded(self, number: int) -> Iterator[pdfium.PdfPage]:
        """Page `number` with its visible annotations made part of its content."""
        try:
            yield self._page(number)
        except pdfium.PdfiumError:
            raise failures.unreadable("damaged") from None

    def _page(self, number: int) -> pdfium.PdfPage:
        """One page stays loaded until another is wanted: what was read is often drawn next."""
        if self._last is not None:
            last, page = self._last
            if last == number:
                return page
            self._last = None
            page.close()
        page = self._document[number - 1]
        if number not in self._flattened and _has_visible_annotations(page):
            # A page that cannot be flattened still has its own content.
            pdfium_c.FPDFPage_Flatten(page, pdfium_c.FLAT_NORMALDISPLAY)
            self._flattened.add(number)
            page.close()
            page = self._document[number - 1]
        self._last = number, page
        return page

    def _scale(self, page: pdfium.PdfPage, largest: _Image | None) -> float:
        """Pixels per point: a scan's own resolution, else `render_dpi`; less where too large."""
        width, height = page.get_size()
        self._check_size(width, height)
        dpi: float = self._limits.render_dpi
        if largest is not None and largest.share >= _SCAN_SHARE:
            # Text may have been set over a coarse background: an A4 page keeps 140 dpi.
            low = min(dpi, _SCAN_SIDE_PX * POINTS_PER_INCH / max(width, height))
            dpi = min(max(largest.dpi, low), self._limits.max_scan_dpi)
        # One pixel is kept back because sizes are rounded up.
        most: float = (self._limits.max_image_side_px - 1) / max(width, height)
        return min(dpi / POINTS_PER_INCH, most)

    def _text_layer(self, page: pdfium.PdfPage, largest: _Image | None) -> TextLayer | None:
        text = page.get_textpage()
        try:
            count = pdfium_c.FPDFText_CountChars(text)
            if not 0 < count <= self._limits.max_page_characters:
                return None
            return _read_text(page, text, count, largest.share if largest else 0.0)
        finally:
            text.close()


def _pixels(page: pdfium.PdfPage, scale: float) -> tuple[int, int]:
    width, height = page.get_size()
    return math.ceil(width * scale), math.ceil(height * scale)


def _opening_failure(code: int | None) -> Error:
    if code in {pdfium_c.FPDF_ERR_PASSWORD, pdfium_c.FPDF_ERR_SECURITY}:
        return failures.encrypted()
    # pypdfium2 refuses a document without pages, for which pdfium has no error of its own.
    if code == pdfium_c.FPDF_ERR_SUCCESS:
        return failures.empty()
    return failures.unreadable("damaged")


class _Image:
    """The share of the page that an image covers (0..1) and its resolution there."""

    __slots__ = ("dpi", "share")

    def __init__(self, share: float, dpi: float) -> None:
        self.share = share
        self.dpi = dpi


def _largest_image(page: pdfium.PdfPage) -> _Image | None:
    width, height = page.get_size()
    best: _Image | None = None
    for item in page.get_objects(filter=[pdfium_c.FPDF_PAGEOBJ_IMAGE], max_depth=3):
        try:
            left, bottom, right, top = item.get_bounds()
            pixels = item.get_px_size()
        except pdfium.PdfiumError:
            continue
        across, along = right - left, top - bottom
        share = min(1.0, max(0.0, across * along) / (width * height))
        if best is None or share > best.share:
            inches = max(across, along, 0.01) / POINTS_PER_INCH
            best = _Image(share, max(pixels) / inches)
    return best


def _has_visible_annotations(page: pdfium.PdfPage) -> bool:
    for index in range(min(pdfium_c.FPDFPage_GetAnnotCount(page), 1000)):
        annotation = pdfium_c.FPDFPage_GetAnnot(page, index)
        if not annotation:
            continue
        subtype = pdfium_c.FPDFAnnot_GetSubtype(annotation)
        pdfium_c.FPDFPage_CloseAnnot(annotation)
        if subtype not in _LINK_LIKE:
            return True
    return False


def _read_text(
    page: pdfium.PdfPage, text: pdfium.PdfTextPage, count: int, image_share: float
) -> TextLayer | None:
    glyphs = _glyphs(text, count)
    runs = textlayer.runs(glyphs, lambda index: _quadrant(text, index))
    letters = sum(len(run.text) for run in runs)
    if not letters:
        return None
    hidden = sum(len(run.text) for run in runs if _is_hidden(text, run.first))
    unmapped = sum(textlayer.is_unmapped(g.code) and not textlayer.is_space(g.code) for g in glyphs)
    width, height = page.get_size()
    to_view = _page_to_view(page, width, height)
    turn = page.get_rotation() // 90
    words = [_place(text, run, order, to_view, turn) for order, run in enumerate(runs)]
    return TextLayer(
        lines=textlayer.lines(words, width, height),
        hidden_share=hidden / letters,
        unmapped_share=min(1.0, unmapped / letters),
        image_share=image_share,
    )


def _glyphs(text: pdfium.PdfTextPage, count: int) -> list[Glyph]:
    """Every character with its box. The loose box has the font's height, so lines come out even."""
    raw = text.raw
    loose, unicode = pdfium_c.FPDFText_GetLooseCharBox, pdfium_c.FPDFText_GetUnicode
    box = pdfium_c.FS_RECTF()
    box_pointer = ctypes.byref(box)
    found = []
    for index in range(count):
        loose(raw, index, box_pointer)
        left, right, bottom, top = box.left, box.right, box.bottom, box.top
        if left > right:
            left, right = right, left
        if bottom > top:
            bottom, top = top, bottom
        code = unicode(raw, index)
        if code == _SPACE and pdfium_c.FPDFText_IsGenerated(raw, index) == 1:
            code = _LINE_FEED
        found.append(Glyph(code, left, bottom, right, top))
    return found


def _quadrant(text: pdfium.PdfTextPage, index: int) -> int:
    """The writing direction in quarter turns counter-clockwise; pdfium's angle is clockwise."""
    angle = pdfium_c.FPDFText_GetCharAngle(text, index)
    return 0 if angle < 0 else -round(angle / (math.pi / 2)) % 4


def _is_hidden(text: pdfium.PdfTextPage, index: int) -> bool:
    """Whether a character is drawn in text render mode 3: neither filled nor stroked."""
    item = pdfium_c.FPDFText_GetTextObject(text, index)
    return bool(item) and pdfium_c.FPDFTextObj_GetTextRenderMode(item) == _INVISIBLE


_Affine = tuple[float, float, float, float, float, float]


def _page_to_view(page: pdfium.PdfPage, width: float, height: float) -> _Affine:
    """The map from user space to points from the top left of the page as it is seen.

    pdfium knows crop box and rotation; three mapped points determine an affine map (PDF 32000-1,
    8.3.3). (x, y) goes to (a x + c y + e, b x + d y + f).
    """
    scale_x, scale_y = width / _DEVICE, height / _DEVICE

    def seen(x: float, y: float) -> tuple[float, float]:
        px, py = ctypes.c_int(), ctypes.c_int()
        pdfium_c.FPDF_PageToDevice(page, 0, 0, _DEVICE, _DEVICE, 0, x, y, px, py)
        return px.value * scale_x, py.value * scale_y

    span = max(width, height)
    e, f = seen(0.0, 0.0)
    x1, y1 = seen(span, 0.0)
    x2, y2 = seen(0.0, span)
    return (x1 - e) / span, (y1 - f) / span, (x2 - e) / span, (y2 - f) / span, e, f


def _place(
    text: pdfium.PdfTextPage, run: textlayer.Run, order: int, to_view: _Affine, turn: int
) -> PlacedWord:
    a, b, c, d, e, f = to_view
    x0, y0, x1, y1 = run.box
    left, right = sorted((a * x0 + c * y0 + e, a * x1 + c * y1 + e))
    top, bottom = sorted((b * x0 + d * y0 + f, b * x1 + d * y1 + f))
    x, y = ctypes.c_double(), ctypes.c_double()
    if pdfium_c.FPDFText_GetCharOrigin(text, run.first, x, y):
        baseline = b * x.value + d * y.value + f
    else:
        baseline = bottom
    # /Rotate turns the page clockwise, writing directions are counted counter-clockwise.
    upright = (run.quadrant - turn) % 4 == 0
    return PlacedWord(run.text, left, top, right, bottom, baseline, upright, run.spaced, order)
