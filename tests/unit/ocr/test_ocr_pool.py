"""The pool against workers that crash, hang, grow and fail to start."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from lib.domain.deadline import Deadline
from lib.domain.document import PageImage
from lib.errors import Error, Kind
from lib.ocr import pool as pool_module
from lib.ocr.pool import OcrPool, PoolLimits

WORKER = Path(__file__).with_name("fake_ocr_worker.py")
READ, CRASH, HANG, RAISE, FAIL, GROW, SHOUT, FORK, THREADS = range(9)
GIB = 1 << 30


def page(action: int, width: int = 4, height: int = 2) -> PageImage:
    return PageImage(width, height, bytes([action]) + bytes(width * height * 3 - 1))


@contextmanager
def pool_of(
    workers: int = 1,
    waiting: int = 4,
    pages: int = 1000,
    memory: int = GIB,
    start: str = "well",
    page_seconds: float = 60.0,
    threads: int = 1,
) -> Iterator[OcrPool]:
    command = (sys.executable, "-P", str(WORKER), start)
    limits = PoolLimits(workers, waiting, pages, memory, page_seconds, threads)
    with OcrPool(command, limits) as pool:
        yield pool


def soon() -> Deadline:
    return Deadline.after(60)


def until(condition: Callable[[], bool]) -> None:
    """Poll for a state that another thread brings about."""
    deadline = soon()
    while not condition():
        assert not deadline.passed
        threading.Event().wait(0.005)


def pid_of(pool: OcrPool) -> int:
    return int(pool.read(page(READ), soon()).lines[0].text)


def threads_of(pool: OcrPool) -> int:
    return int(pool.read(page(THREADS), soon()).lines[0].text)


def is_worker(process: psutil.Process) -> bool:
    """Other tests of this process may have children too."""
    return str(WORKER) in process.cmdline()


@pytest.fixture
def children() -> Callable[[], list[psutil.Process]]:
    """The processes below this one that were begun since; other tests may keep some as well."""
    before = set(psutil.Process().children(recursive=True))
    return lambda: [
        child for child in psutil.Process().children(recursive=True) if child not in before
    ]


def test_a_page_is_read_with_everything_the_engine_said() -> None:
    with pool_of() as pool:
        reading = pool.read(page(READ, width=5, height=3), soon())
        assert (reading.rotation, reading.width, reading.height) == (90, 3, 5)
        (word,) = reading.lines[0].words
        assert word.confidence == 0.5
        assert (word.polygon.x0, word.polygon.y1) == (0.1, 0.4)
        assert pool.engine_name == "fake"
        assert pool.ready


def test_it_is_at_rest_when_all_have_loaded_and_none_has_a_page() -> None:
    with pool_of(workers=2) as pool:
        assert pool.wait_at_rest(soon())
        assert pool.stats.loaded == 2
        ticket = pool.submit(page(HANG), soon())
        until(lambda: pool.stats.busy == 1)
        assert not pool.wait_at_rest(Deadline.after(0.1))
        pool.cancel(ticket)
        assert pool.wait_at_rest(soon())
    assert not pool.wait_at_rest(soon())


def test_a_page_may_take_so_long_whatever_the_deadline() -> None:
    with pool_of(page_seconds=2.0) as pool:
        first = pid_of(pool)
        with pytest.raises(Error) as failed:
            pool.read(page(HANG), Deadline.after(3600))
        assert (failed.value.code, failed.value.details["reason"]) == (
            "unreadable_document",
            "timeout",
        )
        assert pid_of(pool) != first, "another worker reads on"


def test_loading_begins_before_the_first_page() -> None:
    with pool_of() as pool:
        assert pool.wait_ready(soon())
        assert pool.stats.loaded == 1


def test_the_first_worker_loads_alone_and_the_others_after_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pool_of(workers=3, start=f"log:{log}") as pool:
        until(lambda: pool.stats.loaded == 3)
    lines = [line.split(" ", 1) for line in log.read_text().splitlines()]
    first = lines[0][0]
    assert lines[:2] == [[first, "begins"], [first, "has loaded"]]
    assert len({pid for pid, _ in lines}) == 3


def test_a_worker_is_loaded_once_for_many_pages() -> None:
    with pool_of() as pool:
        assert len({pid_of(pool) for _ in range(10)}) == 1


def test_pages_are_read_side_by_side() -> None:
    with pool_of(workers=2) as pool:
        hanging = pool.submit(page(HANG), soon())
        assert pool.read(page(READ), soon()).lines
        pool.cancel(hanging)


def test_a_crash_is_the_pages_fault_and_the_pool_goes_on() -> None:
    with pool_of() as pool:
        first = pid_of(pool)
        with pytest.raises(Error) as caught:
            pool.read(page(CRASH), soon())
        assert caught.value.code == "unreadable_document"
        assert caught.value.details == {"reason": "crashed"}
        assert pid_of(pool) != first
        assert pool.stats.restarts == 1


def test_workers_killed_while_they_had_nothing_to_do_are_not_the_pages_fault() -> None:
    with pool_of(workers=2) as pool:
        assert pool.wait_at_rest(soon())
        killed = [child.pid for child in psutil.Process().children() if is_worker(child)]
        assert len(killed) == 2
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        assert pid_of(pool) not in killed


def test_a_page_that_no_worker_lives_to_receive_is_given_back_for_another_try() -> None:
    with pool_of(start="leaves") as pool:
        with pytest.raises(Error) as caught:
            pool.read(page(READ), soon())
        assert (caught.value.code, caught.value.retryable) == ("inference_unavailable", True)


def test_a_deadline_kills_the_worker_that_hangs() -> None:
    now = 0.0
    with pool_of() as pool:
        process = psutil.Process(pid_of(pool))
        ticket = pool.submit(page(HANG), Deadline.after(5, lambda: now))
        until(lambda: pool.stats.busy == 1)
        now = 6.0
        with pytest.raises(Error) as caught:
            ticket.result()
        assert (caught.value.code, caught.value.kind) == ("inference_timeout", Kind.TIMEOUT)
        until(lambda: not process.is_running())
        assert pid_of(pool) != process.pid


def test_waiting_for_a_worker_respects_the_deadline() -> None:
    with pool_of() as pool:
        hanging = pool.submit(page(HANG), soon())
        until(lambda: pool.stats.busy == 1)
        with pytest.raises(Error) as caught:
            pool.read(page(READ), Deadline.after(0.02))
        assert caught.value.code == "inference_timeout"
        assert pool.stats.waiting == 0
        pool.cancel(hanging)
        assert pool.read(page(READ), soon()).lines


def test_cancelling_a_page_under_way_kills_its_worker() -> None:
    with pool_of() as pool:
        process = psutil.Process(pid_of(pool))
        ticket = pool.submit(page(HANG), soon())
        until(lambda: pool.stats.busy == 1)
        pool.cancel(ticket)
        until(lambda: not process.is_running())
        assert pid_of(pool) != process.pid


def test_cancelling_a_page_that_is_done_harms_nobody() -> None:
    with pool_of() as pool:
        ticket = pool.submit(page(READ), soon())
        first = ticket.result().lines[0].text
        pool.cancel(ticket)
        assert str(pid_of(pool)) == first
        assert ticket.result().lines[0].text == first


def test_a_full_queue_refuses_and_says_that_a_retry_may_help() -> None:
    with pool_of(waiting=1) as pool:
        under_way = pool.submit(page(HANG), soon())
        until(lambda: pool.stats.busy == 1)
        queued = pool.submit(page(READ), soon())
        with pytest.raises(Error) as caught:
            pool.submit(page(READ), soon())
        assert (caught.value.code, caught.value.retryable) == ("inference_unavailable", True)
        pool.cancel(under_way)
        assert queued.result().lines


def test_a_bug_in_the_engine_is_an_internal_error_without_a_restart(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with pool_of() as pool:
        first = pid_of(pool)
        with pytest.raises(Error) as caught:
            pool.read(page(RAISE), soon())
        assert caught.value.code == "internal_error"
        assert "a bug" not in str(caught.value)
        assert pid_of(pool) == first
    # Where it happened is logged; what it says could quote the page, and is not.
    assert "ValueError at fake_ocr_worker.py:" in caplog.text
    assert "a bug" not in caplog.text
    assert capfd.readouterr() == ("", "")


def test_an_error_of_the_engine_arrives_whole() -> None:
    with pool_of() as pool, pytest.raises(Error) as caught:
        pool.read(page(FAIL), soon())
    error = caught.value
    assert (error.code, error.kind, error.details) == (
        "page_too_large",
        Kind.UNPROCESSABLE,
        {"limit": 3},
    )


def test_what_an_engine_prints_disturbs_neither_the_answers_nor_the_log(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pool_of() as pool:
        assert pool.read(page(SHOUT), soon()).lines
        assert pool.read(page(READ), soon()).lines
    assert capfd.readouterr() == ("", "")


def test_a_worker_that_dies_is_logged_with_its_signal(caplog: pytest.LogCaptureFixture) -> None:
    with pool_of() as pool:
        with pytest.raises(Error):
            pool.read(page(CRASH), soon())
        pid_of(pool)
    assert f"exit status {-signal.SIGABRT}" in caplog.text


def test_an_engine_that_cannot_load_says_so_without_its_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pool_of(start="bug") as pool:
        assert not pool.wait_ready(soon())
        with pytest.raises(Error, match="inference_unavailable"):
            pool.submit(page(READ), soon())
    assert "KeyError at fake_ocr_worker.py:" in caplog.text
    assert "secret" not in caplog.text


def test_a_grandchild_that_holds_the_pipe_ends_with_its_worker(
    children: Callable[[], list[psutil.Process]],
) -> None:
    now = 0.0
    with pool_of() as pool:
        assert pool.wait_ready(soon())
        ticket = pool.submit(page(FORK), Deadline.after(5, lambda: now))
        until(lambda: len(children()) == 2)
        now = 6.0
        with pytest.raises(Error) as caught:
            ticket.result()
        assert caught.value.code == "inference_timeout"
        assert pid_of(pool)
    until(lambda: not children())


def test_closing_does_not_wait_for_a_thread_that_cannot_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release = threading.Event()
    monkeypatch.setattr(pool_module, "_CLOSE_TIMEOUT_S", 0.1)
    monkeypatch.setattr(OcrPool, "_keep_worker", lambda *_: release.wait(60))
    pool = OcrPool((sys.executable,), PoolLimits(2, 1, 1, GIB))
    pool.close()
    assert any(keeper.is_alive() for keeper in pool._keepers)
    release.set()


def test_workers_are_recycled_by_count() -> None:
    with pool_of(pages=3) as pool:
        pids = [pid_of(pool) for _ in range(7)]
        assert [len(set(pids[:3])), len(set(pids[3:6])), len(set(pids))] == [1, 1, 3]
        assert (pool.stats.recycled, pool.stats.restarts) == (2, 0)


def test_workers_are_recycled_by_memory() -> None:
    with pool_of(memory=200 << 20) as pool:
        first = pid_of(pool)
        assert pid_of(pool) == first
        pool.read(page(GROW), soon())
        assert pid_of(pool) != first
        assert pool.stats.recycled == 1


def test_close_ends_every_process_and_fails_what_waits(
    children: Callable[[], list[psutil.Process]],
) -> None:
    with pool_of(workers=2) as pool:
        tickets = [pool.submit(page(HANG), soon()) for _ in range(3)]
        until(lambda: pool.stats.busy == 2)
        assert len(children()) == 2
    until(lambda: not children())
    for ticket in tickets:
        with pytest.raises(Error) as caught:
            ticket.result()
        assert caught.value.code == "shutting_down"
    with pytest.raises(Error) as caught:
        pool.submit(page(READ), soon())
    assert caught.value.code == "shutting_down"


def test_an_engine_that_cannot_load_says_why() -> None:
    with pool_of(start="broken") as pool:
        assert not pool.wait_ready(soon())
        with pytest.raises(Error) as caught:
            pool.read(page(READ), soon())
        assert (caught.value.code, caught.value.message) == ("inference_unavailable", "No models.")


def test_a_worker_that_dies_while_loading_fails_pages_instead_of_holding_them() -> None:
    with pool_of(start="dies") as pool:
        with pytest.raises(Error) as caught:
            pool.read(page(READ), soon())
        assert caught.value.code == "inference_unavailable"
        assert not pool.ready


def test_workers_die_with_their_parent_even_when_it_is_killed() -> None:
    program = textwrap.dedent(
        f"""
        import sys, time
        from lib.ocr.pool import OcrPool, PoolLimits
        from lib.domain.deadline import Deadline
        from lib.domain.document import PageImage
        command = (sys.executable, "-P", {str(WORKER)!r}, "well")
        pool = OcrPool(command, PoolLimits(2, 4, 9, 1 << 30))
        one = pool.read(PageImage(1, 1, bytes(3)), Deadline.after(100)).lines[0].text
        pool.submit(PageImage(1, 1, bytes([2, 0, 0])), Deadline.after(600))
        while not pool.stats.busy or pool.stats.loaded < 2:
            time.sleep(0.01)
        print("ready", flush=True)
        time.sleep(600)
        """
    )
    parent = subprocess.Popen(
        [sys.executable, "-P", "-c", program], stdout=subprocess.PIPE, text=True, cwd="/"
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "ready\n"
    workers = psutil.Process(parent.pid).children()
    assert len(workers) == 2
    os.kill(parent.pid, 9)
    parent.wait()
    parent.stdout.close()
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert alive == []


def test_many_threads_share_a_pool() -> None:
    with pool_of(workers=2, waiting=64) as pool:
        outcomes: list[str] = []

        def read_some() -> None:
            for action in (READ, CRASH, READ):
                try:
                    outcomes.append(pool.read(page(action), soon()).lines[0].text)
                except Error as error:
                    outcomes.append(error.code)

        threads = [threading.Thread(target=read_some) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert outcomes.count("unreadable_document") == 4
    assert len(outcomes) == 12


@pytest.mark.parametrize(("threads", "share"), [(1, [1, 1, 1, 1]), (3, [3, 2, 1, 1])])
def test_a_page_has_the_threads_of_workers_that_have_none(threads: int, share: list[int]) -> None:
    with pool_of(workers=4, threads=threads) as pool:
        assert pool.wait_at_rest(soon())
        found, others = [], []
        for busy in range(4):
            found.append(threads_of(pool))
            others.append(pool.submit(page(HANG), soon()))
            until(lambda: pool.stats.busy == busy + 1)  # noqa: B023 (called before the next turn)
        assert found == share


def test_pages_that_wait_have_their_share_too() -> None:
    with pool_of(workers=2, threads=2) as pool:
        assert pool.wait_at_rest(soon())
        others = [pool.submit(page(HANG), soon()) for _ in range(2)]
        until(lambda: pool.stats.busy == 2)
        waiting = [pool.submit(page(THREADS), soon()) for _ in range(2)]
        pool.cancel(others[0])
        assert [int(ticket.result().lines[0].text) for ticket in waiting] == [1, 1]
        pool.cancel(others[1])
        until(lambda: pool.stats.busy == 0)
        assert threads_of(pool) == 2
