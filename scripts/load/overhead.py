"""What the orchestrator adds to a model server's answer at a rate that does not wait."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

from lib.inference.wire import CHAT_ROUTE
from load.arrivals import Reply, Target, moments, on_schedule
from load.documents import two_lines
from load.figures import curve, difference, spread
from load.servers import Server, orchestrator, upstream

_READING = ("load", "ocr", "kie", "post")
_WARM_UP_S = 3.0
_SYNCS, _SYNCED_BYTES = 200, 20_000


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    """The same question straight to the upstream and as a document through the orchestrator, in
    blocks of `--block` seconds by turns.
    """
    with (
        upstream(options.latency_ms / 1000) as model,
        orchestrator(
            options.data_folder,
            INFERENCE_BACKEND="vllm",
            VLLM_BASE_URL=model.url,
            VLLM_MODEL="mock-chat",
        ) as server,
    ):
        through = Target.upload(server.url, options.document or two_lines())
        (await through()).good()
        # What the orchestrator has just asked, to be asked without it.
        async with httpx.AsyncClient(base_url=model.url) as client:
            asked = (await client.get("/last")).content
        direct = Target(model.url, CHAT_ROUTE, asked, {"Content-Type": "application/json"})
        syncs = _syncs(server.data)
        await _block(through, options, _WARM_UP_S)
        await _block(direct, options, _WARM_UP_S)
        blocks: dict[str, list[list[Reply]]] = {"through": [], "direct": []}
        spent = [0.0, 0.0]
        pairs = max(2, round(options.seconds / options.block))
        for number in range(pairs):
            # Which comes first changes, so that a drift of the machine falls on both.
            order = (through, direct) if number % 2 else (direct, through)
            for target in order:
                name = "through" if target is through else "direct"
                before = server.processor_s()
                blocks[name].append(await _block(target, options, options.block, number))
                if target is through:
                    after = server.processor_s()
                    spent = [s + b - a for s, a, b in zip(spent, before, after, strict=True)]
        await through.close()
        await direct.close()
        found = _found(blocks["through"], blocks["direct"], server)
        asks = sum(map(len, blocks["through"]))
        # What a machine that others keep busy changes least.
        own, others = (round(seconds * 1000 / asks, 2) for seconds in spent)
        processor = {"server": own, "others": others}
        return {"asked_bytes": len(asked), "syncs": syncs, "processor_ms": processor, **found}


def _syncs(folder: Path) -> dict[str, float]:
    """Milliseconds of what an artifact needs of the disk and nothing else: a new file is written
    and synced, and then the folder with its name.
    """
    handle = os.open(folder, os.O_RDONLY)
    times = []
    for number in range(_SYNCS):
        begun = time.perf_counter()
        with (folder / f"sync-{number}").open("wb") as file:
            file.write(bytes(_SYNCED_BYTES))
            file.flush()
            os.fsync(file.fileno())
        os.fsync(handle)
        times.append((time.perf_counter() - begun) * 1000)
    os.close(handle)
    return spread(times)


async def _block(
    target: Target, options: argparse.Namespace, seconds: float, number: int = 0
) -> list[Reply]:
    seed = None if options.even else 1 + number
    replies = await on_schedule(target, moments(options.rate, seconds, seed))
    failed = [reply.status for reply in replies if reply.status != HTTPStatus.OK]
    if failed:
        raise SystemExit(f"{len(failed)} of {len(replies)} failed: {sorted(set(failed))}")
    return replies


def _found(
    through: Sequence[Sequence[Reply]],
    direct: Sequence[Sequence[Reply]],
    server: Server,
) -> dict[str, Any]:
    whole = [[reply.milliseconds for reply in block] for block in through]
    bare = [[reply.milliseconds for reply in block] for block in direct]
    parts = [[parts_of(reply, server) for reply in block] for block in through]
    own = [
        [reply.milliseconds - part["reading"] for reply, part in zip(block, found, strict=True)]
        for block, found in zip(through, parts, strict=True)
    ]
    flat = [part for block in parts for part in block]
    return {
        "direct": spread(_joined(bare)),
        "through": spread(_joined(whole)),
        "late_ms_p99": spread([r.late_s * 1000 for block in through for r in block])["p99"],
        "whole_overhead": {f"p{q}": difference(whole, bare, q) for q in (50, 99)},
        "own_overhead": {f"p{q}": difference(own, bare, q) for q in (50, 99)},
        "stations": {
            name: spread([part.get(name, 0.0) for part in flat])
            for name in sorted({name for part in flat for name in part})
        },
        "curves": {
            "direct": curve(_joined(bare)),
            "own": curve(_joined(own)),
            "through": curve(_joined(whole)),
        },
    }


def parts_of(reply: Reply, server: Server) -> dict[str, float]:
    """Milliseconds as the artifact has them, and two sums.

    `reading` is what the document costs wherever it is read: its stations, and what is done for the
    model besides waiting for it (the page's image, the prompt, the answer looked for on the page).
    """
    rel = str(reply.json()["artifact_rel"])
    artifact = json.loads(server.artifact(rel).read_bytes())
    timings = {name: spent / 1000 for name, spent in artifact["timings_us"].items()}
    timings["total"] = float(artifact["response"]["timings_ms"]["total"])
    call = artifact["inference"]["gpu_seconds"] * 1000
    timings["store"] = float(reply.json()["timings_ms"].get("store", 0))
    timings["call"] = call
    timings["for_model"] = timings.get("model", 0) - call
    reading = sum(timings.get(name, 0) for name in _READING) + timings["for_model"]
    return {**timings, "reading": reading}


def _joined(blocks: Sequence[Sequence[float]]) -> list[float]:
    return [value for block in blocks for value in block]
