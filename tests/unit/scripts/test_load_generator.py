"""The load generator does not wait for answers, and its figures are those of what it saw."""

from __future__ import annotations

import asyncio
import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "scripts"))

from load.arrivals import Answer, Reply, Target, kept_busy, moments, on_schedule, without_end  # noqa: E402
from load.figures import difference, ratio, slope, spread  # noqa: E402
from load.servers import Server  # noqa: E402
from load.tables import PICTURES, TABLES, filled  # noqa: E402

CURVE = [[float(q), 10.0 + q] for q in (0, 50, 90, 99, 99.9)]
SPREAD = {"n": 9, "p50": 3.0, "p99": 8.25}
SURE = {"value": 3.0, "low": 2.5, "high": 3.5}
RAN = {
    "machine": {
        "processor": "A fast one",
        "cores": 2,
        "python": "3.11.7",
        "commit": "abc",
        "load_before": 0.1,
    }
}
REPORTS = {
    "overhead": {
        **RAN,
        "asked": {"rate": 30.0},
        "late_ms_p99": 1.0,
        "syncs": SPREAD,
        "direct": SPREAD,
        "through": SPREAD,
        "stations": {"reading": SPREAD, "store": SPREAD},
        "whole_overhead": {"p50": SURE, "p99": SURE},
        "own_overhead": {"p50": SURE, "p99": SURE},
        "curves": {"direct": CURVE, "own": CURVE, "through": CURVE},
    },
    "throughput": {
        **RAN,
        "ways": [
            {
                "upstream": upstream,
                "rows": [
                    {
                        "clients": clients,
                        "direct": SPREAD,
                        "through": SPREAD,
                        "direct_per_s": 2.0,
                        "through_per_s": 1.96,
                        "kept": {"value": 0.98, "low": 0.97, "high": 0.99},
                    }
                    for clients in (1, 8)
                ],
            }
            for upstream in ("mock, 5 s", "a real one")
        ],
    },
    "saturation": {
        **RAN,
        "capacity_per_s": 20.0,
        "offered_per_s": 40.0,
        "answered_per_s": 19.0,
        "throughput_kept": 0.95,
        "alone": SPREAD,
        "accepted": SPREAD,
        "refused": {"n": 0},
        "refused_share": 0.0,
        "refused_without_retry_after": 0,
        "accepted_without_artifact": 0,
        "statuses": {"200": 9},
        "curves": {"alone": CURVE, "accepted": CURVE},
    },
    "soak": {
        **RAN,
        "documents": 20,
        "seconds": 3.0,
        "artifacts": 20,
        "after_documents": 4,
        "server_mb": {"first": 180.0, "last": 181.0},
        "workers_mb": {"first": 600.0, "last": 610.0},
        "server_mb_per_1000": SURE,
        "workers_mb_per_1000": SURE,
        "looks": [[10, 180.0, 600.0], [20, 181.0, 610.0]],
    },
    "growth": {
        **RAN,
        "pages": [
            {"pages": 1, "p50": 40.0, "ms_a_page": 40.0, "lines_found": 38, "lines": 38},
            {"pages": 10, "p50": 300.0, "ms_a_page": 30.0, "lines_found": 380, "lines": 380},
        ],
        "clients": [
            {"clients": 1, "p50": 40.0, "p99": 50.0, "answered_per_s": 25.0, "not_answered": 0},
            {"clients": 4, "p50": 90.0, "p99": 120.0, "answered_per_s": 45.0, "not_answered": 0},
        ],
    },
    "peers": {
        **RAN,
        "documents": 3,
        "engines": {
            "ours (x)": {
                "exact": 0.9,
                "relaxed": 0.95,
                "exact_beside_first": [0.0, 0.0, 0.0],
                "ocr_s": 0.4,
                "ocr_cpu_s": 0.5,
            }
        },
    },
}


