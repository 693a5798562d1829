"""Measures the inference client: what it adds to a call, its throughput, and how soon it is back.

    python scripts/bench_inference.py share                    # against the mock, started here
    python scripts/bench_inference.py cpu                      # against the mock, started here
    python scripts/bench_inference.py throughput --url URL --key KEY --model NAME
    python scripts/bench_inference.py recovery                 # SIGKILL of the mock, started here
    python scripts/bench_inference.py recovery --url URL --key KEY --model NAME --start COMMAND

`throughput` compares with bare httpx calls to the same server, in short phases of one kind each:
callers of both kinds at once would share the interpreter, and disturb each other. `recovery` kills
the server's process group, starts it again and counts from its first good /health to the first good
answer of a caller that never stopped asking.
"""

from __future__ import annotations

import argparse
import os
import random
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

import httpx
from rich.console import Console
from rich.table import Table

from lib.domain.deadline import Deadline
from lib.errors import Error
from lib.inference.addresses import AddressBook
from lib.inference.http_client import ClientSettings, HttpInferenceClient
from lib.inference.secret import Secret
from lib.inference.wire import CHAT_ROUTE, HEALTH_ROUTE, ChatRequest, Message

MOCK = Path(__file__).with_name("mock_vllm.py")
MOCK_URL = "http://127.0.0.1:8019"
PATIENCE_S = 180.0
console = Console()


