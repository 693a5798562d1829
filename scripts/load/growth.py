"""What a document costs by its pages, and a request by the clients beside it."""

from __future__ import annotations

import argparse
import time
from http import HTTPStatus
from typing import Any

from load.arrivals import Target, kept_busy
from load.documents import LINES_A_PAGE, invoice_of
from load.figures import spread
from load.servers import orchestrator


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Pages one document at a time; then clients that never pause."""
    # More pages and more waiting requests than a server takes unless it is told to.
    # Nor is it a limit that is measured: on a machine with other work documents may take minutes.
    limits = {
        "SYNC_DEADLINE_S": "900",
        "FIELDS_TIMEOUT_S": "900",
        "MAX_PAGES": str(max(options.pages)),
        "EXTRACT_QUEUE": str(max(options.clients)),
    }
    with orchestrator(options.data_folder, **limits) as server:
        return {
            "pages": [await _pages(server.url, pages, options.runs) for pages in options.pages],
            "clients": [await _clients(server.url, count, options) for count in options.clients],
        }


async def _pages(url: str, pages: int, runs: int) -> dict[str, Any]:
    target = Target.upload(url, invoice_of(pages))
    times = []
    for _ in range(runs + 1):
        begun = time.perf_counter()
        answer = (await target()).good()
        times.append((time.perf_counter() - begun) * 1000)
    await target.close()
    lines = len(answer.json()["result"]["line_items"] or ())
    wanted = pages * LINES_A_PAGE
    found = spread(times[1:])
    return {
        "pages": pages,
        **found,
        "ms_a_page": round(found["p50"] / pages, 2),
        "lines_found": lines,
        "lines": wanted,
        "stations": answer.json()["timings_ms"],
    }


async def _clients(url: str, count: int, options: argparse.Namespace) -> dict[str, Any]:
    target = Target.upload(url, options.document)
    await kept_busy(target, count, 1)
    begun = time.perf_counter()
    replies = await kept_busy(target, count, options.seconds)
    spent = time.perf_counter() - begun
    await target.close()
    good = [reply.milliseconds for reply in replies if reply.status == HTTPStatus.OK]
    return {
        "clients": count,
        "answered_per_s": round(len(good) / spent, 2),
        "not_answered": len(replies) - len(good),
        **spread(good),
    }
