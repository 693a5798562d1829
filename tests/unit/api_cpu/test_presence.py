"""A process as a worker: what it leaves on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from apps.api_cpu.db.engine import Durability, Schema, open_database
from apps.api_cpu.jobs.leases import Worker, WorkerLeases
from apps.api_cpu.jobs.presence import Presence
from apps.api_cpu.jobs.store import JobStore
from lib.errors import Error, Kind


class UnsureLeases(WorkerLeases):
    """A table that may be away just when a worker wants to be noted in it."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.is_away = False

    def register(self, worker: Worker) -> None:
        if self.is_away:
            raise Error("storage_unavailable", Kind.UNAVAILABLE, "Away.", retryable=True)
        super().register(worker)


def test_a_lease_that_cannot_be_got_leaves_no_file_behind(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "jobs.sqlite3", Schema.JOBS, Durability.CRASH)
    leases, now = UnsureLeases(engine), [1000.0]
    presence = Presence(leases, JobStore(engine), 20.0, tmp_path / "workers", lambda: now[0])
    (tmp_path / "workers").mkdir()
    presence.register()
    leases.is_away = True
    for _ in range(3):
        now[0] += 60
        with pytest.raises(Error):
            presence.renew()
    leases.is_away = False
    presence.renew()
    files = [file.name for file in (tmp_path / "workers").iterdir()]
    assert files == [f"{presence.worker_id}.lock"]
    presence.stop()
    assert not list((tmp_path / "workers").iterdir())
