"""What a model said that is not on the page: never an answer, always a doubt."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

from hand_made import TASKS, candidate, page

from lib.domain.extraction import Candidate, Hints, RawExtraction, Reading, Source
from lib.domain.task import DocumentType
from lib.post.finish import finish

RECEIPT = TASKS["receipt_fields_v1"]
DOUBT = Candidate("20.00", 0.05, Source.MODEL)


def read(raw: RawExtraction) -> Reading:
    return finish(raw, RECEIPT, (page("Total 19.90"),), Hints(date(2026, 11, 21)))


def raw(**changes: object) -> RawExtraction:
    return replace(RawExtraction(DocumentType.RECEIPT, 0.9, {}, {}), **changes)  # type: ignore[arg-type]


def test_a_field_with_a_doubt_alone_has_no_value_but_an_alternative() -> None:
    reading = read(raw(doubts={"total": (DOUBT,)}))
    assert reading.result["total"] is None
    field = reading.fields["total"]
    assert (field.value, field.confidence, field.page, field.polygon) == (None, 0.0, None, None)
    (alternative,) = field.alternatives
    assert alternative.value == Decimal("20.00")
    assert alternative.confidence <= 0.05
    assert {"not_on_page:total", "missing:total"} <= set(reading.review_reasons)
    assert reading.needs_review


def test_a_doubt_beside_an_answer_is_one_of_its_alternatives() -> None:
    printed = candidate("19.90", 0.9)
    reading = read(raw(fields={"total": (printed,)}, doubts={"total": (DOUBT,)}))
    assert reading.result["total"] == Decimal("19.90")
    assert [other.value for other in reading.fields["total"].alternatives] == [Decimal("20.00")]
    assert "not_on_page:total" in reading.review_reasons


def test_a_doubt_that_says_what_is_answered_is_not_listed_again() -> None:
    printed = candidate("19.90", 0.9)
    same = replace(DOUBT, raw="19.9")
    reading = read(raw(fields={"total": (printed,)}, doubts={"total": (same,)}))
    assert reading.fields["total"].alternatives == ()


def test_a_doubt_that_is_no_value_of_its_type_leaves_no_field_but_a_reason() -> None:
    reading = read(raw(doubts={"issue_date": (replace(DOUBT, raw="soon"),)}))
    assert "issue_date" not in reading.fields
    assert "not_on_page:issue_date" in reading.review_reasons


def test_cells_that_are_not_in_their_rows_are_counted() -> None:
    reading = read(raw(lost_cells={"line_items": 3}))
    assert "not_on_page:line_items" in reading.review_reasons
    assert any("3 cells" in warning for warning in reading.warnings)


def test_no_error_rate_is_promised_for_what_a_model_answered() -> None:
    def reasons(source: Source) -> tuple[str, ...]:
        total = replace(candidate("19.90", 1.0), source=source)
        hints = Hints(date(2026, 11, 21), max_error_rate=0.5)
        return finish(
            raw(fields={"total": (total,)}), RECEIPT, (page("Total 19.90"),), hints
        ).review_reasons

    assert "low_confidence:total" not in reasons(Source.TEXT_LAYER)
    assert "low_confidence:total" in reasons(Source.MODEL)


def test_the_value_is_what_the_model_read_and_raw_what_is_printed() -> None:
    words = candidate("C0RNER SH0P", 0.9)
    read_by_model = replace(words, source=Source.MODEL, reading="Corner Shop")
    field = read(raw(fields={"vendor_name": (read_by_model,)})).fields["vendor_name"]
    assert (field.value, field.raw, field.source) == ("Corner Shop", "C0RNER SH0P", Source.MODEL)
