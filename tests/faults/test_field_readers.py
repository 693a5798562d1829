"""Field readers that hang, die, stop, grow and talk nonsense: real processes."""

import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import psutil
import pytest
from fake_field_reader import FakeRules
from scripted_inference import CONFIGS, sight

from lib.domain.cancellation import Canceled, Cancellation
from lib.domain.deadline import Deadline
from lib.domain.document import Line, Page, PageSource, Word
from lib.domain.extraction import Hints, ModelWeights, Reading
from lib.domain.geometry import Polygon
from lib.errors import Error, Kind
from lib.kie.models.asked import Asked
from lib.kie.models.said import ModelAnswer, Said
from lib.kie.models.sight import Asking, Sight
from lib.pipelines.readers.pool import ReaderLimits, ReaderPool
from lib.pipelines.readers.remote import RulesInReaders
from lib.pipelines.rules import RulesHere
from lib.pipelines.tasks import load_tasks

PROGRAM = Path(__file__).with_name("fake_field_reader.py")
TASKS = load_tasks(Path(CONFIGS) / "tasks")
TASK = TASKS["invoice_fields_v1"]
HINTS = Hints(received_on=date(2026, 11, 21))
PATIENCE_S = 60.0
GIB = 1 << 30


def page(*words: str) -> Page:
    box = Polygon.from_box(0.1, 0.1, 0.3, 0.2)
    return Page(1, 800, 1000, 0, PageSource.OCR, (Line(tuple(Word(w, box) for w in words)),))


@dataclass
class Served:
    """Rules in readers, and the pool behind them."""

    pool: ReaderPool
    rules: RulesInReaders
    cancellation: Cancellation = field(default_factory=Cancellation)

    def read(
        self,
        *words: str,
        deadline: Deadline | None = None,
        meanwhile: Callable[[], object] | None = None,
    ) -> Reading:
        asking = Asking(cancellation=self.cancellation, meanwhile=meanwhile)
        seen = Sight(sight().images, deadline or soon(), asking)
        with self.rules.on([page(*words)], TASK, HINTS, seen) as work:
            work.extract()
            return work.finish()

    def pid(self, *words: str) -> int:
        """Of the process that read."""
        return int(str(self.read(*(words or ("fine",))).result["document_number"]))


@contextmanager
def served(
    readers: int = 1, waiting: int = 4, start: str = "well", **limits: float
) -> Iterator[Served]:
    command = (sys.executable, "-P", str(PROGRAM), start)
    wanted = ReaderLimits(readers, waiting, **limits)  # type: ignore[arg-type]
    with ReaderPool(wanted, TASKS.values(), command=command) as pool:
        rules = RulesInReaders(RulesHere(FakeRules()), pool, TASKS)
        if start == "well":
            assert pool.wait_ready(soon())
        yield Served(pool, rules)


def soon() -> Deadline:
    return Deadline.after(PATIENCE_S)


def until(condition: Callable[[], bool]) -> None:
    """Poll for a state that another thread or process brings about."""
    deadline = soon()
    while not condition():
        assert not deadline.passed
        threading.Event().wait(0.01)


