"""Synthetic documents: reproducible, exact in their sums, and saying only what they print."""

import json
import pickle
import random
import sys
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import pypdfium2 as pdfium
import pytest
from PIL import Image
from stdnum import iban as iban_number

from lib.evaluation.evaluate import field_types
from lib.evaluation.truth import read_truth
from lib.pipelines.tasks import load_tasks

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "scripts"))

import make_synthetic  # noqa: E402 - the path comes first
from synthetic import bill, identifiers, render, styles  # noqa: E402
from synthetic.documents import compose, file_bytes  # noqa: E402
from synthetic.fonts import FOLDER, Fonts  # noqa: E402
from synthetic.places import load_countries  # noqa: E402

COUNTRIES = load_countries()
SPLIT_TABLES = (
    styles.LETTERHEADS,
    styles.PAIRS,
    styles.COLUMNS,
    styles.RULING,
    styles.CODES,
    styles.SUMS,
)
LANGUAGES = {"de", "en", "es", "fr", "id", "it", "ms", "nl", "pl", "pt", "ru"}
fonts_needed = pytest.mark.skipif(
    not (FOLDER / "dejavu/DejaVuSansMono.ttf").is_file(), reason="needs fonts-dejavu"
)


@pytest.fixture(scope="module")
def fonts():
    return Fonts()


@pytest.fixture(scope="module")
def made(fonts):
    return [
        compose(index, kind, 5, list(COUNTRIES.values()), fonts)
        for index in range(22)
        for kind in make_synthetic.KINDS
    ]


def test_languages_have_the_same_labels():
    assert {country.language for country in COUNTRIES.values()} == LANGUAGES
    english = COUNTRIES["GB"].words
    for country in COUNTRIES.values():
        assert country.words.keys() == english.keys()
        for part in ("invoice", "receipt", "parts", "shops"):
            assert country.words[part].keys() == english[part].keys(), country.code


@pytest.mark.parametrize("code", sorted(COUNTRIES))
def test_check_digits_hold(code):
    chance = random.Random(3)
    number = identifiers.tax_id(code, chance)
    if code in identifiers.TAX_IDS:
        module = __import__(identifiers.TAX_IDS[code][0], fromlist=["is_valid"])
        assert module.is_valid(number)
        assert module.is_valid(identifiers.as_printed(code, number, chance))
    account = identifiers.iban(code, chance)
    assert (account is None) == (code not in identifiers.IBAN_BODIES)
    assert account is None or iban_number.is_valid(account)


@pytest.mark.parametrize("maker", [bill.invoice, bill.receipt])
@pytest.mark.parametrize("code", sorted(COUNTRIES))
def test_sums_are_exact(code, maker):
    country = COUNTRIES[code]
    for seed in range(3):
        one = maker(country, random.Random(seed), random.Random(seed + 100))
        assert sum(item.amount for item in one.items) == one.lines_total
        for item in one.items:
            full = country.round(item.quantity * item.unit_price)
            sign = -1 if one.total < 0 else 1
            assert item.amount == full - sign * item.discount
        for tax in one.taxes:
            assert abs(tax.base * tax.rate / 100 - tax.amount) <= country.round(
                Decimal(1)
            ) / 100 or (country.facts["digits"] == 0)
        added = Decimal() if one.inclusive else one.tax_total
        charges = one.shipping + one.service + one.tip + one.rounding - one.discount
        assert one.lines_total + charges + added == one.total
        assert one.change is None or one.change >= 0


def test_held_out_layouts_and_labels_are_none_of_the_others():
    for table in SPLIT_TABLES:
        assert not set(table[styles.DEVELOPMENT]) & set(table[styles.HELD_OUT])
    for country in COUNTRIES.values():
        for texts in country.words["invoice"].values():
            seen = set(styles.labels_of(styles.DEVELOPMENT, texts))
            held = set(styles.labels_of(styles.HELD_OUT, texts))
            assert not seen & held or seen == set(texts) or held == set(texts)


@pytest.mark.parametrize("seed", range(40))
def test_a_credit_note_with_minus_signs_keeps_its_sums(seed):
    plain = bill.invoice(COUNTRIES["DE"], random.Random(seed), random.Random(seed))
    turned = bill.negated(plain)
    assert turned.total == -plain.total == turned.subtotal + turned.tax_total
    for item in turned.items:
        full = COUNTRIES["DE"].round(item.quantity * item.unit_price)
        assert item.amount == full + item.discount