def test_requests_come_when_they_are_due_whether_or_not_others_were_answered() -> None:
    async def all_at_once() -> list[int]:
        everybody = asyncio.Barrier(5)  # nobody is answered before all have asked

        async def call() -> Answer:
            await everybody.wait()
            return Answer(200)

        replies = await on_schedule(call, [0.0, 0.0, 0.001, 0.002, 0.003])
        return [reply.status for reply in replies]

    assert asyncio.run(asyncio.wait_for(all_at_once(), 30)) == [200] * 5


def test_a_request_that_is_sent_late_has_waited_since_it_was_due() -> None:
    async def call() -> Answer:
        return Answer(200)

    replies = asyncio.run(on_schedule(call, [-5.0, 0.0]))
    assert replies[0].latency_s >= 5.0
    assert replies[0].late_s >= 5.0


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"", b"ServerDisconnectedError"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfive!", b"ClientPayloadError"),
        (b"nonsense\r\n\r\n", b"ClientResponseError"),
    ],
)
def test_who_does_not_answer_whole_is_counted(said: bytes, error: bytes) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"the end")
        writer.write(said)
        writer.close()

    async def load() -> list[Reply]:
        async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
            host, port = server.sockets[0].getsockname()
            target = Target(f"http://{host}:{port}", "/", b"the end", {})
            replies = await on_schedule(target, [0.0])
        replies += await on_schedule(target, [0.0])  # nobody listens any more
        await target.close()
        return replies

    assert [(reply.status, reply.body) for reply in asyncio.run(load())] == [
        (0, error),
        (0, b"ClientConnectorError"),
    ]


