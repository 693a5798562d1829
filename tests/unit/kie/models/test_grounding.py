"""What a model said is found by value and kind, or it is no answer."""

from pathlib import Path

import pytest
from scripted_inference import CONFIGS

from lib.domain.document import Line, Page, PageSource, Word
from lib.domain.extraction import Candidate, RawExtraction, Source
from lib.domain.geometry import Polygon
from lib.domain.task import DocumentType, FieldType
from lib.kie.models.grounded import DOUBTED, ground
from lib.kie.models.grounding import best_place, places_of, reading_of
from lib.kie.models.printed import Printed
from lib.kie.models.said import ModelAnswer, Said
from lib.pipelines.tasks import load_tasks

RECEIPT = load_tasks(Path(CONFIGS) / "tasks")["receipt_fields_v1"]
ROWS = (
    "C0RNER SHOP & SONS",
    "12 High  Street",
    "Leeds LS1 4DY",
    "Tel. 0113 496-0000",
    "VAT GB 999 9999 73",
    "Receipt No: INV-O012",
    "17.03.2026 18:45:10",
    "Green tea  2  2,50  5,00",
    "Lemon cake  1  14,90  14,90",
    "Total EUR 19,90",
    "Card 19,90",
    "VAT 20 %  3,32",
)


def page(*rows: str, number: int = 1) -> Page:
    """Each row on a line of its own; two spaces part cells into lines side by side."""
    lines = []
    for index, row in enumerate(rows):
        y, x = 0.05 + 0.04 * index, 0.05
        for cell in row.split("  "):
            words = []
            for text in cell.split():
                width = 0.015 * len(text)
                words.append(Word(text, Polygon.from_box(x, y, x + width, y + 0.02), 0.97))
                x += width + 0.01
            lines.append(Line(tuple(words)))
            x += 0.08
    return Page(number, 1000, 1400, 0, PageSource.OCR, tuple(lines))


PRINTED = Printed([page(*ROWS)], "en")


def rules(**fields: Candidate) -> RawExtraction:
    found = {name: (candidate,) for name, candidate in fields.items()}
    return RawExtraction(DocumentType.RECEIPT, 0.9, found, {}, language="en")


@pytest.mark.parametrize(
    ("kind", "said", "raw"),
    [
        (FieldType.MONEY, "19.90", "EUR 19,90"),
        (FieldType.MONEY, "EUR 19,90", "EUR 19,90"),
        (FieldType.MONEY, "-5.00", "5,00"),
        (FieldType.PERCENT, "20", "20 %"),
        (FieldType.DATE, "2026-03-17", "17.03.2026"),
        (FieldType.DATE, "17 March 2026", "17.03.2026"),
        (FieldType.TIME, "18:45", "18:45:10"),
        (FieldType.CURRENCY, "EUR", "EUR"),
        (FieldType.PHONE, "+(0113) 4960000", "0113 496-0000"),
        (FieldType.TAX_ID, "GB999999973", "GB 999 9999 73"),
        (FieldType.IDENTIFIER, "INV-0012", "INV-O012"),
        (FieldType.NAME, "Corner Shop & Sons", "C0RNER SHOP & SONS"),
        (FieldType.NAME, "CornerShop & Sons", "C0RNER SHOP & SONS"),
        (FieldType.ADDRESS, "12 High Street, Leeds LS1 4DY", "12 High Street Leeds LS1 4DY"),
        (FieldType.STRING, "Lemon cake", "Lemon cake"),
    ],
)
def test_a_printed_value_is_found_where_it_is_printed(kind: FieldType, said: str, raw: str) -> None:
    places = places_of(PRINTED, kind, said)
    assert raw in [place.raw for place in places]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (FieldType.MONEY, "19.91"),
        (FieldType.MONEY, "nineteen"),
        (FieldType.PERCENT, "21"),
        (FieldType.DATE, "2026-03-18"),
        (FieldType.DATE, "soon"),
        (FieldType.TIME, "18:46"),
        (FieldType.CURRENCY, "USD"),
        (FieldType.PHONE, "0113 496-0001"),
        (FieldType.PHONE, "0113"),
        (FieldType.TAX_ID, "GB999999974"),
        (FieldType.IDENTIFIER, "INV-0013"),
        (FieldType.IDENTIFIER, "17"),
        (FieldType.IDENTIFIER, "V-O012X"),
        (FieldType.NAME, "The Corner Hotel"),
        (FieldType.ADDRESS, "14 High Street, Leeds LS1 4DY"),
        (FieldType.STRING, "Scones"),
        (FieldType.STRING, "..."),
    ],
)
def test_a_value_that_is_not_printed_is_not_found(kind: FieldType, said: str) -> None:
    assert places_of(PRINTED, kind, said) == ()


