"""The store before a remote one: an outage loses nothing and overwrites nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from loguru import logger
from s3_front import Fault
from s3_places import Place

from apps.api_cpu.artifacts.store import Source, is_no_room, store_unavailable
from apps.api_cpu.artifacts.stores.content import in_memory
from apps.api_cpu.artifacts.stores.local import LocalArtifactStore
from apps.api_cpu.artifacts.stores.spool import Limits, Spool
from apps.api_cpu.artifacts.stores.spooling import SpoolingStore
from lib.errors import Error

pytestmark = pytest.mark.slow

pytest_plugins = ["s3_places"]

ROOMY = Limits(size_bytes=10_000_000, files=1000)


def key(number: int) -> str:
    return f"extracts/2026-11-20/{number:04}.json"


class Remote(LocalArtifactStore):
    """Away when it is told so; notes what it takes, in order; refuses what it is told to."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.is_away = False
        self.refused = ""
        self.taken: list[str] = []

    def put(self, key: str, data: bytes) -> None:
        self.put_file(key, *in_memory(data))

    def put_file(self, key: str, source: Source, sha256: str, size: int) -> None:
        self.probe()
        if key == self.refused:
            raise store_unavailable()
        super().put_file(key, source, sha256, size)
        self.taken.append(key)

    def exists(self, key: str) -> bool:
        self.probe()
        return super().exists(key)

    def delete(self, key: str) -> None:
        self.probe()
        super().delete(key)

    def probe(self) -> None:
        if self.is_away:
            raise store_unavailable()


class Machine:
    """A folder of spooled artifacts and the remote store that they are for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.remote = Remote(folder / "remote")

    def store(self, limits: Limits = ROOMY) -> SpoolingStore:
        """A store as another process of the machine opens it."""
        return SpoolingStore(self.remote, self.spool(limits))

    def spool(self, limits: Limits = ROOMY) -> Spool:
        return Spool(self.folder / "spool", limits)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def errors() -> Iterator[list[str]]:
    """What is logged for a person to look after."""
    lines: list[str] = []
    number = logger.add(lambda message: lines.append(str(message.record["extra"])), level="ERROR")
    yield lines
    logger.remove(number)


def _code(action: Callable[[], object]) -> str:
    with pytest.raises(Error) as caught:
        action()
    return caught.value.code


def test_in_an_outage_artifacts_wait_and_then_arrive_in_order(machine: Machine) -> None:
    machine.remote.is_away = True
    store = machine.store()
    for number in (2, 0, 1):
        store.put(key(number), b"%d" % number)
        _age_all(machine)
    other = machine.store()
    assert other.get(key(2)) == b"2"
    assert other.exists(key(0))
    assert other.stat(key(1)).size == 1
    assert other.spooled.count == 3
    assert other.presign_get(key(1), 60) is None
    assert [entry.key for entry in other.list("extracts/")] == [key(0), key(1), key(2)]
    machine.remote.is_away = False
    assert machine.spool().upload(machine.remote) == 3
    assert machine.remote.taken == [key(2), key(0), key(1)]
    assert machine.spool().usage().count == 0
    store.probe()
    assert [store.get(key(number)) for number in range(3)] == [b"0", b"1", b"2"]
    assert [entry.key for entry in store.list("extracts/")] == [key(0), key(1), key(2)]


def _age_all(machine: Machine) -> None:
    """Make what waits a second older: a file system's clock has ticks."""
    for path in (machine.folder / "spool" / "waiting").rglob("*.json"):
        at = path.stat().st_mtime_ns - 10**9
        os.utime(path, ns=(at, at))


def test_an_upload_that_is_cut_goes_on_where_it_was(machine: Machine) -> None:
    machine.remote.is_away = True
    for number in range(3):
        machine.store().put(key(number), b"x")
        _age_all(machine)
    machine.remote.is_away = False
    # The store took it, and the process died before it forgot it.
    machine.remote.put(key(0), b"x")
    assert machine.spool().upload(machine.remote) == 3
    assert machine.remote.get(key(0)) == b"x"
    assert machine.spool().conflicts() == 0


