"""One document's chosen values on their way from choice to answer, and the sums over its tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property

from lib.domain.task import Task
from lib.post.arithmetic import TableTotals
from lib.post.options import Chosen, Option

ISSUE_MARGIN = timedelta(days=7)
"""How far after the day of receipt a document may be dated: invoices are dated a little ahead."""


@dataclass(frozen=True)  # with room for its totals
class Settled:
    """What was chosen: per field, and per table row and column."""

    task: Task
    fields: Chosen
    tables: Mapping[str, Sequence[Chosen]]
    received_on: date

    def amount(self, name: str) -> Decimal | None:
        """A chosen number of a field; None when there is none."""
        option = self.fields.get(name)
        return option.value if option and isinstance(option.value, Decimal) else None

    def day(self, name: str) -> date | None:
        """A chosen date of a field; None when there is none or its source gave no ISO date."""
        option = self.fields.get(name)
        try:
            return date.fromisoformat(str(option.value)) if option else None
        except ValueError:
            return None

    def amounts(self) -> dict[str, Decimal]:
        """All chosen numbers of fields."""
        return numbers(self.fields)

    def rows(self, table: str) -> list[dict[str, Decimal]]:
        """The chosen numbers of each row of a table."""
        return [numbers(row) for row in self.tables.get(table, ())]

    @cached_property
    def totals(self) -> TableTotals:
        """The sums over the tables, which several rules ask for."""
        return table_totals(self.tables)


def numbers(chosen: Chosen) -> dict[str, Decimal]:
    """The chosen values that are numbers."""
    return {n: o.value for n, o in chosen.items() if isinstance(o.value, Decimal)}


def table_totals(tables: Mapping[str, Sequence[Chosen]]) -> TableTotals:
    """Sums over lines, taxes and payments, as far as the tables have the cells."""
    lines, taxes = tables.get("line_items", ()), tables.get("tax_lines", ())
    amounts = _present(row.get("amount") for row in lines)
    return TableTotals(
        lines=sum(amounts, Decimal(0)) if amounts else None,
        line_count=len(amounts),
        lines_complete=len(amounts) == len(lines),
        tax_amounts=_sum_of_all(row.get("amount") for row in taxes),
        tax_bases=_sum_of_all(row.get("base") for row in taxes),
        payments=_sum_of_all(row.get("amount") for row in tables.get("payments", ())),
    )


def _present(options: Iterable[Option | None]) -> list[Decimal]:
    return [o.value for o in options if o is not None and isinstance(o.value, Decimal)]


def _sum_of_all(options: Iterable[Option | None]) -> Decimal | None:
    cells = list(options)
    found = _present(cells)
    return sum(found, Decimal(0)) if found and len(found) == len(cells) else None