def test_an_identifier_is_not_cut_out_of_a_longer_number() -> None:
    printed = Printed([page("Order 9784711 of 4711")], None)
    (place,) = places_of(printed, FieldType.IDENTIFIER, "4711")
    assert place.words[0].text == "4711"


def test_of_equal_amounts_the_one_that_the_rules_looked_at_is_meant() -> None:
    places = places_of(PRINTED, FieldType.MONEY, "19.90")
    assert len(places) == 2
    total, card = sorted(places, key=lambda place: place.middle)
    assert best_place(places, FieldType.MONEY) == card
    assert best_place(places, FieldType.MONEY, total.words) == total


def test_the_model_is_believed_on_letters_and_the_page_on_case_and_numbers() -> None:
    def read(kind: FieldType, said: str) -> str:
        return reading_of(places_of(PRINTED, kind, said)[0], kind, said)

    assert read(FieldType.NAME, "Corner Shop & Sons") == "Corner Shop & Sons"  # 0 was read for O
    assert read(FieldType.STRING, "LEMON CAKE") == ""
    assert read(FieldType.MONEY, "19.90") == ""
    assert read(FieldType.IDENTIFIER, "INV-0012") == "INV-0012"
    assert read(FieldType.ADDRESS, "12 High Street, Leeds LS1 4DY").startswith("12 High Street, L")


def test_a_value_that_is_not_on_the_page_becomes_a_doubt() -> None:
    answer = ModelAnswer({"total": (Said("20.00", 0.99),), "issue_time": (Said("18:45", 0.9),)}, {})
    found = ground(answer, RECEIPT.fields, [page(*ROWS)], rules())
    assert "total" not in found.fields
    (doubt,) = found.doubts["total"]
    assert (doubt.raw, doubt.score, doubt.words) == ("20.00", DOUBTED, ())
    (time,) = found.fields["issue_time"]
    assert (time.source, time.page, time.raw) == (Source.MODEL, 1, "18:45:10")


def test_agreement_with_the_rules_is_worth_more_than_the_models_own_word() -> None:
    printed = page(*ROWS)
    total = next(line for line in printed.lines if "Total" in line.text)
    same = Candidate("19,90", 0.9, Source.OCR, 1, total.words)
    other = Candidate("14,90", 0.9, Source.OCR, 1, (printed.lines[0].words[0],))

    def score(said: float, **found: Candidate) -> float:
        answer = ModelAnswer({"total": (Said("19.90", said),)}, {})
        return ground(answer, RECEIPT.fields, [printed], rules(**found)).fields["total"][0].score

    assert score(0.7, total=same) > score(0.98) > score(0.7) > score(0.98, total=other)


def test_rows_are_found_side_by_side_and_invented_cells_are_lost() -> None:
    said = (
        {"description": Said("Green tea", 0.8), "amount": Said("5.00", 0.8)},
        {"description": Said("Lemon cake", 0.8), "amount": Said("14.90", 0.8)},
        {"description": Said("Scones", 0.8), "amount": Said("4.20", 0.8)},
        {"description": Said("Total", 0.8), "amount": Said("5.00", 0.8)},
    )
    answer = ModelAnswer({}, {"line_items": said})
    found = ground(answer, RECEIPT.fields, [page(*ROWS)], rules())
    first, second, third = found.tables["line_items"]
    assert (first["description"].raw, first["amount"].raw) == ("Green tea", "5,00")
    assert (second["description"].raw, second["amount"].raw) == ("Lemon cake", "14,90")
    assert set(third) == {"description"}, "an amount from another row is not beside it"
    assert found.lost == {"line_items": 3}


def test_two_rows_that_say_the_same_are_two_printed_rows() -> None:
    said = tuple({"description": Said("Tea", 0.8), "amount": Said("2.50", 0.8)} for _ in range(2))
    printed = page("Tea  2,50", "Cake  4,00", "Tea  2,50")
    answer = ModelAnswer({}, {"line_items": said})
    rows = ground(answer, RECEIPT.fields, [printed], rules()).tables["line_items"]
    places = [row["amount"].words[0].polygon.y0 for row in rows]
    assert places[0] < places[1]


@pytest.mark.parametrize(
    ("said", "line", "raw"),
    [
        ("£", "Total £ 12.00", "£"),
        ("GBP", "Total £ 12.00", "£"),
        ("$", "Total USD 12.00", "USD"),
        ("€", "Total £ 12.00", None),
        ("total", "Total £ 12.00", None),
    ],
)
def test_a_currency_is_said_by_its_sign_or_its_code(said: str, line: str, raw: str | None) -> None:
    places = places_of(Printed([page(line)], "en"), FieldType.CURRENCY, said)
    assert [place.raw for place in places] == ([raw] if raw else [])
