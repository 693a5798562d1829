#!/usr/bin/env python
"""What looking for duplicates costs a document, at some sizes of a key's memory.

    .venv/bin/python scripts/bench_duplicates.py
    .venv/bin/python scripts/bench_duplicates.py --database postgresql://user@host/name

Receipts of 20 vendors, all alike but for their numbers: many more candidates than real ones have.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median, quantiles
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pydantic import SecretStr

from apps.api_cpu.db.engine import Durability, Schema, open_database
from apps.api_cpu.duplicates.service import DuplicateService
from apps.api_cpu.duplicates.store import DocumentIndex


def receipt(chance: random.Random, number: int) -> tuple[dict[str, Any], list[str]]:
    """A result and its words."""
    vendor, day = chance.randrange(20), chance.randrange(1, 366)
    total = Decimal(chance.randrange(100, 20_000)) / 100
    fixed = [f"{vendor}line{place}of{'abcdefgh'[place % 8]}" for place in range(60)]
    date = f"2026-{day // 32 + 1:02}-{day % 28 + 1:02}"
    result = {
        "document_number": f"B{number:08}",
        "vendor_name": f"Vendor {vendor}",
        "issue_date": date,
        "total": total,
    }
    return result, [*fixed, date, f"B{number:08}", *(str(chance.random()) for _ in range(8))]


def main() -> None:
    """Print medians and the 99th percentile in milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--known", type=int, nargs="+", default=[100, 10_000, 50_000])
    parser.add_argument("--measured", type=int, default=300)
    parser.add_argument("--database", help="a postgresql:// URL; default: a new SQLite file")
    arguments = parser.parse_args()
    chance = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        place = SecretStr(arguments.database) if arguments.database else Path(folder) / "d.sqlite3"
        engine = open_database(place, Schema.DUPLICATES, Durability.CRASH)
        service = DuplicateService(DocumentIndex(engine), timedelta(days=400))
        count = 0
        for known in arguments.known:
            while count < known:
                count += 1
                service.meet(f"r{count:08}", "key", f"{count:064}", *receipt(chance, count))
            times = []
            for _ in range(arguments.measured):
                count += 1
                result, words = receipt(chance, count)
                start = time.perf_counter()
                service.meet(f"r{count:08}", "key", f"{count:064}", result, words)
                times.append((time.perf_counter() - start) * 1000)
            slowest = quantiles(times, n=100)[98]
            print(f"{known:>7} known: median {median(times):.2f} ms, p99 {slowest:.2f} ms")
        engine.dispose()


if __name__ == "__main__":
    main()