def test_a_conflict_found_late_is_kept_aside_and_reported(
    machine: Machine, errors: list[str]
) -> None:
    machine.remote.put(key(0), b"another host's")
    machine.remote.is_away = True
    machine.store().put(key(0), b"ours")
    machine.store().put(key(1), b"next")
    machine.remote.is_away = False
    assert machine.spool().upload(machine.remote) == 2
    assert machine.remote.get(key(0)) == b"another host's"
    assert machine.remote.get(key(1)) == b"next"
    assert machine.spool().conflicts() == 1
    assert (machine.folder / "spool" / "conflicts" / key(0)).read_bytes() == b"ours"
    assert [key(0) in line for line in errors] == [True]


def test_of_two_that_wait_under_one_key_the_first_stays(machine: Machine) -> None:
    machine.remote.is_away = True
    machine.store().put(key(0), b"first")
    machine.store().put(key(0), b"first")
    assert _code(lambda: machine.store().put(key(0), b"second")) == "conflict"
    machine.remote.is_away = False
    assert _code(lambda: machine.store().put(key(0), b"second")) == "conflict"
    machine.spool().upload(machine.remote)
    assert _code(lambda: machine.store().put(key(0), b"second")) == "conflict"
    assert machine.remote.taken == [key(0)]


@pytest.mark.parametrize("limits", [Limits(10_000_000, 2), Limits(25, 1000)])
def test_a_full_spool_refuses_work_and_keeps_what_was_done(
    machine: Machine, limits: Limits
) -> None:
    machine.remote.is_away = True
    store = machine.store(limits)
    store.require_room()
    store.put(key(0), b"0123456789")
    store.require_room(10)
    store.put(key(1), b"0123456789")
    with pytest.raises(Error) as caught:
        store.require_room(10)
    assert is_no_room(caught.value)
    # Its work had begun before.
    store.put(key(2), b"0123456789")
    assert store.get(key(2)) == b"0123456789"
    machine.remote.is_away = False
    assert machine.spool(limits).upload(machine.remote) == 3
    machine.store(limits).require_room(10)


def test_what_is_deleted_does_not_come_back(machine: Machine) -> None:
    machine.remote.is_away = True
    store = machine.store()
    store.put(key(0), b"x")
    assert _code(lambda: store.delete(key(0))) == "storage_unavailable"
    machine.remote.is_away = False
    store.delete(key(0))
    assert machine.spool().upload(machine.remote) == 0
    store.probe()
    assert not store.exists(key(0))


def test_one_that_is_refused_does_not_hold_up_the_others(
    machine: Machine, errors: list[str]
) -> None:
    machine.remote.is_away = True
    for number in range(3):
        machine.store().put(key(number), b"x")
    machine.remote.is_away = False
    machine.remote.refused = key(1)
    assert machine.spool().upload(machine.remote) == 2
    assert machine.spool().usage().count == 1
    assert [key(1) in line for line in errors] == [True]
    machine.remote.refused = ""
    assert machine.spool().upload(machine.remote) == 1


