#!/usr/bin/env python
"""Exports extractions as UBL and CII and holds them against the official schemas and rules.

.venv/bin/ocr extract --json FILE... > answers.jsonl
.venv/bin/python scripts/check_exports.py answers.jsonl
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.domain.extraction import RawExtraction
from lib.domain.task import DocumentType
from lib.einvoice.postal import parse_address
from lib.einvoice.reader import read_einvoice
from lib.einvoice.units import unit_code
from lib.einvoice.writer import Syntax, WrittenInvoice, write_einvoice
from lib.errors import Error
from lib.values.tax_ids import compact
from scripts.einvoice_rules import broken_rules, schema_errors


def result_of(raw: RawExtraction) -> dict[str, Any]:
    """The values of an e-invoice in the shape of a result, without its nulls."""
    values: dict[str, Any] = {name: found[0].value for name, found in raw.fields.items()}
    for table, rows in raw.tables.items():
        values[table] = [{name: cell.value for name, cell in row.items()} for row in rows]
    return values


def differences(answer: Mapping[str, Any], written: WrittenInvoice) -> Iterator[str]:
    """Fields that, read again from the XML, are not what they were; values that were null apart."""
    again = read_einvoice(written.xml)
    assert again is not None
    found = result_of(again.raw)
    for name, value in answer["result"].items():
        if name in written.left_out or value is None or value == []:
            continue
        if isinstance(value, list):
            rows = [row for i, row in enumerate(value) if f"{name}[{i}]" not in written.left_out]
            others = found.get(name, [])
            for index, (row, other) in enumerate(zip(rows, others, strict=False)):
                for column, cell in row.items():
                    if cell is not None and not _same(column, cell, other.get(column)):
                        yield f"{name}[{index}].{column}: {cell} -> {other.get(column)}"
            if len(rows) != len(others):
                yield f"{name}: {len(rows)} rows -> {len(others)}"
        elif not _same(name, value, found.get(name)):
            yield f"{name}: {value} -> {found.get(name)}"


def _same(name: str, value: Any, other: Any) -> bool:
    if isinstance(value, Decimal | int):
        # Without a charge of its own, a zero has no place; a credit note's signs are turned.
        return abs(Decimal(value)) == abs(other or Decimal(0))
    if other is None:
        return False
    if name.endswith("_address"):
        # `Germany` comes back as its code, and a country that was concluded is added.
        before, after = parse_address(value), parse_address(other)
        return replace(after, country=before.country) == before
    if name.endswith("_tax_id"):
        return compact(value) == compact(other)
    if name == "unit":
        return unit_code(value, is_code=False) in {other, None}
    return " ".join(value.split()) == other


def main() -> None:
    """Print a line per document with something to say, then the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("answers", type=Path, help="lines of `ocr extract --json`")
    parser.add_argument("-v", "--verbose", action="store_true", help="say what is missing of each")
    parser.add_argument("--country", help="of parties whose address names none, such as DE")
    arguments = parser.parse_args()
    counts: dict[Syntax, Counter[str]] = {syntax: Counter() for syntax in Syntax}
    missing: Counter[str] = Counter()
    for line in arguments.answers.read_text().splitlines():
        answer = json.loads(line, parse_float=Decimal)
        if "error" in answer:
            print(f"{answer['file']}: not read: {answer['error']['code']}")
            continue
        for syntax, count in counts.items():
            judge(
                answer, syntax, count, missing, country=arguments.country, verbose=arguments.verbose
            )
    for syntax, count in counts.items():
        print(f"{syntax}: " + ", ".join(f"{name} {count[name]}" for name in sorted(count)))
    print("missing: " + ", ".join(f"{term} {n}" for term, n in missing.most_common()))


def judge(
    answer: Mapping[str, Any],
    syntax: Syntax,
    count: Counter[str],
    missing: Counter[str],
    *,
    country: str | None,
    verbose: bool,
) -> None:
    """Export one answer and count how it fares."""
    name = f"{answer['file']} {syntax}"
    try:
        written = write_einvoice(
            answer["result"],
            DocumentType(answer["document_type"]),
            syntax,
            has_codes=answer["backend"] == "einvoice",
            country=country,
        )
    except Error as error:
        count[f"refused: {error.details['reason']}"] += 1
        if verbose:
            print(f"{name}: {error.message}")
        return
    count["exported"] += 1
    missing.update(written.missing)
    is_complete = not written.missing and not written.broken_rules
    count["complete"] += is_complete
    rules = broken_rules(written.xml)
    count["follows EN 16931"] += not rules
    # The stricter schema holds where nothing is missing.
    wrong = schema_errors(written.xml)
    if is_complete and syntax is Syntax.CII:
        wrong += schema_errors(written.xml, facturx=True)
    changed = list(differences(answer, written))
    count["valid by the schema"] += not wrong
    count["read again the same"] += not changed
    count["complete, but not by EN 16931"] += is_complete and bool(rules)
    if verbose and (written.missing or written.broken_rules):
        print(f"{name}: missing {written.missing}, broken {written.broken_rules}")
    for problem in (*wrong, *changed, *(rules if is_complete else ())):
        print(f"{name}: {problem}")


if __name__ == "__main__":
    main()
