"""What explains a receipt's items: multiplications on rows of their own, and article codes."""

from datetime import date

import pytest
from printed_receipts import printed

from lib.domain.extraction import Hints
from lib.kie.layout import lay_out
from lib.kie.lexicon import load_lexicon
from lib.kie.mentions import Mentions
from lib.kie.receipts.fields import find_receipt_fields


def items(text, language="en"):
    mentions = Mentions(lay_out([printed(text)]), load_lexicon(), language)
    rows = find_receipt_fields(mentions, Hints(received_on=date(2026, 12, 1))).tables["line_items"]
    return [{name: cell.raw for name, cell in row.items()} for row in rows]


def column(rows, name):
    return [row.get(name) for row in rows]


@pytest.mark.parametrize("line", ["2 x 3.50", "2 * 3.50", "2 @ 3.50", "2 PCS 3.50", "2 EA x $3.50"])
def test_a_multiplication_explains_the_item_below(line):
    rows = items(f"""
  Notebook A5                    4.20
  {line}
  Orange juice                   7.00
  Toothpaste                     1.35
  TOTAL                         12.55
""")
    assert column(rows, "description") == ["Notebook A5", "Orange juice", "Toothpaste"]
    assert column(rows, "quantity") == [None, "2", None]
    assert column(rows, "unit_price")[1].strip("$") == "3.50"
    assert column(rows, "amount") == ["4.20", "7.00", "1.35"]


def test_where_both_neighbours_fit_the_side_of_the_others_decides():
    rows = items("""
  Bread                          1.80
  2 x 3.50
  Orange juice                   7.00
  2 x 3.00
  Tomatoes                       6.00
  3 x 2.00
  Notebook                       6.00
  TOTAL                         20.80
""")
    assert column(rows, "quantity") == [None, "2", "2", "3"]


def test_weights_below_and_counts_above_on_one_receipt():
    rows = items("""
  Cheddar mature                 7.39
    1.379 kg x 5.36/kg
  3 x 12.33
  Milk semi skimmed             36.99
  Bananas                        2.15
    0.363 kg x 5.91/kg
  TOTAL                         46.53
""")
    assert column(rows, "quantity") == ["1.379", "3", "0.363"]
    assert column(rows, "unit_price") == ["5.36", "12.33", "5.91"]


def test_a_multiplication_that_explains_no_neighbour_is_not_used():
    rows = items("""
  Bread                          1.80
  2 x 3.50
  Orange juice                   7.95
  TOTAL                          9.75
""")
    assert not {"2", "3.50"} & {row.get(n) for row in rows for n in ("quantity", "unit_price")}


def test_codes_below_the_items():
    rows = items("""
  Soap                           6.58
    55861
  Eggs
  3 * 5.51                      16.53
    4058123
  Bananas                        2.00
    K-49896
  TOTAL                         25.11
""")
    assert column(rows, "product_code") == ["55861", "4058123", "K-49896"]
    assert column(rows, "description") == ["Soap", "Eggs", "Bananas"]


def test_codes_above_the_items():
    rows = items("""
  ITEM             QTY          AMOUNT
  9556001234567
  Soap                           6.58
  9556001234574
  Eggs                          16.53
  TOTAL                         23.11
""")
    assert column(rows, "product_code") == ["9556001234567", "9556001234574"]


def test_a_number_under_one_of_many_items_is_no_code():
    rows = items("""
  Soap                           6.58
  20511
  Eggs                          16.53
  Bread                          1.10
  TOTAL                         24.21
""")
    assert column(rows, "product_code") == [None, None, None]


def test_codes_with_letters_and_counts_before_the_description():
    rows = items("""
  1X A-52184 Soap                6.30
  2X 4086137 Notebook A5        16.44
  3 78327 Chicken skewers       25.95
  TOTAL                         48.69
""")
    assert column(rows, "quantity") == ["1", "2", "3"]
    assert column(rows, "product_code") == ["A-52184", "4086137", "78327"]
    assert column(rows, "description") == ["Soap", "Notebook A5", "Chicken skewers"]


def test_short_tokens_are_codes_where_most_items_begin_so():
    most = items("""
  S115 Soap                      6.30
  K220 Notebook                 16.44
  S317 Eggs                     25.95
  TOTAL                         48.69
""")
    one = items("""
  S115 Soap                      6.30
  Notebook                      16.44
  Eggs                          25.95
  TOTAL                         48.69
""")
    assert column(most, "product_code") == ["S115", "K220", "S317"]
    assert column(one, "product_code") == [None, None, None]
    assert one[0]["description"] == "S115 Soap"


def test_one_times_its_price_below_a_name_is_an_item():
    rows = items("""
  Soda                           2.00
  Iced tea
  1 x 7.00
  Orange juice                   7.00
  TOTAL                         16.00
""")
    assert column(rows, "description") == ["Soda", "Iced tea", "Orange juice"]
    assert column(rows, "amount") == ["2.00", "7.00", "7.00"]


def test_measures_and_a_second_code_stay_in_the_description():
    rows = items("""
  350ML Lemonade                 2.49
  KR600 Safety shoes  813086000911  103.77
  TOTAL                        106.26
""")
    assert column(rows, "description")[0] == "350ML Lemonade"
    assert column(rows, "product_code") == [None, "813086000911"]


def test_a_quantity_behind_the_name_is_no_part_of_it():
    rows = items("""
  Soap 2 x 3.50                  7.00
  Eggs 3 PCS 1.20                3.60
  Socks size 42 3 @ 2.00         6.00
  Tea (2) 1.50                   3.00
  Shirt size 9                  19.95
  TOTAL                         39.55
""")
    assert column(rows, "description") == ["Soap", "Eggs", "Socks size 42", "Tea", "Shirt size 9"]
    assert column(rows, "quantity") == ["2", "3", "3", "(2)", None]


def test_a_count_under_its_heading_beside_a_name_whose_price_is_below():
    rows = items("""
  Qty  Item             Amount
  1    Tomatoes on the vine
                          5.28
  3    Basmati rice
                         26.52
  TOTAL                  31.80
""")
    assert column(rows, "quantity") == ["1", "3"]


def test_a_counted_item_is_no_multiplication_of_its_neighbour():
    rows = items("""
  3  Banane              1,55
  4  Quaderno            4,65
  2  Box                 7,00
  1  Latte              14,00
  TOTALE                27,20
""")
    assert column(rows, "amount") == ["1,55", "4,65", "7,00", "14,00"]