@fonts_needed
@pytest.mark.parametrize("split", styles.SPLITS)
def test_lines_of_an_invoice_are_printed(fonts, split):
    for index in range(22):
        document = compose(index, "invoice", 3, list(COUNTRIES.values()), fonts, split)
        text = " ".join(word.text for page in render.pages(document.sheets) for word in page.words)
        kept = "".join(letter for letter in text if letter.isalnum())
        for row in document.truth.rows:
            for cell in ("product_code", "position"):
                wanted = "".join(letter for letter in row.get(cell, "") if letter.isalnum())
                assert wanted in kept, (document.id, cell)


@fonts_needed
def test_same_seed_same_bytes(fonts, made):
    countries = list(COUNTRIES.values())
    again = compose(0, "receipt", 5, countries, fonts)
    other = compose(0, "receipt", 6, countries, fonts)
    assert file_bytes(again, "pdf") == file_bytes(made[0], "pdf")
    assert again.truth.fields == made[0].truth.fields != other.truth.fields


@fonts_needed
def test_truth_is_printed(made):
    for document in made:
        text = "".join(page.text for page in render.pages(document.sheets))
        kept = "".join(letter for letter in text.upper() if letter.isalnum())
        for name in ("vendor_name", "document_number", "iban", "vendor_tax_id", "vendor_phone"):
            value = document.truth.fields.get(name, "")
            wanted = "".join(letter for letter in value.upper() if letter.isalnum())
            assert wanted in kept, (document.id, name)
        assert document.truth.rows, document.id


@fonts_needed
def test_words_stay_on_their_page(made):
    for document in made:
        for sheet, page in zip(document.sheets, render.pages(document.sheets), strict=True):
            drawn = sum(len(mark.text.split()) for mark in sheet.marks if hasattr(mark, "text"))
            assert len(page.words) == drawn, document.id


@fonts_needed
def test_pdf_holds_the_words_of_the_pages_form(made):
    document = made[1]
    opened = pdfium.PdfDocument(file_bytes(document, "pdf"))
    text = " ".join(page.get_textpage().get_text_range() for page in opened)
    words = [word.text for page in render.pages(document.sheets) for word in page.words]
    assert sorted(text.split()) == sorted(words)


@fonts_needed
def test_written_set_is_ground_truth_for_both_tasks(tmp_path, fonts):
    documents = make_synthetic.documents(22, 1, make_synthetic.KINDS, None, fonts)
    assert make_synthetic.make(documents, "pages", tmp_path) == 22
    tasks = load_tasks(ROOT / "configs/tasks")
    types = field_types(tuple(tasks.values()))
    truth = read_truth((tmp_path / "truth.jsonl").read_text("utf-8").splitlines(), types)
    assert {document.id.split("_")[1] for document in truth} == LANGUAGES
    pages = pickle.loads((tmp_path / "pages.pkl").read_bytes())
    assert pages.keys() == {document.id for document in truth}
    for document in truth:
        task = tasks[
            "receipt_fields_v1" if document.id.startswith("receipt") else "invoice_fields_v1"
        ]
        assert all(task.field(name) for name in document.fields), document.id


@fonts_needed
def test_photo_and_scan_are_pictures(made):
    receipt = made[2]
    photo = Image.open(BytesIO(file_bytes(receipt, "photo")))
    assert photo.format == "JPEG"
    assert min(photo.size) > 300
    scanned = pdfium.PdfDocument(file_bytes(receipt, "scan"))
    assert scanned[0].get_textpage().get_text_range() == ""


def test_missing_fonts_are_named(tmp_path):
    with pytest.raises(SystemExit, match="fonts-dejavu"):
        Fonts(tmp_path)


@fonts_needed
def test_language_without_data_is_refused(fonts):
    with pytest.raises(SystemExit, match="xx"):
        list(make_synthetic.documents(1, 1, ("receipt",), {"xx"}, fonts))


@fonts_needed
def test_absent_fields_are_null(made):
    line = json.loads(made[0].truth.line("a", "a.pdf", "receipt"))
    assert "tip" in line["fields"]
    assert all(isinstance(row["amount"], str) for row in line["line_items"])
