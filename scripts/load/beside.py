"""Two orchestrators in one run by turns: another version, or the same with other settings."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from http import HTTPStatus
from typing import Any

from load.arrivals import Reply, Target, kept_busy, moments, on_schedule
from load.documents import two_lines
from load.figures import difference, ratio, spread
from load.overhead import parts_of
from load.servers import Server, orchestrator, upstream

_WARM_UP_S = 3.0
_QUANTILES = (50, 90, 99)


class _Side:
    """One of the two, and what its blocks of requests gave."""

    def __init__(self, server: Server, target: Target) -> None:
        self.server, self.target = server, target
        self.milliseconds: list[list[float]] = []
        self.unread: list[list[float]] = []
        self.gaps: list[list[float]] = []
        self._spent = [0.0, 0.0]

    async def block(self, load: Callable[[Target], Awaitable[list[Reply]]], seconds: float) -> None:
        """One turn of it."""
        before = self.server.processor_s()
        replies = await load(self.target)
        after = self.server.processor_s()
        failed = sorted({reply.status for reply in replies} - {HTTPStatus.OK})
        if failed:
            raise SystemExit(f"requests failed: {failed}")
        self._spent = [s + b - a for s, a, b in zip(self._spent, before, after, strict=True)]
        self.milliseconds.append([reply.milliseconds for reply in replies])
        self.unread.append(
            [reply.milliseconds - parts_of(reply, self.server)["reading"] for reply in replies]
        )
        # Seconds an answer, as many as there were answers: their ratio is that of the rates.
        self.gaps.append([seconds / len(replies)])

    def told(self) -> dict[str, Any]:
        """Its figures."""
        whole = [value for block in self.milliseconds for value in block]
        server, others = (round(spent * 1000 / len(whole), 2) for spent in self._spent)
        return {
            "milliseconds": spread(whole),
            "less_reading": spread([value for block in self.unread for value in block]),
            "answers_per_s": round(len(self.gaps) / sum(gap for (gap,) in self.gaps), 2),
            "processor_ms": {"server": server, "others": others},
        }


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    """`other` (`--other`, `--set`) and `this`, over the same upstream, in `--rounds` pairs of
    blocks. `less_reading` is what is not reading the document: the orchestrator's own part and
    waiting for the upstream.
    """
    changed = dict(pair.split("=", 1) for pair in options.set)
    if options.other is not None:
        changed["PYTHONPATH"] = str(options.other.resolve())
    with ExitStack() as stack:
        model = stack.enter_context(upstream(options.latency_ms / 1000))
        asking = {
            "INFERENCE_BACKEND": "vllm",
            "VLLM_BASE_URL": model.url,
            "VLLM_MODEL": "mock-chat",
        }
        other, this = [
            stack.enter_context(orchestrator(options.data_folder, **asking, **more))
            for more in (changed, {})
        ]
        document = options.document or two_lines()
        sides = [_Side(server, Target.upload(server.url, document)) for server in (other, this)]
        for side in sides:
            side.server.keep_to_first_core()
            (await side.target()).good()
            await on_schedule(side.target, moments(options.rate, _WARM_UP_S, 0))
        for number in range(options.rounds):
            # Which comes first changes, so that a drift of the machine falls on both.
            for side in sides if number % 2 else reversed(sides):
                await side.block(_load(options, number), options.block)
        for side in sides:
            await side.target.close()
    before, now = sides
    return {
        "other": before.told(),
        "this": now.told(),
        "less_reading_ms_saved": {
            f"p{q}": difference(before.unread, now.unread, q) for q in _QUANTILES
        },
        "rate_gained": ratio(before.gaps, now.gaps),
    }


def _load(options: argparse.Namespace, number: int) -> Callable[[Target], Awaitable[list[Reply]]]:
    """The same requests for both of a pair."""
    if options.clients:
        return lambda target: kept_busy(target, options.clients, options.block)
    due = moments(options.rate, options.block, 1 + number)
    return lambda target: on_schedule(target, due)
