"""Measures what the orchestrator adds to a model's own time, over HTTP from file to answer.

    python scripts/bench_orchestrator.py samples/invoice_digital.pdf -n 100
    python scripts/bench_orchestrator.py samples/receipt_photo.jpg -n 20

Starts the mock and `ocr serve` and sends the document again and again, one at a time. Per request:
the wall clock at the caller, the time in the mock (its own counter), and the difference, which is
the orchestrator: loading, OCR, rules, grounding, post, store, and the client. A document with a
text layer needs no OCR; without one OCR is most of the orchestrator's time.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

import httpx
from rich.console import Console
from rich.table import Table

MOCK = Path(__file__).with_name("mock_vllm.py")
OCR = Path(sys.executable).with_name("ocr")
PATIENCE_S = 300.0


@contextmanager
def started(command: Sequence[str | Path], environment: Mapping[str, str]) -> Iterator[str]:
    """The address that a server says it listens on; the server is ended afterwards."""
    process = subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[2]
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Print the shares."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("document", type=Path)
    parser.add_argument("-n", type=int, default=50, help="requests that are measured")
    parser.add_argument("--model", default="mock-tilt", choices=("mock-chat", "mock-tilt"))
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        started([sys.executable, MOCK, "--port", "0"], {}) as mock,
        started(
            [OCR, "serve", "--port", "0"],
            {
                "INFERENCE_BACKEND": "mock",
                "VLLM_BASE_URL": mock,
                "VLLM_MODEL": options.model,
                "DATA_ROOT": folder,
                "LOG_LEVEL": "WARNING",
                "SYNC_DEADLINE_S": str(PATIENCE_S),
            },
        ) as server,
        httpx.Client(base_url=server, timeout=PATIENCE_S) as client,
        httpx.Client(base_url=mock, timeout=PATIENCE_S) as metrics,
    ):
        wait_ready(client)
        rounds = [one(client, metrics, options.document) for _ in range(options.n + 2)][2:]
    show(rounds)


def wait_ready(client: httpx.Client) -> None:
    """Until the models have loaded and the mock has been found."""
    end = time.monotonic() + PATIENCE_S
    while client.get("/v1/health").json()["status"] != "ok":
        if time.monotonic() > end:
            sys.exit("the server did not get ready")
        time.sleep(0.2)


def one(client: httpx.Client, metrics: httpx.Client, document: Path) -> dict[str, float]:
    """Milliseconds of one request, by station; `whole`, `mock` and `orchestrator` besides."""
    before = spent_ms(metrics)
    begun = time.perf_counter()
    answer = client.post("/v1/extract", files={"file": document.read_bytes()})
    whole = (time.perf_counter() - begun) * 1000
    if answer.status_code != 200 or answer.json()["backend"] != "mock":
        sys.exit(f"not answered by the mock: {answer.status_code}")
    mock = spent_ms(metrics) - before
    stations = {k: float(v) for k, v in answer.json()["timings_ms"].items() if k != "total"}
    return {"whole": whole, "mock": mock, "orchestrator": whole - mock, **stations}


def spent_ms(metrics: httpx.Client) -> float:
    """Milliseconds that the mock has spent on answers, as it counts them."""
    for line in metrics.get("/metrics").text.splitlines():
        if line.startswith("vllm:e2e_request_latency_seconds_sum"):
            return float(line.rpartition(" ")[2]) * 1000
    sys.exit("the mock does not count its time")


def show(rounds: Sequence[Mapping[str, float]]) -> None:
    """A line a station: median and 99th percentile."""
    table = Table("milliseconds", "p50", "p99", title=f"{len(rounds)} requests, one at a time")
    for name in dict.fromkeys(name for found in rounds for name in found):
        values = [found.get(name, 0.0) for found in rounds]
        high = quantiles(values, n=100)[98] if len(values) > 1 else values[0]
        table.add_row(name, f"{median(values):.1f}", f"{high:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