def test_an_upload_is_sent_as_a_form_and_its_answer_comes_as_it_was_said() -> None:
    asked = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"--\r\n"))
        writer.write(b"HTTP/1.1 429 No\r\nRetry-After: 3\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()

    async def load() -> Answer:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            host, port = server.sockets[0].getsockname()
            target = Target.upload(f"http://{host}:{port}", b"%PDF-", task_id="t")
            said = await target()
            await target.close()
            return said

    said = asyncio.run(load())
    assert (said.status, said.headers["retry-after"], said.json()) == (429, "3", {})
    head, _, form = asked[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/extract HTTP/1.1\r\n")
    assert b'name="task_id"\r\n\r\nt\r\n' in form and b"\r\n\r\n%PDF-\r\n" in form
    with pytest.raises(SystemExit, match="HTTP 429"):
        said.good()


def test_an_endless_stream_goes_on_beside_what_waits_and_ends_with_all_answers() -> None:
    async def stream() -> tuple[list[Reply], int]:
        answer, over = asyncio.Event(), asyncio.Event()
        replies: list[Reply] = []
        asked = 0

        async def call() -> Answer:
            nonlocal asked
            asked += 1
            if asked == 4:
                over.set()
            elif asked < 4:
                await answer.wait()
            return Answer(200)

        running = asyncio.create_task(without_end(call, 100, replies, over))
        await over.wait()
        answer.set()
        await running
        return replies, asked

    replies, asked = asyncio.run(stream())
    assert len(replies) == asked >= 4
    assert sorted(reply.due_s for reply in replies)[:4] == [0.0, 0.01, 0.02, 0.03]


def test_clients_of_a_closed_loop_are_never_more_than_asked_for() -> None:
    running = most = asked = 0

    async def call() -> Answer:
        nonlocal running, most, asked
        running, asked = running + 1, asked + 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        return Answer(200)

    # Long enough that each of them has begun before it is over, also on a busy machine.
    replies = asyncio.run(kept_busy(call, 3, 1.0))
    assert most == 3
    assert len(replies) == asked


def test_moments_are_even_or_by_chance_at_the_same_rate() -> None:
    assert moments(4, 1, None) == [0.0, 0.25, 0.5, 0.75]
    random = moments(100, 100, seed=3)
    assert random == sorted(random) == moments(100, 100, seed=3)
    assert len(random) == pytest.approx(10_000, rel=0.05)
    assert random[0] > 0 and random[-1] < 100


def test_the_difference_of_quantiles_has_an_interval_around_it() -> None:
    base = [[float(10 * block + i) for i in range(20)] for block in range(6)]
    shifted = [[value + 3 for value in block] for block in base]
    assert difference(shifted, base, 50) == {"value": 3.0, "low": 3.0, "high": 3.0}
    slower = [[value * (1 + 0.1 * at) for value in block] for at, block in enumerate(base)]
    found = difference(slower, base, 50)
    assert found["low"] <= found["value"] <= found["high"]
    assert found["low"] < found["high"]


def test_a_ratio_is_of_means_over_all_blocks_with_an_interval_around_it() -> None:
    assert ratio([[1.0, 3.0], [2.0]], [[2.0], [4.0, 6.0]])["value"] == 0.5
    drifting = [[10.0 + block] * 4 for block in range(6)]
    twice = [[2 * value for value in block] for block in drifting]
    assert ratio(drifting, twice) == {"value": 0.5, "low": 0.5, "high": 0.5}


def test_the_slope_is_megabytes_for_a_thousand_documents_and_no_outlier_moves_it() -> None:
    at = list(range(0, 1000, 10))
    memory = [200 + 0.002 * number for number in at]
    memory[50] += 500  # a look in the middle of a worker's replacement
    assert slope(at, memory)["value"] == pytest.approx(2.0)


def test_the_processor_time_of_what_a_server_started_counts_also_when_that_has_ended(
    tmp_path: Path,
) -> None:
    server = Server("", os.getpid(), tmp_path)
    own, others = server.processor_s()

    subprocess.run([sys.executable, "-c", "sum(range(5_000_000))"], check=True)

    own_now, others_now = server.processor_s()
    assert own_now >= own
    assert others_now > others


def test_quantiles_of_nothing_and_of_something() -> None:
    assert spread([]) == {"n": 0}
    assert spread([1.0, 2.0, 3.0]) == {
        "n": 3, "p50": 2.0, "p90": 2.8, "p95": 2.9, "p99": 2.98, "max": 3.0,
    }  # fmt: skip


@pytest.fixture(scope="module")
def plotting() -> ModuleType:
    """Not imported above: what draws takes long to load, and every process of tests would."""
    return importlib.import_module("plot_performance")


@pytest.mark.parametrize("what", sorted(TABLES))
def test_a_plot_is_the_same_bytes_for_the_same_figures(
    what: str, tmp_path: Path, plotting: ModuleType
) -> None:
    first, second = tmp_path / "1.svg", tmp_path / "2.svg"
    plotting.draw(what, REPORTS[what], first)
    plotting.draw(what, REPORTS[what], second)
    assert first.read_bytes() == second.read_bytes()
    assert 1_000 < first.stat().st_size < 60_000


def test_a_page_is_filled_with_what_was_measured_and_says_what_was_not() -> None:
    empty = "".join(f"<!-- measured: {what} -->\n<!-- end -->\nText.\n" for what in TABLES)
    page = filled(empty, {"overhead": REPORTS["overhead"]})
    assert "| **the orchestrator's own** | 3.00 (2.50 to 3.50) |" in page
    kept = filled(empty, {"throughput": REPORTS["throughput"]})
    assert "| a real one | 8 | 2.0 | 1.96 | 0.980 (0.970 to 0.990) | 18 |" in kept
    assert page.count("Not measured yet.") == len(TABLES) - 1
    assert page.count("Text.") == len(TABLES)
    assert filled(page, {"overhead": REPORTS["overhead"]}) == page, "filled anew, not added to"
    assert "Not measured" not in filled(page, REPORTS)


def test_the_documentation_has_a_place_for_every_measurement(plotting: ModuleType) -> None:
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    assert all(f"<!-- measured: {what} -->" in page for what in TABLES)
    assert TABLES.keys() == plotting.PLOTS.keys() == PICTURES.keys()
