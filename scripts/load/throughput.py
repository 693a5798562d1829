"""A model server's answers a second through the orchestrator, and asked the same straight."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from lib.inference.wire import CHAT_ROUTE
from load.arrivals import Reply, Target, kept_busy
from load.figures import ratio, spread
from load.servers import SCRIPTS, orchestrator, upstream

_JSON = {"Content-Type": "application/json"}
_CARD = {
    "id": "real-server",
    "dialect": "chat",
    "prompt": "chat_fields_v1.yaml",
    "response_format": "json_schema",
    "image": {"dpi": 100, "max_pixels": 400_000},
    "sampling": {"temperature": 0, "seed": 7},
    "attempts": 1,
    "price_per_hour": 0,
    "source": "--url",
    "licence": "that of the model",
}
# Of short patterns, so that weights that know nothing come to an end of each as well.
_TASK = {
    "id": "short_fields",
    "description": "Fields whose grammar ends soon",
    "document_type": "receipt",
    "fields": [
        {"name": "total", "type": "money", "description": "Total"},
        {"name": "tax_total", "type": "money", "description": "Tax"},
        {"name": "subtotal", "type": "money", "description": "Total before tax"},
        {"name": "issue_time", "type": "time", "description": "Time of issue"},
        {"name": "currency", "type": "currency", "description": "Currency, ISO 4217"},
    ],
}


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    """The mock, which takes `--latency-ms` for an answer that it knows (0: it is left out); then
    the real server at `--url`, where one is named.
    """
    ways: list[dict[str, Any]] = []
    if options.latency_ms:
        with upstream(options.latency_ms / 1000) as model:
            asked, found = await _through(options, model.url, "", "mock-chat", {})
        name = f"mock, {options.latency_ms / 1000:g} s"
        ways.append({"upstream": name, "asked_bytes": asked, **found})
    if options.url:
        with _code_with_a_card(options) as code:
            place = {"PYTHONPATH": str(code)}
            asked, found = await _through(options, options.url, options.key, options.model, place)
        ways.append({"upstream": options.name, "asked_bytes": asked, **found})
    return {"ways": ways}


@contextmanager
def _code_with_a_card(options: argparse.Namespace) -> Iterator[Path]:
    """A copy of the code whose configuration has a card for the real server's model, small enough
    for its context, and a task that it can answer whatever it knows.
    """
    limits = {
        "pages": 1,
        "context_tokens": options.context_tokens,
        "answer_tokens": options.answer_tokens,
        "ocr_characters": 400,
    }
    with tempfile.TemporaryDirectory(prefix="code-") as place:
        code = Path(place)
        for name in ("apps", "lib", "configs"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(SCRIPTS.parent / name, code / name, ignore=ignored)
        card = {**_CARD, "served_names": [options.model], "limits": limits}
        (code / "configs/models/real-server.yaml").write_text(yaml.safe_dump(card))
        (code / "configs/tasks/short_fields.yaml").write_text(yaml.safe_dump(_TASK))
        yield code


async def _through(
    options: argparse.Namespace, url: str, key: str, model: str, place: dict[str, str]
) -> tuple[int, dict[str, Any]]:
    """Bytes of a question, and the figures of one upstream."""
    settings = {
        "INFERENCE_BACKEND": "vllm",
        "VLLM_MODEL": model,
        "VLLM_API_KEY": key,
        **({"EXTRACT_CONCURRENCY": str(options.concurrency)} if options.concurrency else {}),
        **place,
    }
    fields = {"task_id": "short_fields"} if place else {}
    asked = await _question(options, settings, fields)
    headers = {**_JSON, "Authorization": f"Bearer {key}"} if key else _JSON
    with orchestrator(options.data_folder, VLLM_BASE_URL=url, **settings) as server:
        through = Target.upload(server.url, options.document, **fields)
        direct = Target(url, CHAT_ROUTE, asked, headers)
        rows = []
        for clients in options.clients:
            for target in (direct, through):
                await _answers(target, clients, options.block / 2)
            rows.append(await _row(direct, through, clients, options))
        await through.close()
        await direct.close()
    return len(asked), {"rows": rows}


async def _question(
    options: argparse.Namespace, settings: dict[str, str], fields: dict[str, str]
) -> bytes:
    """What the orchestrator asks about the document, which depends on nothing that is answered."""
    named = ["--model", settings["VLLM_MODEL"], "--api-key", settings["VLLM_API_KEY"]]
    with (
        upstream(0, *named) as model,
        orchestrator(options.data_folder, VLLM_BASE_URL=model.url, **settings) as server,
    ):
        target = Target.upload(server.url, options.document, **fields)
        (await target()).good()
        await target.close()
        async with httpx.AsyncClient(base_url=model.url) as client:
            return (await client.get("/last")).content


async def _row(
    direct: Target, through: Target, clients: int, options: argparse.Namespace
) -> dict[str, Any]:
    """Both ways by turns; which comes first changes, so that a drift falls on both."""
    bare: list[list[float]] = []
    whole: list[list[float]] = []
    for number in range(max(2, round(options.seconds / options.block))):
        for target in (direct, through) if number % 2 else (through, direct):
            times = await _block(target, clients, options.block)
            (whole if target is through else bare).append(times)
    kept = ratio(bare, whole)
    return {
        "clients": clients,
        "direct": spread([value for block in bare for value in block]),
        "through": spread([value for block in whole for value in block]),
        "direct_per_s": _per_s(clients, bare),
        "through_per_s": _per_s(clients, whole),
        "kept": kept,
    }


def _per_s(clients: int, blocks: Sequence[Sequence[float]]) -> float:
    """Answers a second of clients that never pause (Little's law): a count would lose those that
    are under way when the time is over.
    """
    times = [value for block in blocks for value in block]
    return round(clients / (sum(times) / len(times) / 1000), 2)


async def _block(target: Target, clients: int, seconds: float) -> list[float]:
    """Milliseconds of each answer after every caller's first."""
    replies = await _answers(target, clients, seconds)
    # They begin together: what all wait for at once is no flow.
    later = sorted(replies, key=lambda reply: reply.due_s)[clients:]
    if not later:
        raise SystemExit("--block is shorter than two answers")
    return [reply.milliseconds for reply in later]


async def _answers(target: Target, clients: int, seconds: float) -> list[Reply]:
    """Ends the benchmark for one that is not 200."""
    replies = await kept_busy(target, clients, seconds)
    for reply in replies:
        reply.good()
    return replies
