"""How soon documents are answered again when a model server is back after a SIGKILL."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from http import HTTPStatus
from statistics import median
from typing import Any

import httpx

from lib.inference.wire import ANSWERS_ROUTE, HEALTH_ROUTE
from load.arrivals import Reply, Target, without_end
from load.documents import two_lines
from load.servers import Server, orchestrator, upstream

# Asked so, the mock reads nothing by OCR: what is measured is the way back, and not its start.
_MODEL = "mock-tilt"
_OWN, _INSTEAD = "vllm", "cpu"
_FIGURES = ("first_good_after_back_s", "straight_after_back_s", "over_straight_s")
_EVERY_S = 0.02
_PATIENCE_S = 180.0


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Documents come at `--rate` whether or not they are answered; the mock is killed, started
    again `--down` seconds later, and left alone until a document was answered with it. Without
    FALLBACK_BACKEND, then with cpu. Beside it, how long the same question takes asked straight as
    soon as the mock is back, which has to load what it reads with.
    """
    found = {}
    for fallback in ("", _INSTEAD):
        rounds = await _rounds(options, fallback)
        found[f"fallback_{fallback or 'none'}"] = {
            **{name: _spread([each[name] for each in rounds]) for name in _FIGURES},
            "rounds": rounds,
        }
    return found


def _spread(seconds: Sequence[float]) -> dict[str, float]:
    return {"median": round(median(seconds), 3), "least": min(seconds), "most": max(seconds)}


async def _rounds(options: argparse.Namespace, fallback: str) -> list[dict[str, Any]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {"INFERENCE_BACKEND": "vllm", "VLLM_MODEL": _MODEL, "FALLBACK_BACKEND": fallback}
    place = orchestrator(
        options.data_folder,
        VLLM_BASE_URL=f"http://127.0.0.1:{port}",
        **{name: value for name, value in settings.items() if value},
    )
    async with AsyncExitStack() as stack:
        model = await _start(stack, port)
        server = await asyncio.to_thread(stack.enter_context, place)
        through = Target.upload(server.url, options.document or two_lines())
        stack.push_async_callback(through.close)
        (await through()).good()
        async with httpx.AsyncClient(base_url=model.url) as client:
            asked = (await client.get("/last")).content
        straight = Target(model.url, ANSWERS_ROUTE, asked, {"Content-Type": "application/json"})
        stack.push_async_callback(straight.close)
        rounds = []
        for _ in range(options.rounds):
            model, found, replies = await _round(stack, through, straight, model, options)
            rounds.append({**found, "without_artifact": _without_artifact(replies, server)})
        return rounds


async def _round(
    stack: AsyncExitStack,
    through: Target,
    straight: Target,
    model: Server,
    options: argparse.Namespace,
) -> tuple[Server, dict[str, Any], list[Reply]]:
    """The server that came after a kill, what was seen of it, and all replies."""
    over = asyncio.Event()
    replies: list[Reply] = []
    begun = time.perf_counter()
    stream = asyncio.create_task(without_end(through, options.rate, replies, over))

    async def answered_since(moment: float) -> Reply:
        while not (good := [r for r in replies if _engine(r) == _OWN and _end(r) > moment]):
            if time.perf_counter() - begun > moment + _PATIENCE_S:
                raise SystemExit("no answer came any more")
            await asyncio.sleep(_EVERY_S)
        return min(good, key=_end)

    await answered_since(0)
    os.kill(model.pid, signal.SIGKILL)
    killed = time.perf_counter() - begun
    await asyncio.sleep(options.down)
    model = await _start(stack, int(model.url.rpartition(":")[2]))
    back = time.perf_counter() - begun
    (await straight()).good()
    direct = time.perf_counter() - begun
    first = await answered_since(back)
    # What was under way when it came back is a part of the answer to how it went.
    over.set()
    await stream
    before = [reply.latency_s for reply in replies if _end(reply) <= killed]
    meanwhile = [reply for reply in replies if killed < _end(reply) <= _end(first)]
    found = {
        "before_s": round(median(before), 3),
        "down_s": round(back - killed, 2),
        "first_good_after_back_s": round(_end(first) - back, 3),
        "straight_after_back_s": round(direct - back, 3),
        "over_straight_s": round(_end(first) - direct, 3),
        "meanwhile": dict(sorted(Counter(map(_kind, meanwhile)).items())),
        "slowest_meanwhile_s": round(max((r.latency_s for r in meanwhile), default=0.0), 2),
        "replies": len(replies),
    }
    return model, found, replies


async def _start(stack: AsyncExitStack, port: int) -> Server:
    """The mock, in good health on that port."""
    starting = partial(stack.enter_context, upstream(0, "--port", str(port)))
    model = await asyncio.to_thread(starting)
    async with httpx.AsyncClient(base_url=model.url) as client:
        (await client.get(HEALTH_ROUTE)).raise_for_status()
    return model


def _end(reply: Reply) -> float:
    return reply.due_s + reply.latency_s


def _engine(reply: Reply) -> str | None:
    """Who answered, of an answer."""
    return str(reply.json()["backend"]) if reply.status == HTTPStatus.OK else None


def _kind(reply: Reply) -> str:
    """The status, with who answered or why nobody did."""
    if engine := _engine(reply):
        return f"{reply.status} {engine}"
    if not reply.status:
        return "no answer"
    error: Any = reply.json()["error"]
    return f"{reply.status} {error['code']}: {error['details'].get('reason', '')}"


def _without_artifact(replies: Sequence[Reply], server: Server) -> int:
    """How many answers and refusals have none on the disk."""
    missing = 0
    for reply in replies:
        body: Any = reply.json() if reply.status else {}
        details = body.get("error", {}).get("details", {})
        rel = body.get("artifact_rel") or details.get("artifact_rel")
        missing += not (rel and server.artifact(rel).is_file())
    return missing