def test_of_several_processes_one_uploads(machine: Machine) -> None:
    machine.remote.is_away = True
    count = 50
    for number in range(count):
        machine.store().put(key(number), b"x")
    machine.remote.is_away = False
    uploaded: list[int] = []

    def sweep() -> None:
        uploaded.append(machine.spool().upload(machine.remote))

    threads = [threading.Thread(target=sweep) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(uploaded) == count
    assert sorted(machine.remote.taken) == [key(number) for number in range(count)]


def test_while_the_store_is_away_nobody_waits_for_it(machine: Machine) -> None:
    store = machine.store()
    machine.remote.is_away = True
    store.put(key(0), b"x")
    machine.remote.is_away = False
    # Not asked again for each write: it is known to be away until it answers a probe.
    store.put(key(1), b"x")
    assert machine.remote.taken == []
    store.probe()
    store.put(key(2), b"x")
    assert machine.remote.taken == [key(2)]


def test_while_the_store_is_away_who_reads_is_told_so_and_it_is_not_asked(
    machine: Machine,
) -> None:
    store = machine.store()
    store.put(key(0), b"there")
    machine.remote.is_away = True
    assert _code(store.probe) == "storage_unavailable"
    machine.remote.is_away = False
    for read in (store.get, store.stat, store.exists, store.open):
        assert _code(partial(read, key(0))) == "storage_unavailable", "until a probe is answered"
    store.put(key(1), b"waits")
    assert store.get(key(1)) == b"waits", "what is here is read from here"
    store.probe()
    assert store.get(key(0)) == b"there"


def test_what_replaces_another_replaces_it_also_while_it_waits(tmp_path: Path) -> None:
    remote = LocalArtifactStore(tmp_path / "remote", allow_overwrite=True)
    spool = Spool(tmp_path / "spool", ROOMY, allow_overwrite=True)
    spool.waiting.put(key(0), b"first")
    SpoolingStore(remote, spool).put(key(0), b"second")
    assert not remote.exists(key(0))
    spool.upload(remote)
    assert remote.get(key(0)) == b"second"


_WRITER = """
import sys
from pathlib import Path
from apps.api_cpu.artifacts.store import store_unavailable
from apps.api_cpu.artifacts.stores.local import LocalArtifactStore
from apps.api_cpu.artifacts.stores.spool import Limits, Spool
from apps.api_cpu.artifacts.stores.spooling import SpoolingStore

class Away(LocalArtifactStore):
    def put(self, *_):
        raise store_unavailable()

folder = Path(sys.argv[1])
store = SpoolingStore(Away(folder / "unused"), Spool(folder / "spool", Limits(10**9, 10**6)))
for number in range(10**6):
    store.put(f"extracts/2026-11-20/{number:04}.json", str(number).encode() * 5000)
    print(number, flush=True)
"""


@pytest.mark.slow
def test_what_was_acknowledged_survives_kill_9(machine: Machine) -> None:
    for turn in range(3):
        folder = machine.folder / str(turn)
        folder.mkdir()
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITER, folder], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        for line in writer.stdout:
            if line.strip() == str(20 + turn):
                os.kill(writer.pid, signal.SIGKILL)
                break
        acknowledged = 21 + turn + len(writer.stdout.readlines())
        writer.wait()
        spool = Spool(folder / "spool", ROOMY)
        # One more may be there, whose writer died before it could say so; none is cut.
        assert spool.upload(machine.remote) - acknowledged in {0, 1}
        for number in range(acknowledged):
            assert machine.remote.get(key(number)) == b"%d" % number * 5000
            machine.remote.delete(key(number))
        machine.remote.delete(key(acknowledged))


def test_an_outage_under_load_loses_nothing_and_doubles_nothing(
    moto_place: Place, tmp_path: Path
) -> None:
    writers, each = 4, 30
    quick, patient = moto_place.store(within_s=0.5), moto_place.store()
    patient.check()
    spool = Spool(tmp_path / "spool", ROOMY)
    store = SpoolingStore(quick, spool, patient)
    at_work = threading.Barrier(writers + 1)
    failed: list[Exception] = []

    def write(writer: int) -> None:
        for number in range(each):
            if number == 5:
                at_work.wait()
                at_work.wait()
            try:
                store.put(key(writer * each + number), b"%d-%d" % (writer, number))
            except Error as error:
                failed.append(error)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(writers)]
    for thread in threads:
        thread.start()
    at_work.wait()
    moto_place.front.will("PUT", Fault("cut_after"), Fault("cut_after"))
    moto_place.front.always["*"] = Fault("cut")
    at_work.wait()
    for thread in threads:
        thread.join()
    assert failed == []
    waiting = spool.in_order()
    assert len(waiting) >= writers * (each - 5)
    moto_place.front.always.clear()
    assert spool.upload(patient) == len(waiting)
    assert (spool.usage().count, spool.conflicts()) == (0, 0)
    stored = [entry.key for entry in patient.list("extracts/")]
    assert stored == [key(number) for number in range(writers * each)]
    for number in range(writers * each):
        assert patient.get(key(number)) == b"%d-%d" % divmod(number, each)


def test_the_sweeper_uploads_when_the_store_is_back(machine: Machine) -> None:
    machine.remote.is_away = True
    store = machine.store()
    store.start()
    try:
        store.put(key(0), b"x")
        machine.remote.is_away = False
        store.probe()
        for _ in range(2000):
            if machine.remote.taken:
                break
            threading.Event().wait(0.05)
    finally:
        store.stop()
    assert machine.remote.taken == [key(0)]
