"""How long a run's export takes and how much memory, by format; each in a process of its own.

    .venv/bin/python scripts/bench_exports.py --items 10000 --lines 10

The items are made up and all alike: an invoice with its lines, as a batch keeps it.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from decimal import Decimal
from multiprocessing import get_context
from typing import Any

from apps.api_cpu.runs.export import items_as
from apps.api_cpu.runs.formats import Format
from apps.api_cpu.runs.rows import ITEMS
from apps.api_cpu.settings import CONFIGS
from lib.pipelines.tasks import load_tasks

_MB = 1024


def main() -> None:
    """A line for each format."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--lines", type=int, default=10, help="of each document")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    print("| format | bytes | seconds, best | CPU s | peak MB above the start |")
    print("| --- | --- | --- | --- | --- |")
    for format in (Format.CSV, Format.JSONL, Format.XLSX):
        found = []
        for _ in range(options.runs):
            # Of its own, since a process's peak never falls.
            with ProcessPoolExecutor(1, get_context("spawn")) as process:
                found.append(process.submit(_export, format, options.items, options.lines).result())
        size, wall, cpu, memory = min(found, key=lambda one: one[1])
        print(f"| {format.value} | {size:,} | {wall:.2f} | {cpu:.2f} | {memory:.0f} |")


def _export(format: Format, count: int, lines: int) -> tuple[int, float, float, float]:
    task = load_tasks(CONFIGS / "tasks")["auto"]
    # What the library takes to load is not the export's.
    for _ in items_as(format, _items(1, 1), task, ITEMS):
        pass
    before, cpu, begun = _peak(), time.process_time(), time.perf_counter()
    size = sum(len(chunk) for chunk in items_as(format, _items(count, lines), task, ITEMS))
    spent = time.perf_counter() - begun
    return size, spent, time.process_time() - cpu, (_peak() - before) / _MB


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _items(count: int, lines: int) -> Iterator[dict[str, Any]]:
    result = {
        "document_number": "LW-60",
        "issue_date": "2026-03-17",
        "due_date": "2026-04-17",
        "vendor_name": "Long Works Ltd",
        "vendor_address": "1 Way, 12345 Town",
        "customer_name": "Short & Co",
        "currency": "EUR",
        "subtotal": Decimal("200.00"),
        "tax_total": Decimal("38.00"),
        "total": Decimal("238.00"),
        "tax_lines": [{"rate": Decimal(19), "base": Decimal("200.00"), "amount": Decimal("38.00")}],
        "line_items": [
            {
                "position": str(number),
                "description": f"Part of kind {number}",
                "quantity": Decimal(2),
                "unit": "pcs",
                "unit_price": Decimal("10.00"),
                "tax_rate": Decimal(19),
                "amount": Decimal("20.00"),
            }
            for number in range(1, lines + 1)
        ],
    }
    for number in range(count):
        yield {
            "file": f"scan-{number}.pdf",
            "request_id": f"batch.{number}",
            "input_ref": None,
            "artifact_rel": f"extracts/2026-03-17/batch.{number}.json",
            "ok": True,
            "document_type": "invoice",
            "backend": "cpu",
            "result": result,
            "confidence_min": Decimal("0.91"),
            "needs_review": False,
            "error": None,
        }


if __name__ == "__main__":
    main()