@contextmanager
def started(command: Sequence[str], url: str) -> Iterator[subprocess.Popen[bytes]]:
    """The server in a process group of its own, once it is in good health."""
    process = subprocess.Popen(
        command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_healthy(url)
        yield process
    finally:
        kill(process)


def wait_healthy(url: str) -> float:
    """The moment of the first good /health."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            if httpx.get(url + HEALTH_ROUTE, timeout=1).status_code == httpx.codes.OK:
                return time.monotonic()
        except httpx.HTTPError:
            time.sleep(0.02)
    sys.exit("the server did not start")


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL for the process and its children."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def chat(model: str, max_tokens: int) -> ChatRequest:
    """A short question without an image: what is measured is the way, not the model."""
    message = Message(role="user", content="What is the total?")
    return ChatRequest(model=model, messages=(message,), max_tokens=max_tokens, temperature=0)


@contextmanager
def clients(
    url: str, key: str, model: str, max_tokens: int
) -> Iterator[tuple[Callable[[], object], Callable[[], object]]]:
    """A call through the client and a bare one of the same request."""
    request = chat(model, max_tokens)
    body = request.to_json()
    headers = {"Content-Type": "application/json"} | Secret(key).headers()

    def bare_call() -> object:
        answer = bare.post(CHAT_ROUTE, content=body, headers=headers)
        return answer.raise_for_status().json()["choices"][0]["message"]

    with (
        HttpInferenceClient(AddressBook(url), Secret(key), ClientSettings()) as ours,
        # vLLM closes a connection that is idle for 5 s, and the phases of the other kind are such.
        httpx.Client(base_url=url, timeout=120, limits=httpx.Limits(keepalive_expiry=4)) as bare,
    ):
        yield (lambda: ours.complete(request, Deadline.after(120))), bare_call


def measure_share(options: argparse.Namespace) -> None:
    """Per call: seconds in the caller less the seconds that the mock says it took."""
    command = [sys.executable, str(MOCK), "--port", MOCK_URL.rpartition(":")[2]]
    with (
        started(command, MOCK_URL),
        clients(MOCK_URL, "", "mock-chat", 60) as (ours, bare),
        httpx.Client(base_url=MOCK_URL) as metrics,
    ):

        def added_ms(call: Callable[[], object]) -> float:
            before = spent_s(metrics)
            begin = time.perf_counter()
            call()
            whole = time.perf_counter() - begin
            return (whole - (spent_s(metrics) - before)) * 1000

        rounds = [(added_ms(ours), added_ms(bare)) for _ in range(options.calls + 50)][50:]
    table = Table("milliseconds over the mock's own time", "p50", "p99")
    for name, times in zip(
        ("the client, from a thread", "bare httpx.Client"), zip(*rounds, strict=True), strict=True
    ):
        table.add_row(name, f"{median(times):.2f}", f"{quantiles(times, n=100)[98]:.2f}")
    console.print(table, f"{options.calls} calls each, in turn")


def spent_s(metrics: httpx.Client) -> float:
    """Seconds that the mock has spent on good answers."""
    for line in metrics.get("/metrics").text.splitlines():
        if line.startswith("vllm:e2e_request_latency_seconds_sum"):
            return float(line.split()[-1])
    sys.exit("no such metric")


def measure_cpu(options: argparse.Namespace) -> None:
    """Milliseconds of this process's CPU a call: what the client takes from a server beside it."""
    command = [sys.executable, str(MOCK), "--port", MOCK_URL.rpartition(":")[2]]
    table = Table("callers", "client, ms of CPU a call", "bare, ms of CPU a call")
    with started(command, MOCK_URL), clients(MOCK_URL, "", "mock-chat", 60) as kinds:
        for callers in (1, 8, 32):
            with ThreadPoolExecutor(callers) as threads:
                rounds = [
                    [cpu_ms(call, threads, options.calls // 10) for call in kinds]
                    for _ in range(11)
                ][1:]
            ours, bare = (median(times) for times in zip(*rounds, strict=True))
            table.add_row(str(callers), f"{ours:.2f}", f"{bare:.2f}")
    console.print(table, f"median of 10 rounds of {options.calls // 10} calls each, in turn")


def cpu_ms(call: Callable[[], object], threads: ThreadPoolExecutor, calls: int) -> float:
    """CPU time of this process over so many calls."""
    before = time.process_time()
    deque(threads.map(lambda _: call(), range(calls)), maxlen=0)
    return (time.process_time() - before) / calls * 1000


def measure_throughput(options: argparse.Namespace) -> None:
    """Calls a second of callers that never pause, over many short phases of one kind each."""
    table = Table(
        "callers", "client, calls/s", "bare, calls/s", "client / bare", "95 %", "calls measured"
    )
    with clients(options.url, options.key, options.model, options.max_tokens) as calls:
        for callers in (1, 8, 32):
            for call in calls:  # connections and caches
                answered(call, callers, options.phase)
            pairs = phases(calls, callers, options)
            ours, bare = (sum(counts) for counts in zip(*pairs, strict=True))
            seconds = options.phase * len(pairs)
            low, high = interval_of_ratio(pairs)
            table.add_row(
                str(callers),
                f"{ours / seconds:.1f}",
                f"{bare / seconds:.1f}",
                f"{ours / bare:.3f}",
                f"{low:.3f} to {high:.3f}",
                str(ours + bare),
            )
    console.print(
        table, f"{options.seconds:g} s for each number of callers in phases of {options.phase:g} s"
    )


def phases(
    calls: Sequence[Callable[[], object]], callers: int, options: argparse.Namespace
) -> list[tuple[int, int]]:
    """Calls answered in each pair of phases; which kind is first changes from pair to pair, so
    that a drift of the machine falls on both.
    """
    pairs = []
    for number in range(round(options.seconds / options.phase / 2)):
        order = (0, 1) if number % 2 else (1, 0)
        counts = {kind: answered(calls[kind], callers, options.phase) for kind in order}
        pairs.append((counts[0], counts[1]))
    return pairs


def answered(call: Callable[[], object], callers: int, seconds: float) -> int:
    """Calls that were answered within the time; one that ends after it does not count."""
    end = time.monotonic() + seconds

    def ask(_: int) -> int:
        count = 0
        while True:
            call()
            if time.monotonic() > end:
                return count
            count += 1

    with ThreadPoolExecutor(callers) as threads:
        return sum(threads.map(ask, range(callers)))


def interval_of_ratio(pairs: Sequence[tuple[int, int]]) -> tuple[float, float]:
    """95 % of the ratio of sums over pairs drawn again with replacement (Efron's bootstrap)."""
    chance = random.Random(1)
    ratios = []
    for _ in range(2000):
        drawn = chance.choices(pairs, k=len(pairs))
        ratios.append(sum(ours for ours, _ in drawn) / sum(bare for _, bare in drawn))
    cuts = quantiles(ratios, n=40)
    return cuts[0], cuts[-1]


def measure_recovery(options: argparse.Namespace) -> None:
    """Seconds from the first good /health after a SIGKILL to the first good answer."""
    url = options.url or MOCK_URL
    port = url.rpartition(":")[2]
    command = (
        shlex.split(options.start) if options.start else [sys.executable, str(MOCK), "--port", port]
    )
    table = Table("run", "down for, s", "first good answer after it is back, s", "calls refused")
    for run in range(1, options.runs + 1):
        with clients(url, options.key, options.model, 4) as (ours, _):
            good: list[float] = []
            refused: list[float] = []
            over = threading.Event()
            asker = threading.Thread(target=ask_on, args=(ours, good, refused, over))
            with started(command, url) as process:
                asker.start()
                while not good:
                    time.sleep(0.01)
                kill(process)
                killed = time.monotonic()
            with started(command, url):
                back = time.monotonic()
                while good[-1] < back:
                    time.sleep(0.005)
                over.set()
                asker.join()
        first = next(moment for moment in good if moment > killed + 0.05)
        table.add_row(str(run), f"{back - killed:.2f}", f"{first - back:.3f}", str(len(refused)))
    console.print(table, "negative: an answer came before the other watcher saw /health")


def ask_on(
    call: Callable[[], object],
    good: list[float],
    refused: list[float],
    over: threading.Event,
) -> None:
    """Call until told to stop, noting when each call ended and how."""
    while not over.wait(0.02):
        try:
            call()
            good.append(time.monotonic())
        except Error:
            refused.append(time.monotonic())


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("share", "cpu", "throughput", "recovery"))
    parser.add_argument("--url", default="")
    parser.add_argument("--key", default="")
    parser.add_argument("--model", default="mock-chat")
    parser.add_argument("--start", default="", help="command that starts the server at --url")
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--phase", type=float, default=2.0)
    parser.add_argument("--max-tokens", type=int, default=16)
    options = parser.parse_args()
    if options.what == "throughput" and not options.url:
        parser.error("throughput needs --url: a server that is running")
    measure = {
        "share": measure_share,
        "cpu": measure_cpu,
        "throughput": measure_throughput,
        "recovery": measure_recovery,
    }
    measure[options.what](options)


if __name__ == "__main__":
    main()
