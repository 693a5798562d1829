"""More load than a server can carry: what it keeps, what it refuses, whether any is lost."""

from __future__ import annotations

import argparse
import asyncio
from collections import Counter
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import httpx

from load.arrivals import Reply, Target, kept_busy, moments, on_schedule
from load.figures import curve, spread
from load.servers import Server, orchestrator

_BUSY_CLIENTS = 8
_REFUSED = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_POLL_S = 0.2


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Alone, then as fast as it goes, then `--times` that for `--seconds`."""
    with orchestrator(options.data_folder) as server:
        target = Target.upload(server.url, options.document)
        await kept_busy(target, _BUSY_CLIENTS, options.calibrate / 2)
        alone = await kept_busy(target, 1, options.calibrate)
        busy = await kept_busy(target, _BUSY_CLIENTS, options.calibrate)
        capacity = sum(reply.status == HTTPStatus.OK for reply in busy) / _ended_s(busy)
        rate = options.times * capacity
        replies = await on_schedule(target, moments(rate, options.seconds, 1))
        promised = [r for r in replies if r.status == HTTPStatus.ACCEPTED]
        later = await _ended(promised, server)
        await target.close()
        return _found(alone, capacity, rate, replies, later, server)


def _found(
    alone: Sequence[Reply],
    capacity: float,
    rate: float,
    replies: Sequence[Reply],
    later: Sequence[str],
    server: Server,
) -> dict[str, Any]:
    good = [reply for reply in replies if reply.status == HTTPStatus.OK]
    refused = [reply for reply in replies if reply.status in _REFUSED]
    answered_rate = len(good) / _ended_s(replies)
    kept = [*(str(reply.json()["artifact_rel"]) for reply in good), *later]
    missing = [rel for rel in kept if not server.artifact(rel).is_file()]
    return {
        "capacity_per_s": round(capacity, 2),
        "offered_per_s": round(rate, 2),
        "answered_per_s": round(answered_rate, 2),
        "throughput_kept": round(answered_rate / capacity, 3),
        "statuses": dict(sorted(Counter(str(reply.status) for reply in replies).items())),
        "alone": spread([reply.milliseconds for reply in alone]),
        "accepted": spread([reply.milliseconds for reply in good]),
        "refused": spread([reply.milliseconds for reply in refused]),
        "refused_share": round(len(refused) / len(replies), 3),
        "refused_without_retry_after": sum("retry-after" not in r.headers for r in refused),
        "accepted_without_artifact": len(missing),
        "same_artifact_twice": len(kept) - len(set(kept)),
        "late_ms_p99": spread([reply.late_s * 1000 for reply in replies])["p99"],
        "curves": {
            name: curve([reply.milliseconds for reply in found])
            for name, found in (("alone", alone), ("accepted", good), ("refused", refused))
            if found
        },
    }


def _ended_s(replies: Sequence[Reply]) -> float:
    """From the first request to the last answer."""
    return max(reply.due_s + reply.latency_s for reply in replies)


async def _ended(promised: Sequence[Reply], server: Server) -> list[str]:
    """The artifacts of the jobs that were promised, once all have succeeded; another end ends the
    benchmark.
    """
    written = []
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        for reply in promised:
            while True:
                job = (await client.get(str(reply.json()["poll_url"]))).json()
                if job["status"] == "succeeded":
                    written.append(str(job["result_rel"]))
                    break
                if job["status"] in {"failed", "canceled"}:
                    raise SystemExit(f"a promised job is {job['status']}: {job['error']}")
                await asyncio.sleep(_POLL_S)
    return written
