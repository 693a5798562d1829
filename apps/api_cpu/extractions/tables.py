"""An extraction as a person reads it in a terminal: its fields, its rows, what to look at."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

SURE = 0.9
DOUBTFUL = 0.6
"""Below it a value is marked; it is also where a key field asks for a review."""

_LOOKS: Mapping[str, Any] = {
    "box": SIMPLE_HEAD,
    "pad_edge": False,
    "show_edge": False,
    "padding": (0, 1, 0, 0),
}
_DESCRIPTION_WIDTH = 20
_CHECK_ORDER = ("passed", "failed", "skipped")


def tables(outcome: Mapping[str, Any]) -> RenderableType:
    """A document that was read: `shown`'s mapping with `file`; for 80 columns or more."""
    parts: list[RenderableType] = [_heading(outcome), _fields(outcome)]
    for name, rows in outcome["result"].items():
        if isinstance(rows, Sequence) and not isinstance(rows, str) and rows:
            parts.append(Text(f"\n{name.replace('_', ' ')}", style="bold"))
            parts.append(_rows(name, rows, outcome["fields"]))
    parts.append("")
    parts.extend(_remarks(outcome))
    return Group(*parts, "")


def _heading(outcome: Mapping[str, Any]) -> Text:
    kind = outcome["document_type"].replace("_", " ")
    count = len(outcome["pages"])
    pages = {0: "", 1: ", 1 page"}.get(count, f", {count} pages")
    return Text.assemble((outcome["file"], "bold"), f"  {kind}{pages}")


def _fields(outcome: Mapping[str, Any]) -> Table:
    table = Table(**_LOOKS)
    table.add_column("field", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_column("sure", justify="right", no_wrap=True)
    table.add_column("page", justify="right", no_wrap=True)
    table.add_column("from", no_wrap=True)
    for name in outcome["result"]:
        field = outcome["fields"].get(name)
        if field is None:
            continue
        page = "" if field["page"] is None else str(field["page"])
        sure = Text(f"{math.floor(field['confidence'] * 100)}%", style=_style(field["confidence"]))
        origin = field["source"].replace("_", " ")
        table.add_row(name, Text(_text(field["value"])), sure, page, origin)
    return table


def _rows(name: str, rows: Sequence[Mapping[str, Any]], fields: Mapping[str, Any]) -> Table:
    """The rows of one table field, without the columns that have no value in any row."""
    columns = [column for column in rows[0] if _is_worth_showing(column, rows)]
    table = Table(**_LOOKS)
    table.add_column("#", justify="right", no_wrap=True)
    for column in columns:
        numbers = all(isinstance(row[column], Decimal | int | None) for row in rows)
        justify: Any = "right" if numbers else "left"
        table.add_column(
            column.replace("_", "\n"),
            justify=justify,
            no_wrap=numbers,
            overflow="fold",
            min_width=_DESCRIPTION_WIDTH if column == "description" else None,
        )
    for index, row in enumerate(rows):
        cells = (_cell(row[column], fields.get(f"{name}[{index}].{column}")) for column in columns)
        table.add_row(str(index + 1), *cells)
    return table


def _is_worth_showing(column: str, rows: Sequence[Mapping[str, Any]]) -> bool:
    """Not without values, and not positions that only count the rows."""
    values = [row[column] for row in rows]
    if column == "position" and values == [str(index + 1) for index in range(len(rows))]:
        return False
    return any(value is not None for value in values)


def _cell(value: Any, field: Mapping[str, Any] | None) -> Text:
    if field is None or field["confidence"] >= DOUBTFUL:
        return Text(_text(value))
    return Text(f"{_text(value)} ?", style=_style(field["confidence"]))


def _remarks(outcome: Mapping[str, Any]) -> Iterator[Text]:
    counts = Counter(check["status"] for check in outcome["checks"])
    summary = [f"{counts[status]} {status}" for status in _CHECK_ORDER if counts[status]]
    if summary:
        yield Text(f"checks: {', '.join(summary)}")
    for check in outcome["checks"]:
        if check["status"] == "failed":
            yield Text(f"failed: {check['rule']}: {check['message']}", style="red")
    for reason in outcome["review_reasons"]:
        yield Text(f"review: {reason}", style="yellow")
    for warning in outcome["warnings"]:
        yield Text(f"note:   {warning}")


def _style(confidence: float) -> str:
    if confidence >= SURE:
        return "green"
    return "yellow" if confidence >= DOUBTFUL else "red"


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
