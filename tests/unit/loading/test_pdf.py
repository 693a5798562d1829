from __future__ import annotations

import io

import numpy as np
import pypdfium2 as pdfium
import pytest
from fpdf import FPDF
from fpdf.enums import TextMode
from PIL import Image

from lib.domain.document import Line
from lib.domain.source import SourcePage, TextLayer
from lib.loading.limits import LoadingLimits
from lib.loading.pdf import PdfFile

LIMITS = LoadingLimits()


def sheet() -> FPDF:
    """An A4 page in points, Helvetica 10."""
    document = FPDF(unit="pt")
    document.add_page()
    document.set_font("Helvetica", size=10)
    return document


def opened(document: FPDF, limits: LoadingLimits = LIMITS) -> PdfFile:
    return PdfFile(bytes(document.output()), limits)


def layer(file: PdfFile) -> TextLayer:
    found = file.page(1).text_layer
    assert found is not None
    return found


def texts(file: PdfFile) -> list[str]:
    return [line.text for line in layer(file).lines]


def changed(document: FPDF, *, rotation: int = 0, cropbox: tuple[int, ...] = ()) -> PdfFile:
    """The document after pdfium has turned or cropped its first page."""
    pdf = pdfium.PdfDocument(bytes(document.output()))
    page = pdf[0]
    page.set_rotation(rotation)
    if cropbox:
        page.set_cropbox(*cropbox)
    out = io.BytesIO()
    pdf.save(out)
    return PdfFile(out.getvalue(), LIMITS)


def ink(file: PdfFile, size: tuple[int, int] | None = None) -> tuple[float, float, float, float]:
    """The box of everything dark on the rendered page, in 0..1: left, top, right, bottom."""
    image = file.image(1, size)
    pixels = np.frombuffer(image.pixels, np.uint8).reshape(image.height, image.width, 3)
    rows, columns = np.nonzero(pixels.min(axis=2) < 128)
    return (
        columns.min() / image.width,
        rows.min() / image.height,
        columns.max() / image.width,
        rows.max() / image.height,
    )


def assert_lies_on_ink(line: Line, file: PdfFile) -> None:
    """The text layer and the rendering agree on where the page's only line is."""
    left, top, right, bottom = ink(file)
    box = line.polygon
    assert box.x0 == pytest.approx(left, abs=0.01)
    assert box.x1 == pytest.approx(right, abs=0.01)
    assert box.y0 - 0.01 <= top <= bottom <= box.y1 + 0.01
    assert (box.y1 - box.y0) < 3 * (bottom - top)


def test_words_lie_where_they_are_drawn() -> None:
    document = sheet()
    document.text(100, 200, "Rechnung 4711")
    file = opened(document)

    (line,) = layer(file).lines

    assert [word.text for word in line.words] == ["Rechnung", "4711"]
    assert_lies_on_ink(line, file)
    first, second = (word.polygon for word in line.words)
    assert first.x1 < second.x0


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_page_rotation_and_crop_box_apply_to_text_and_image_alike(rotation: int) -> None:
    document = sheet()
    document.text(100, 200, "Rechnung")
    # On a turned page, text that was drawn upright reads sideways: its box must still fit.
    file = changed(document, rotation=rotation, cropbox=(50, 400, 450, 800))

    page = file.page(1)
    image = file.image(1)

    assert (page.width, page.height) == (image.width, image.height)
    assert_lies_on_ink(layer(file).lines[0], file)


@pytest.mark.parametrize("rotation", [0, 90])
@pytest.mark.parametrize("size", [(400, 500), (500, 400), (1240, 1736)])
def test_a_page_is_drawn_in_as_many_pixels_as_are_wanted(
    size: tuple[int, int], rotation: int
) -> None:
    document = sheet()
    document.text(100, 200, "Rechnung")
    file = changed(document, rotation=rotation)

    image = file.image(1, size)

    assert (image.width, image.height) == size
    assert ink(file, size) == pytest.approx(ink(file), abs=0.01)