def reader_pids() -> list[int]:
    """Of the readers alone: other tests of this process may have children too."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # somebody else's, that has just ended
            if str(PROGRAM) in child.cmdline():
                found.append(child.pid)
    return found


def in_background(work: Callable[[], object]) -> tuple[threading.Thread, list[BaseException]]:
    ended: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except (Error, Canceled) as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, ended


@pytest.mark.parametrize("document", ["explode", "stop"])
def test_what_hangs_fails_after_its_time_and_the_next_is_read_by_another(document: str) -> None:
    with served(document_seconds=3.0) as readers:
        first = readers.pid()
        with pytest.raises(Error) as failed:
            readers.read(document, deadline=Deadline.after(3600))
        assert failed.value.code == "unreadable_document"
        assert failed.value.details == {"reason": "timeout"}
        assert not psutil.pid_exists(first)
        assert readers.pid() not in {first, os.getpid()}
        assert readers.pool.stats.restarts == 1


def test_what_is_done_while_it_reads_is_not_its_time() -> None:
    with served(document_seconds=2.0) as readers:
        first, done = readers.pid(), threading.Event()
        read = readers.read("fine", meanwhile=lambda: done.wait(2.5))
        assert read.result["document_number"] == str(first)
        assert readers.pool.stats.restarts == 0


def test_the_deadline_ends_it_earlier() -> None:
    with served() as readers:
        first = readers.pid()
        with pytest.raises(Error) as failed:
            readers.read("explode", deadline=Deadline.after(1.0))
        assert failed.value.code == "inference_timeout"
        assert not psutil.pid_exists(first)


def test_a_document_that_ends_its_reader_is_tried_once_more_and_fails() -> None:
    with served() as readers:
        with pytest.raises(Error) as failed:
            readers.read("abort")
        assert failed.value.code == "unreadable_document"
        assert failed.value.kind is Kind.UNPROCESSABLE
        assert failed.value.details == {"reason": "crashed"}
        assert readers.pid() != os.getpid()
        assert readers.pool.stats.restarts == 2


def test_a_reader_that_dies_costs_a_document_one_more_try(tmp_path: Path) -> None:
    with served() as readers:
        first = readers.pid()
        assert readers.pid("abort-once", str(tmp_path / "mark")) not in {first, os.getpid()}
        assert readers.pool.stats.restarts == 1


def test_killed_while_it_reads_from_outside(tmp_path: Path) -> None:
    with served() as readers:
        first, mark = readers.pid(), tmp_path / "asleep"
        thread, ended = in_background(lambda: readers.read("sleep", str(mark)))
        until(mark.exists)
        mark.unlink()
        os.kill(first, signal.SIGKILL)
        until(mark.exists)  # again, in another one
        (second,) = reader_pids()
        os.kill(second, signal.SIGKILL)
        thread.join(PATIENCE_S)
        (error,) = ended
        assert isinstance(error, Error)
        assert error.details == {"reason": "crashed"}


def test_killed_while_it_had_nothing_to_do() -> None:
    with served(readers=2) as readers:
        until(lambda: readers.pool.stats.loaded == 2)
        killed = reader_pids()
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        assert readers.pid() not in {*killed, os.getpid()}


def test_stopped_while_it_had_nothing_to_do() -> None:
    with served(document_seconds=2.0) as readers:
        stopped = readers.pid()
        os.kill(stopped, signal.SIGSTOP)
        assert readers.pid() not in {stopped, os.getpid()}


def test_killed_before_it_is_told_what_a_model_said() -> None:
    with served() as readers:
        seen = sight()
        with readers.rules.on([page("fine")], TASK, HINTS, seen) as work:
            work.extract()
            found = work.found()
        (first,) = reader_pids()
        os.kill(first, signal.SIGKILL)
        said = {"document_number": (Said("fine", 0.9),)}
        asked = Asked(ModelAnswer(said, {}), ("document_number",), ModelWeights())
        with readers.rules.on([page("fine")], TASK, HINTS, seen) as work:
            assert work.finish_over(found, asked).result["document_number"] == "fine"
        assert readers.pid() not in {first, os.getpid()}


def test_a_document_that_no_reader_lives_to_receive_is_given_back_for_another_try() -> None:
    with served(start="leaves") as readers:
        assert readers.pool.wait_ready(soon())
        with pytest.raises(Error) as failed:
            readers.read("fine")
        assert (failed.value.code, failed.value.retryable) == ("inference_unavailable", True)


def test_who_no_longer_waits_ends_his_reader(tmp_path: Path) -> None:
    with served() as readers:
        first, mark = readers.pid(), tmp_path / "asleep"
        thread, ended = in_background(lambda: readers.read("sleep", str(mark)))
        until(mark.exists)
        readers.cancellation.set()
        thread.join(PATIENCE_S)
        assert isinstance(ended[0], Canceled)
        assert not psutil.pid_exists(first)


def test_who_no_longer_waits_leaves_the_queue(tmp_path: Path) -> None:
    with served() as readers:
        mark = tmp_path / "asleep"
        busy = Served(readers.pool, readers.rules)
        first, _ = in_background(lambda: busy.read("sleep", str(mark)))
        until(mark.exists)
        second, ended = in_background(lambda: readers.read("fine"))
        until(lambda: readers.pool.stats.waiting == 1)
        readers.cancellation.set()
        second.join(PATIENCE_S)
        assert isinstance(ended[0], Canceled)
        assert readers.pool.stats.waiting == 0
        busy.cancellation.set()
        first.join(PATIENCE_S)


def test_more_than_may_wait_are_refused(tmp_path: Path) -> None:
    with served(waiting=0) as readers:
        mark = tmp_path / "asleep"
        thread, _ = in_background(lambda: readers.read("sleep", str(mark)))
        until(mark.exists)
        with pytest.raises(Error) as refused:
            Served(readers.pool, readers.rules).read("fine")
        assert refused.value.code == "inference_unavailable"
        assert refused.value.retryable
        readers.cancellation.set()
        thread.join(PATIENCE_S)


def test_a_bug_fails_its_document_alone_and_only_its_place_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with served() as readers:
        first = readers.pid()
        with caplog.at_level(logging.ERROR), pytest.raises(Error) as failed:
            readers.read("bug")
        assert failed.value.code == "internal_error"
        assert "KeyError at fake_field_reader.py" in caplog.text
        assert "secret" not in caplog.text
        assert readers.pid() == first


def test_candidates_of_another_shape_are_refused_and_their_reader_replaced() -> None:
    with served() as readers:
        first = readers.pid()
        seen = Sight(sight().images, soon(), Asking())
        with (
            pytest.raises(Error) as failed,
            readers.rules.on([page("nonsense")], TASK, HINTS, seen) as work,
        ):
            work.extract()
            work.found()
        assert failed.value.code == "internal_error"
        assert readers.pid() != first


def test_readers_are_replaced_after_so_many_documents() -> None:
    with served(documents_per_reader=2) as readers:
        pids = [readers.pid() for _ in range(3)]
        assert pids[0] == pids[1] != pids[2]
        assert (readers.pool.stats.recycled, readers.pool.stats.restarts) == (1, 0)


def test_a_reader_that_has_grown_is_replaced() -> None:
    with served(reader_bytes=GIB // 2) as readers:
        pids = {readers.pid("grow") for _ in range(4)}
        assert len(pids) > 1
        assert readers.pool.stats.recycled >= 1


def test_documents_are_read_here_until_the_first_reader_is_up() -> None:
    with served(start="dies") as readers:
        assert readers.pid() == os.getpid()
        assert not readers.pool.wait_ready(soon())
        assert readers.pid() == os.getpid()


def test_the_end_of_the_pool_is_the_end_of_what_it_reads(tmp_path: Path) -> None:
    with served() as readers:
        first, mark = readers.pid(), tmp_path / "asleep"
        busy, ended = in_background(lambda: readers.read("sleep", str(mark)))
        until(mark.exists)
        waiting, refused = in_background(lambda: readers.read("fine"))
        until(lambda: readers.pool.stats.waiting == 1)
    for thread, found in ((busy, ended), (waiting, refused)):
        thread.join(PATIENCE_S)
        (error,) = found
        assert isinstance(error, Error)
        assert error.code == "shutting_down"
    assert not psutil.pid_exists(first)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux ends it")
def test_a_reader_that_hangs_does_not_outlive_a_killed_parent() -> None:
    program = textwrap.dedent(
        f"""
        import sys
        sys.path[:0] = {[str(PROGRAM.parent), str(PROGRAM.parents[1])]!r}
        import psutil, threading
        from test_field_readers import served
        with served() as readers:
            threading.Thread(target=readers.read, args=("explode",), daemon=True).start()
            child = psutil.Process(readers.pool._processes.copy().pop().pid)
            before = sum(child.cpu_times()[:2])
            while sum(child.cpu_times()[:2]) < before + 0.2:
                threading.Event().wait(0.01)
            print(child.pid, flush=True)
            threading.Event().wait(600)
        """
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent, parent.stdout:
        reader = int(parent.stdout.readline())
        parent.kill()
    until(lambda: not psutil.pid_exists(reader) or psutil.Process(reader).status() == "zombie")
