"""Values that follow from printed ones with certainty; everything else stays null."""

from __future__ import annotations

from decimal import Decimal

from lib.domain.extraction import Candidate, Source
from lib.post.arithmetic import unit
from lib.post.options import Option
from lib.post.settled import Settled
from lib.post.tax_rows import explains

_SCORE = 0.8  # below a good candidate's: arithmetic is certain, but every input was read


def derive(settled: Settled) -> dict[str, Option]:
    """Missing sums that two independent ways of computing from printed values agree on.

    One way alone is never enough: it would repeat a misread number as a new value. Not done for
    exact sources, where a value that is left out is left out on purpose.
    """
    if any(option.exact for option in settled.fields.values()):
        return {}
    found: dict[str, Decimal] = {}
    sign = (
        -1 if settled.amounts().get("total", Decimal(0)) < 0 else 1
    )  # a credit note may be signed
    for name, ways in (
        ("total", _totals(settled)),
        ("subtotal", _subtotals(settled)),
        ("tax_total", _taxes(settled)),
    ):
        wanted = settled.task.field(name) is not None and name not in settled.fields
        if wanted and len(ways) > 1 and max(ways) - min(ways) <= unit(ways) and ways[0] * sign > 0:
            found[name] = ways[0]
    return {name: _option(value) for name, value in found.items()}


def _option(value: Decimal) -> Option:
    return Option(value, Candidate(raw="", score=_SCORE, source=Source.DERIVED))


def _totals(settled: Settled) -> list[Decimal]:
    """Subtotal + tax; payments - change; tax bases + tax amounts."""
    values, totals = settled.amounts(), settled.totals
    ways: list[Decimal] = []
    if "subtotal" in values and values.get("tax_total"):
        ways.append(values["subtotal"] + values["tax_total"])
    if totals.payments is not None and "change" in values:
        ways.append(totals.payments - values["change"])
    if totals.tax_bases is not None and totals.tax_amounts is not None:
        ways.append(totals.tax_bases + totals.tax_amounts)
    return ways


def _subtotals(settled: Settled) -> list[Decimal]:
    """Total - tax; the sum of two lines or more; the sum of the tax bases."""
    values, totals = settled.amounts(), settled.totals
    ways: list[Decimal] = []
    if "total" in values and values.get("tax_total"):
        ways.append(values["total"] - values["tax_total"])
    if totals.lines is not None and totals.lines_complete and totals.line_count > 1:
        ways.append(totals.lines)
    if totals.tax_bases is not None:
        ways.append(totals.tax_bases)
    return ways


def _taxes(settled: Settled) -> list[Decimal]:
    """The sum of the tax lines, twice where they explain the total; else also total - subtotal."""
    values, totals = settled.amounts(), settled.totals
    ways: list[Decimal] = []
    if totals.tax_amounts is not None:
        ways.append(totals.tax_amounts)
        total = values.get("total", Decimal(0)) - values.get("rounding", Decimal(0))
        tips = {Decimal(0), values.get("tip", Decimal(0))}  # within the total, or beside it
        rows = settled.rows("tax_lines")
        if len(rows) > 1 and any(
            explains(rows, total - tip, values.get("subtotal")) for tip in tips
        ):
            return [totals.tax_amounts, totals.tax_amounts]
    if values.keys() >= {"total", "subtotal"} and values["total"] > values["subtotal"]:
        ways.append(values["total"] - values["subtotal"])
    return ways
