"""Sums one below the other: found by their arithmetic, whatever became of their labels."""

from datetime import date
from decimal import Decimal

import pytest
from printed_receipts import printed

from lib.domain.extraction import Hints
from lib.kie.layout import lay_out
from lib.kie.lexicon import load_lexicon
from lib.kie.mentions import Mentions
from lib.kie.receipts.amounts import labelled_amounts
from lib.kie.receipts.fields import find_receipt_fields
from lib.kie.receipts.ladder import find_ladders, ladders_to


def mentions_of(slip: str) -> Mentions:
    return Mentions(lay_out([printed(slip)]), load_lexicon(), "en")


def ladders(slip: str) -> list[tuple[str, list[str], str]]:
    mentions = mentions_of(slip)
    return [
        (
            str(found.first.mention.value),
            [f"{sign * step.mention.value}" for sign, step in found.steps],
            str(found.last.mention.value),
        )
        for found in find_ladders(mentions, labelled_amounts(mentions))
    ]


def answers(slip: str) -> dict[str, str]:
    found = find_receipt_fields(mentions_of(slip), Hints(received_on=date(2026, 1, 31))).fields
    names = ("subtotal", "tax_total", "service_charge", "total")
    return {name: found[name][0].raw for name in names if name in found}


@pytest.mark.parametrize(
    ("slip", "found"),
    [
        (
            "Soup  8.00\nSubtotal  36.50\nSvc Chg 10%  3.65\nGST 7%  2.81\nTotal  42.96",
            [("36.50", ["3.65", "2.81"], "42.96")],
        ),
        # A discount is taken off, printed with a minus or without.
        ("Subtotal  48.95\nDiscount  12.24\nTotal  36.71", [("48.95", ["-12.24"], "36.71")]),
        ("Subtotal  48.95\nDiscount  -12.24\nTotal  36.71", [("48.95", ["-12.24"], "36.71")]),
        # Rounded to a coin.
        ("Subtotal  66.30\nService  6.63\nTotal  72.95", [("66.30", ["6.63"], "72.95")]),
        # Two prices and their sum are none, nor is a difference that no coin explains.
        ("Tea  4.55\nCake  1.00\nSubtotal  5.55", []),
        ("Subtotal  66.30\nService  6.63\nTotal  72.99", []),
        # What is paid and given back adds up as well.
        ("Total  7.00\nCash  10.00\nChange  3.00", []),
        # Goods taken back are no tax.
        ("Total supplies 0%  12.72\nTotal supplies 6%  23.64\nTotal  36.36", []),
    ],
)
def test_ladders(slip: str, found: list[tuple[str, list[str], str]]) -> None:
    assert ladders(slip) == found


@pytest.mark.parametrize(
    ("slip", "expected"),
    [
        # Labels that nobody knows.
        (
            "Tea  20.00\nCake  3.86\nFOOD  23.86\nStaet & Loacl 8%  1.85\nTo pey  25.71",
            {"subtotal": "23.86", "tax_total": "1.85", "total": "25.71"},
        ),
        # Every label a row too low, as on curved paper.
        (
            "2 Breakfast  38.00\n  38.00\nFood  2.41\nTax  40.41\nTOTAL",
            {"subtotal": "38.00", "tax_total": "2.41", "total": "40.41"},
        ),
        (
            "Gyoza  20.00\nRamen  16.50\n  36.50\nSUBTOTAL  3.65\nSVC CHG  2.81\nGST  42.96\nTOTAL",
            {
                "subtotal": "36.50",
                "tax_total": "2.81",
                "service_charge": "3.65",
                "total": "42.96",
            },
        ),
        # Of two taxes neither is the whole.
        (
            "Tea  2,424.00\nSubtotal  2,424.00\nSGST  60.60\nCGST  60.60\nTotal  2,545.20",
            {"subtotal": "2,424.00", "total": "2,545.20"},
        ),
        # A plain amount over the total, or over a tip yet to be written.
        (
            "Product  Price\nTea  5.00\nAmount  5.00\nTotal (AED)  5.00",
            {"subtotal": "5.00", "total": "5.00"},
        ),
        ("CREDIT SALE\nAMOUNT  $17.00\nTIP\nTOTAL", {"subtotal": "$17.00", "total": "$17.00"}),
        ("CARD\nAMOUNT  $17.00\nAPPROVED", {"total": "$17.00"}),
        # A till's short marks.
        (
            "Tea  80.00\nRice  38.00\nST  118.00\nTL  118.00",
            {"subtotal": "118.00", "total": "118.00"},
        ),
        # A count in the subtotal's row.
        (
            "Tea  5.00\nCake  3.57\n7 Items  Subtotal  8.57\nTax  .78\nTotal  9.35",
            {"subtotal": "8.57", "tax_total": ".78", "total": "9.35"},
        ),
        # No total but what was paid.
        (
            "Tea  80.00\nSubtotal  80.00\nTax 5%  4.00\nCash  84.00",
            {"subtotal": "80.00", "tax_total": "4.00", "total": "84.00"},
        ),
    ],
)
def test_amounts_are_what_the_sum_makes_of_them(slip: str, expected: dict[str, str]) -> None:
    assert answers(slip) == expected


def test_a_rounding_is_followed_back_to_the_sum_before_it() -> None:
    slip = "Subtotal  55.10\nService  5.51\nTax  3.31\nTotal  63.92\nRounding  -0.02\nDue  63.90"
    mentions = mentions_of(slip)
    found = find_ladders(mentions, labelled_amounts(mentions))
    chain = ladders_to(found, Decimal("63.90"))
    assert [str(ladder.first.mention.value) for ladder in chain] == ["63.92", "55.10"]


def test_a_price_among_prices_is_no_tax():
    slip = "Trip fare  18.40\nBooking fee  1.00\nToll  2.50\nPromo  -3.00\nTotal  18.90"
    assert "tax_total" not in answers(slip)
