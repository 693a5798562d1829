"""Memory of a server, its OCR workers and its field readers over thousands of documents."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import time
from typing import Any

from load.arrivals import Target
from load.figures import slope
from load.servers import SAMPLES, Server, orchestrator

# Of five documents; the photo takes OCR, the others do not.
_MIX = (
    "invoice_digital.pdf",
    "invoice_facturx.pdf",
    "receipt_photo.jpg",
    "invoice_digital.pdf",
    "invoice_xrechnung.xml",
)
_LOOKS = 200
_CLIENTS = 2


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    """`--documents` of the samples, sent by two clients in turn."""
    with orchestrator(options.data_folder) as server:
        targets = {name: Target.upload(server.url, SAMPLES / name) for name in set(_MIX)}
        turn = itertools.cycle(_MIX)
        counted = itertools.count(1)
        every = max(1, options.documents // _LOOKS)
        looks: list[tuple[int, float, float]] = []
        begun = time.monotonic()

        async def client() -> None:
            while (number := next(counted)) <= options.documents:
                (await targets[next(turn)]()).good()
                if number % every == 0:
                    looks.append((number, *server.memory()))

        await asyncio.gather(*(client() for _ in range(_CLIENTS)))
        spent = time.monotonic() - begun
        for target in targets.values():
            await target.close()
        return _found(looks, spent, server, options.documents)


def _found(
    looks: list[tuple[int, float, float]], spent: float, server: Server, documents: int
) -> dict[str, Any]:
    # What is loaded and remembered at first is not growth.
    later = [look for look in looks if look[0] > documents / 5]
    at = [look[0] for look in later]
    artifacts = sum(1 for _ in (server.data / "artifacts" / "extracts").rglob("*.json"))
    return {
        "documents": documents,
        "seconds": round(spent, 1),
        "artifacts": artifacts,
        "server_mb": {"first": round(looks[0][1], 1), "last": round(looks[-1][1], 1)},
        "workers_mb": {"first": round(looks[0][2], 1), "last": round(looks[-1][2], 1)},
        "server_mb_per_1000": slope(at, [look[1] for look in later]),
        "workers_mb_per_1000": slope(at, [look[2] for look in later]),
        "after_documents": at[0],
        "looks": [[number, round(own, 1), round(workers, 1)] for number, own, workers in looks],
    }