def test_text_that_stands_upright_on_a_turned_page_forms_lines() -> None:
    document = sheet()
    for row, words in enumerate(("Datum 1.2.2024", "Summe 12,00")):
        with document.rotation(90, 300, 400):
            document.text(250, 380 + 20 * row, words)
    file = changed(document, rotation=90)

    assert texts(file) == ["Datum 1.2.2024", "Summe 12,00"]


def test_rows_come_from_the_top_whatever_the_order_in_the_file() -> None:
    document = sheet()
    document.text(100, 700, "Total 19,90")
    document.text(300, 100, "right")
    document.text(100, 100.8, "left")
    document.text(100, 300, "middle")

    assert texts(opened(document)) == ["left", "right", "middle", "Total 19,90"]


def test_columns_are_lines_of_their_own() -> None:
    document = sheet()
    document.text(100, 100, "Sold by")
    document.text(300, 100, "Ship to")
    document.text(100, 114, "Ann Smith")
    document.text(300, 114, "Bob Brown")

    assert texts(opened(document)) == ["Sold by", "Ship to", "Ann Smith", "Bob Brown"]


def test_cells_placed_close_together_are_lines_of_their_own_but_spaced_words_are_not() -> None:
    document = sheet()
    width = document.get_string_width("Price")
    document.text(100, 100, "Price")
    document.text(100 + width + 13, 100, "Sum")
    document.set_char_spacing(0)
    document.text(100, 200, "Page    1")

    assert texts(opened(document)) == ["Price", "Sum", "Page 1"]


def test_different_sizes_on_one_baseline_are_one_line() -> None:
    document = sheet()
    document.text(100, 100, "Total")
    document.set_font("Helvetica", size=14)
    document.text(100 + 26, 100, "99,00")

    assert texts(opened(document)) == ["Total 99,00"]


def test_words_off_the_page_are_not_seen() -> None:
    document = sheet()
    document.text(100, 100, "seen")
    document.text(700, 100, "right")
    document.text(100, 900, "below")
    document.text(-200, 100, "left")

    assert texts(opened(document)) == ["seen"]


def test_a_word_drawn_twice_counts_once() -> None:
    document = sheet()
    document.text(100, 100, "Rechnung")
    document.text(200, 300, "other")
    document.text(100.3, 100, "Rechnung")

    assert texts(opened(document)) == ["Rechnung", "other"]


def test_sideways_text_is_a_line_of_its_own_after_the_upright_ones() -> None:
    document = sheet()
    with document.rotation(90, 60, 400):
        document.text(60, 400, "Form 7 sideways")
    document.text(100, 390, "upright")

    assert texts(opened(document)) == ["upright", "Form 7 sideways"]


def test_share_of_invisible_text() -> None:
    document = sheet()
    document.text(100, 100, "seen")
    with document.local_context(text_mode=TextMode.INVISIBLE):
        document.text(100, 200, "hidden by OCR")

    found = layer(opened(document))

    assert found.hidden_share == pytest.approx(11 / 15)
    assert found.unmapped_share == 0.0
    assert found.image_share == 0.0


def picture(width: int, height: int) -> Image.Image:
    return Image.linear_gradient("L").resize((width, height))


def test_share_under_the_largest_image_and_its_resolution() -> None:
    document = sheet()
    document.image(picture(300, 300), 0, 0, document.w, document.h / 4)
    document.text(100, 700, "text")

    found = layer(opened(document))

    assert found.image_share == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize(("pixels", "dpi"), [(1240, 150), (620, 140), (4960, 300)])
def test_a_scan_is_rendered_at_its_own_resolution(pixels: int, dpi: int) -> None:
    """595 points are 8.27 inches; below 140 and above 300 dpi the limits hold."""
    document = sheet()
    document.image(picture(pixels, round(pixels * 2**0.5)), 0, 0, document.w, document.h)

    page = opened(document, LoadingLimits(max_image_side_px=5000)).page(1)

    assert page.width == pytest.approx(document.w / 72 * dpi, rel=0.01)
    assert page.text_layer is None


