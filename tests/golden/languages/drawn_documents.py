"""Documents drawn as text: a monospaced drawing of a page and what it says, turned into pages."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from lib.domain.document import Line, Page, PageSource, Word
from lib.domain.geometry import Polygon

FOLDER = Path(__file__).parent
COLUMN_PX, ROW_PX = 12, 24  # a character cell of a page rendered at 150 dpi
LETTER_TOP, LETTER_BOTTOM = 0.15, 0.85  # where in its row the box of a word begins and ends
MARGIN = 2  # empty columns and rows around the drawing

_RUN = re.compile(r"\S+(?: \S+)*")  # two spaces end a line, as a column gap does on paper
_WORD = re.compile(r"\S+")
TABLES = ("line_items", "tax_lines")


@dataclass(frozen=True)
class DrawnDocument:
    """One file of this folder.

    `fields`: name -> the text of its value, or a list of equally right ones. `absent`: fields that
    the document does not have. `tables`: name -> all rows. `other_charges`: what the total holds
    beside lines, taxes and the fields for charges. `known_misses`: names of fields and of
    `table.column`s that are read wrongly today.
    """

    id: str
    document_type: str
    page: Page
    fields: Mapping[str, str | list[str]]
    absent: tuple[str, ...]
    tables: Mapping[str, tuple[Mapping[str, str], ...]]
    other_charges: Decimal
    known_misses: frozenset[str]

    @property
    def language(self) -> str:
        """The first part of the file's name."""
        return self.id.split("_")[0]


@cache
def load_documents() -> tuple[DrawnDocument, ...]:
    """All documents of this folder by file name; every scalar stays the text that the file has."""
    return tuple(_load(path) for path in sorted(FOLDER.glob("*.yaml")))


def _load(path: Path) -> DrawnDocument:
    data: dict[str, Any] = yaml.load(path.read_text("utf-8"), Loader=yaml.CBaseLoader)
    keys = {"page", "expected", "absent", *TABLES, "other_charges", "known_misses"}
    if unknown := data.keys() - keys:
        raise ValueError(f"{path.name}: unknown keys {sorted(unknown)}")
    expected = dict(data["expected"])
    return DrawnDocument(
        id=path.stem,
        document_type=expected.pop("document_type"),
        page=draw(data["page"]),
        fields=expected,
        absent=tuple(data["absent"]),
        tables={name: tuple(data[name]) for name in TABLES if name in data},
        other_charges=Decimal(data.get("other_charges", 0)),
        known_misses=frozenset(data["known_misses"]),
    )


def draw(drawing: str) -> Page:
    """A page with a line for each run of characters that two spaces or more set apart."""
    rows = drawing.rstrip("\n").split("\n")
    columns = max(len(row) for row in rows) + 2 * MARGIN
    height = len(rows) + 2 * MARGIN
    return Page(
        number=1,
        width=columns * COLUMN_PX,
        height=height * ROW_PX,
        rotation=0,
        source=PageSource.TEXT_LAYER,
        lines=tuple(
            _line(run, index, columns, height)
            for index, row in enumerate(rows)
            for run in _RUN.finditer(row)
        ),
    )


def _line(run: re.Match[str], row: int, columns: int, rows: int) -> Line:
    top, bottom = (row + MARGIN + LETTER_TOP) / rows, (row + MARGIN + LETTER_BOTTOM) / rows
    return Line(
        tuple(
            Word(
                word.group(),
                Polygon.from_box(
                    (MARGIN + run.start() + word.start()) / columns,
                    top,
                    (MARGIN + run.start() + word.end()) / columns,
                    bottom,
                ),
            )
            for word in _WORD.finditer(run.group())
        )
    )
