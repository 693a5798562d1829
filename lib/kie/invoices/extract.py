"""The fields and tables of an invoice or a credit note, as ranked candidates."""

from __future__ import annotations

from lib.domain.extraction import Candidate, Hints
from lib.domain.task import Task
from lib.kie.invoices.accounts import find_accounts
from lib.kie.invoices.key_values import KeyValues
from lib.kie.invoices.labels import Labels
from lib.kie.invoices.line_items import LineItems
from lib.kie.invoices.parties import find_parties
from lib.kie.invoices.reading import Reading
from lib.kie.invoices.references import find_references
from lib.kie.invoices.sums import find_sums
from lib.kie.invoices.taxes import find_tax_lines, summed_tax, tax_rows
from lib.kie.layout import Layout
from lib.kie.lexicon import Lexicon
from lib.kie.mentions import Mentions

_MOST_CANDIDATES = 8

Fields = dict[str, tuple[Candidate, ...]]
Tables = dict[str, tuple[dict[str, Candidate], ...]]


def find_invoice_fields(
    layout: Layout, lexicon: Lexicon, task: Task, hints: Hints
) -> tuple[Fields, Tables]:
    """Candidates of the task's fields, best first, and the rows of its tables in order.

    Fields and columns that the task does not ask for are left out, and so are those not found.
    """
    mentions = Mentions(layout, lexicon, hints.language)
    labels = Labels(mentions, hints.language)
    pairs = KeyValues(layout, mentions, labels)
    items = LineItems(layout, mentions, labels)
    reading = Reading(layout, mentions, labels, pairs, items.covered)

    tax_lines = find_tax_lines(reading)
    parties_found, parties = find_parties(reading)
    found = {
        **find_references(reading),
        **find_sums(reading),
        **parties_found,
        **find_accounts(reading, parties),
    }
    summed = summed_tax(reading, tax_lines)
    if summed and not found["tax_total"]:
        found["tax_total"] = [summed]
    tables = {"line_items": items.rows, "tax_lines": tax_rows(reading, tax_lines)}
    return _wanted_fields(task, found), _wanted_tables(task, tables)


def _wanted_fields(task: Task, found: dict[str, list[Candidate]]) -> Fields:
    fields: Fields = {}
    for name, candidates in found.items():
        ranked = sorted(
            (c for c in candidates if c.raw.strip()), key=lambda candidate: -candidate.score
        )
        if ranked and task.field(name):
            fields[name] = tuple(ranked[:_MOST_CANDIDATES])
    return fields


def _wanted_tables(task: Task, tables: Tables) -> Tables:
    wanted: Tables = {}
    for name, rows in tables.items():
        spec = task.field(name)
        if spec is None or not rows:
            continue
        columns = {column.name for column in spec.columns}
        wanted[name] = tuple(
            {column: cell for column, cell in row.items() if column in columns} for row in rows
        )
    return wanted