def test_a_scan_on_a_page_of_a_point_per_pixel_is_not_blown_up() -> None:
    document = FPDF(unit="pt", format=(2480, 3508))
    document.add_page()
    document.image(picture(2480, 3508), 0, 0, document.w, document.h)

    page = opened(document).page(1)

    assert (page.width, page.height) == (2480, 3508)


def test_a_drawn_page_is_rendered_at_the_default_resolution() -> None:
    page = opened(sheet()).page(1)

    assert (page.width, page.height) == (1654, 2339)


def test_a_poster_is_rendered_within_the_largest_side() -> None:
    document = FPDF(unit="pt", format=(7200, 3600))
    document.add_page()
    file = opened(document)

    image = file.image(1)

    assert LIMITS.max_image_side_px - 1 <= image.width <= LIMITS.max_image_side_px
    assert image.height == round(image.width / 2)
    assert (file.page(1).width, file.page(1).height) == (image.width, image.height)


def annotated_pdf(kind: bytes, catalog: bytes) -> bytes:
    """A page with two annotations of a kind: one shows its appearance, one is hidden."""
    annotation = b"<< /Type /Annot %s /F %d /Rect [100 %d 300 %d] /P 3 0 R /AP << /N %d 0 R >> >>"
    appearance = (
        b"<< /Type /XObject /Subtype /Form /BBox [0 0 200 20] /Resources << /Font << /F"
        b" << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> /Length %d >>\n"
        b"stream\n%s\nendstream"
    )
    shown, hidden = b"BT /F 10 Tf 2 5 Td (4711) Tj ET", b"BT /F 10 Tf 2 5 Td (secret) Tj ET"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R %s >>" % catalog,
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Annots [4 0 R 6 0 R] >>",
        annotation % (kind, 4, 700, 720, 5),
        appearance % (len(shown), shown),
        annotation % (kind, 2, 500, 520, 7),
        appearance % (len(hidden), hidden),
    ]
    body = b"".join(b"%d 0 obj\n%s\nendobj\n" % pair for pair in enumerate(objects, start=1))
    # pdfium rebuilds a missing cross-reference table.
    return b"%PDF-1.7\n" + body + b"trailer\n<< /Root 1 0 R >>\n%%EOF\n"


@pytest.mark.parametrize(
    ("kind", "catalog"),
    [
        (b"/Subtype /Widget /FT /Tx /T (f) /V (x)", b"/AcroForm << /Fields [4 0 R 6 0 R] >>"),
        (b"/Subtype /FreeText /DA (/F 10 Tf) /Contents (x)", b""),
        (b"/Subtype /Stamp", b""),
    ],
)
def test_visible_fields_and_remarks_are_text_and_ink(kind: bytes, catalog: bytes) -> None:
    file = PdfFile(annotated_pdf(kind, catalog), LIMITS)

    for _ in range(2):
        (line,) = layer(file).lines
        assert line.text == "4711"
        assert_lies_on_ink(line, file)


def test_pages_can_be_asked_for_in_any_order() -> None:
    document = FPDF(unit="pt")
    for number in (1, 2, 3):
        document.add_page()
        document.set_font("Helvetica", size=10)
        document.text(100, 100, f"page {number}")
    file = opened(document)

    found: list[SourcePage] = [file.page(number) for number in (3, 1, 2)]

    assert [page.number for page in found] == [3, 1, 2]
    assert [page.text_layer.lines[0].text for page in found if page.text_layer] == [
        "page 3",
        "page 1",
        "page 2",
    ]
    drawn = [file.image(number) for number in (2, 2, 1, 3, 1)]
    assert drawn == [opened(document).image(number) for number in (2, 2, 1, 3, 1)]
    assert len({image.pixels.hex() for image in drawn}) == 3
