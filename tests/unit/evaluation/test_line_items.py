"""Line items: pairing, duplicates, missing and invented rows."""

from lib.domain.task import FieldType
from lib.evaluation.line_items import LineItemScore, score_line_items
from lib.evaluation.tally import Tally

TYPES = {
    "description": FieldType.STRING,
    "quantity": FieldType.NUMBER,
    "unit_price": FieldType.MONEY,
    "amount": FieldType.MONEY,
}


def row(description, amount, **more):
    return {"description": description, "amount": amount, **more}


def score(truth, answer):
    return score_line_items(truth, answer, TYPES)


def test_order_does_not_matter():
    found = score([row("Tea", "2.00"), row("Cake", "3.50")], [row("Cake", 3.5), row("Tea", 2)])
    assert found.rows.exact == Tally(2, 2, 2)
    assert found.columns["amount"].exact == Tally(2, 2, 2)


def test_a_row_answered_twice_is_right_once():
    found = score([row("Tea", "2.00")], [row("Tea", 2), row("Tea", 2)])
    assert found.rows.exact == Tally(1, 2, 1)
    assert found.columns["amount"].exact == Tally(1, 2, 1)
    assert found.columns["description"].exact == Tally(1, 2, 1)


def test_equal_rows_of_the_truth_each_need_their_own_answer():
    found = score([row("Tea", "2.00")] * 3, [row("Tea", 2)] * 2)
    assert found.rows.exact == Tally(3, 2, 2)
    assert found.rows.exact.f1 == 2 * 2 / 5


def test_pairing_is_optimal_where_taking_the_first_match_is_not():
    truth = [row("Tea", "2.00", quantity="1"), row("Tea", "2.00", quantity="2")]
    answer = [row("Tea", 2, quantity=2), row("Tea", 2, quantity=1)]
    assert score(truth, answer).rows.exact == Tally(2, 2, 2)


def test_among_equal_pairings_the_one_with_whole_rows_counts():
    truth = [row("Tea", "2.00"), row("Cake", "3.50")]
    answer = [row("Tea", 3.5), row("Tea", 2)]  # one whole row, or two halves: two cells either way
    found = score(truth, answer)
    assert found.rows.exact == Tally(2, 2, 1)
    assert found.columns["amount"].exact == Tally(2, 2, 2)


def test_amounts_right_with_descriptions_swapped():
    found = score(
        [row("Tea", "2.00", quantity="1"), row("Cake", "3.50", quantity="2")],
        [row("Cake", 2, quantity=1), row("Tea", 3.5, quantity=2)],
    )
    assert found.columns["amount"].exact == Tally(2, 2, 2)
    assert found.columns["description"].exact == Tally(2, 2, 0)
    assert found.rows.exact == Tally(2, 2, 0)


def test_descriptions_are_relaxed_in_one_column_and_exact_in_the_other():
    found = score([row("Tea, green", "2.00")], [row("tea green", 2)])
    assert found.columns["description"].exact == Tally(1, 1, 0)
    assert found.columns["description"].relaxed == Tally(1, 1, 1)
    assert found.rows.exact == Tally(1, 1, 0)
    assert found.rows.relaxed == Tally(1, 1, 1)


def test_cells_that_the_truth_does_not_judge_do_not_spoil_a_row():
    found = score([row("Tea", "2.00")], [row("Tea", 2, quantity=7, product_code="T1")])
    assert found.rows.exact == Tally(1, 1, 1)
    assert set(found.columns) == {"description", "amount"}


def test_nothing_found_and_nothing_there():
    assert score([row("Tea", "2.00")], []).rows.exact == Tally(1, 0, 0)
    assert score([row("Tea", "2.00")], []).columns["amount"].exact == Tally(1, 0, 0)
    assert score([], [row("Tea", 2)]).rows.exact == Tally(0, 1, 0)
    assert score([], []).rows.exact == Tally(0, 0, 0)


def test_a_null_cell_is_neither_judged_nor_predicted():
    found = score([row("Tea", None), row("Cake", "3.50")], [row("Tea", None), row(None, 3.5)])
    assert found.columns["amount"].exact == Tally(1, 1, 1)
    assert found.columns["description"].exact == Tally(2, 1, 1)
    assert found.rows.exact == Tally(2, 2, 1)


def test_a_merged_row_costs_one_true_row():
    truth = [row("Tea", "2.00"), row("Cake", "3.50")]
    assert score(truth, [row("Tea Cake", 3.5)]).columns["amount"].exact == Tally(2, 1, 1)


def test_documents_add_up_even_with_other_columns():
    one = score([row("Tea", "2.00")], [row("Tea", 2)])
    other = score([{"amount": "1.00", "quantity": "1"}], [])
    both = one + other + LineItemScore()
    assert both.rows.exact == Tally(2, 1, 1)
    assert both.columns["amount"].exact == Tally(2, 1, 1)
    assert both.columns["quantity"].exact == Tally(1, 0, 0)


def test_of_rows_that_agree_relaxed_the_exact_one_is_taken():
    truth = [row("Tea.", "2.00"), row("Tea", "2.00")]
    found = score(truth, [row("Tea", 2), row("Tea.", 2)])
    assert found.rows.exact == Tally(2, 2, 2)
