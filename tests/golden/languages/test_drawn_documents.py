"""The drawn documents are sound: their truths are printed on them and their arithmetic is right."""

from decimal import Decimal

import pytest
from drawn_documents import draw, load_documents

CENT = Decimal("0.01")
DOCUMENTS = {document.id: document for document in load_documents()}
LANGUAGES = {"en", "de", "fr", "es", "it", "nl", "pt", "pl", "ms", "id", "ru", "sv"}


def money(document, name):
    value = document.fields.get(name)
    if isinstance(value, list):
        value = value[-1]
    return None if value is None else Decimal(value)


def letters(text):
    return "".join(letter for letter in text.upper() if letter.isalnum())


def test_every_language_has_a_receipt_and_an_invoice():
    kinds = {(document.language, document.document_type) for document in DOCUMENTS.values()}
    assert {(language, "receipt") for language in LANGUAGES} <= kinds
    assert {(language, "invoice") for language in LANGUAGES} <= kinds


def test_two_spaces_end_a_line_and_columns_keep_their_place():
    page = draw("AB CD  12\n       34")
    assert [line.text for line in page.lines] == ["AB CD", "12", "34"]
    ab, twelve, thirty_four = page.lines
    assert twelve.polygon.x0 == thirty_four.polygon.x0
    assert ab.polygon.x1 < twelve.polygon.x0
    assert twelve.polygon.y1 < thirty_four.polygon.y0


@pytest.mark.parametrize("name", DOCUMENTS)
def test_texts_of_the_truth_are_printed(name):
    document = DOCUMENTS[name]
    printed = letters(document.page.text)
    texts = [
        text
        for field, value in document.fields.items()
        if field.endswith(("_name", "_id", "_number", "_phone", "_email", "order", "iban", "bic"))
        for text in (value if isinstance(value, list) else [value])[:1]
    ]
    texts += [row[key] for row in document.tables["line_items"] for key in row if key == "unit"]
    missing = [text for text in texts if not _shown(letters(text), printed)]
    assert missing == []


def _shown(text, printed):
    """As printed, or after the country's letters of a tax number."""
    return text in printed or (text[:2].isalpha() and text[2:] in printed)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_sums_are_right(name):
    document = DOCUMENTS[name]
    lines = sum((Decimal(row["amount"]) for row in document.tables["line_items"]), Decimal(0))
    charges = ("service_charge", "tip", "rounding", "shipping")
    extras = document.other_charges + sum(money(document, name) or 0 for name in charges)
    discount = money(document, "discount_total") or 0
    before = lines - discount + extras
    tax = money(document, "tax_total") or 0
    total = money(document, "total")
    tip = money(document, "tip") or 0  # added to the total or below it
    assert {total, total + tip} & {before, before + tax}, (
        "lines, discounts and taxes do not give the total"
    )
    taxes = document.tables.get("tax_lines")
    if taxes:
        assert sum(Decimal(row["amount"]) for row in taxes) == tax
    for row in taxes or ():
        if "base" in row:
            wanted = Decimal(row["base"]) * Decimal(row["rate"]) / 100
            assert abs(wanted - Decimal(row["amount"])) <= CENT
    paid = money(document, "amount_paid")
    if paid is not None:
        assert total - paid == money(document, "amount_due")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_quantities_times_prices_are_the_amounts(name):
    for row in DOCUMENTS[name].tables["line_items"]:
        if "quantity" in row and "unit_price" in row:
            product = Decimal(row["quantity"]) * Decimal(row["unit_price"])
            less = Decimal(row.get("discount", 0))
            assert abs(product - less - Decimal(row["amount"])) <= CENT / 2
