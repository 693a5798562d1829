"""The promise of jobs as a small model: what may be claimed, who owns it, what each event makes.

Written from docs/operations.md and decision 0018, not from the store: the two must agree after
every step (`disagreements`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.api_cpu.jobs.rows import Job, JobItem, Status

MOST_DEATHS = 3
LEAST_PAUSE_S, MOST_PAUSE_S = 2.0, 60.0
ACTIVE = (Status.QUEUED, Status.RUNNING)
Key = tuple[str, int]


@dataclass
class Item:
    """`holder`: the execution that may record its end, and nobody else may."""

    request_id: str
    status: Status = Status.QUEUED
    attempts: int = 0
    deaths: int = 0
    in_vain: int = 0
    worker_id: str | None = None
    started_at: float | None = None
    earliest: float = 0.0
    latest: float = 0.0
    holder: Any = None
    erased: bool = False

    @property
    def is_given_up(self) -> bool:
        return self.deaths >= MOST_DEATHS


@dataclass
class Accepted:
    """A job that was answered 202."""

    owner: str
    is_batch: bool
    concurrency: int | None
    items: dict[int, Item]
    cancel_asked: bool = False
    final: Job | None = None

    def count(self, *statuses: Status) -> int:
        return sum(item.status in statuses for item in self.items.values())

    @property
    def is_read(self) -> bool:
        return self.count(*ACTIVE) == 0

    @property
    def is_full(self) -> bool:
        return self.concurrency is not None and self.count(Status.RUNNING) >= self.concurrency


@dataclass
class Model:
    """All accepted work and the leases of its workers."""

    jobs: dict[str, Accepted] = field(default_factory=dict)
    leases: dict[str, float] = field(default_factory=dict)

    def items(self, *statuses: Status) -> Iterator[tuple[Key, Accepted, Item]]:
        for job_id, job in self.jobs.items():
            for number, item in job.items.items():
                if item.status in statuses:
                    yield (job_id, number), job, item

    def waiting_of(self, owner: str) -> int:
        return sum(job.count(*ACTIVE) for job in self.jobs.values() if job.owner == owner)

    def is_alive(self, worker_id: str | None, now: float) -> bool:
        return worker_id is not None and self.leases.get(worker_id, -1.0) >= now

    def next_items(self, now: float) -> set[Key]:
        """What may be taken now: of an owner with the fewest running, of its oldest job that may
        have one more, what waits longest.
        """
        running = Counter(job.owner for _, job, _ in self.items(Status.RUNNING))
        ready: dict[str, dict[str, list[tuple[float, int]]]] = {}
        for (job_id, number), job, item in self.items(Status.QUEUED):
            if not job.cancel_asked and not job.is_full and item.latest <= now:
                of_owner = ready.setdefault(job.owner, {})
                of_owner.setdefault(job_id, []).append((item.latest, number))
        if not ready:
            return set()
        fewest = min(running[owner] for owner in ready)
        return {
            (oldest := min(of_owner), min(of_owner[oldest])[1])
            for owner, of_owner in ready.items()
            if running[owner] == fewest
        }

    def claimed(self, key: Key, worker_id: str, holder: object, now: float) -> None:
        item = self.jobs[key[0]].items[key[1]]
        item.status, item.worker_id, item.holder = Status.RUNNING, worker_id, holder
        item.attempts += 1
        item.started_at = item.started_at or now

    def given_back(self, key: Key, now: float, *, died: bool = False, vain: bool = False) -> None:
        """It waits again; canceled if its job is to be. `vain`: after a pause that grows."""
        job = self.jobs[key[0]]
        item = job.items[key[1]]
        pause = min(MOST_PAUSE_S, LEAST_PAUSE_S * 2**item.in_vain) if vain else 0.0
        item.earliest, item.latest = (now + pause / 2, now + pause) if vain else (0.0, 0.0)
        item.in_vain += died or vain
        item.deaths += died
        item.worker_id = item.holder = None
        item.status = Status.CANCELED if job.cancel_asked else Status.QUEUED

    def ended(self, key: Key, status: Status) -> None:
        item = self.jobs[key[0]].items[key[1]]
        item.status, item.worker_id, item.holder = status, None, None

    def reaped(self, now: float) -> None:
        """What nobody living holds waits again, and has died once more."""
        for key, _, item in list(self.items(Status.RUNNING)):
            if not self.is_alive(item.worker_id, now):
                self.given_back(key, now, died=True)

    def canceled(self, job_id: str) -> None:
        job = self.jobs[job_id]
        if job.final is None and not job.cancel_asked:
            job.cancel_asked = True
            for item in job.items.values():
                if item.status is Status.QUEUED:
                    item.status = Status.CANCELED

    def forgotten(self, ended_before: float) -> None:
        for job_id, job in list(self.jobs.items()):
            if job.final is not None and (job.final.finished_at or 0.0) < ended_before:
                del self.jobs[job_id]

    def disagreements(
        self, jobs: Mapping[str, Job], items: Mapping[Key, JobItem], now: float
    ) -> Iterator[str]:
        """Where the table does not say what was promised. Ends of jobs are learnt from it."""
        if jobs.keys() != self.jobs.keys():
            yield f"lost or invented: {sorted(jobs.keys() ^ self.jobs.keys())}"
            return
        for job_id, job in self.jobs.items():
            rows = {number: items[key] for key in items if (number := key[1]) and key[0] == job_id}
            if rows.keys() != job.items.keys():
                yield f"{job_id} has items {sorted(rows)}"
                continue
            for number, item in job.items.items():
                yield from _of_item(f"{job_id}/{number}", item, rows[number], now)
            yield from _of_job(job, jobs[job_id], rows)
            if jobs[job_id].status.is_final:
                job.final = jobs[job_id]


def _of_item(name: str, item: Item, row: JobItem, now: float) -> Iterator[str]:
    said = (row.status, row.attempts, row.deaths, len(row.history), row.worker_id, row.started_at)
    due = (
        item.status, item.attempts, item.deaths, item.in_vain, item.worker_id, item.started_at,
    )  # fmt: skip
    if said != due:
        yield f"{name} is {said}, should be {due}"
    if row.status is Status.QUEUED:
        if not item.earliest <= row.run_after <= item.latest:
            yield f"{name} waits until {row.run_after - now:+}, not within {item.earliest - now:+}"
        item.earliest = item.latest = row.run_after  # which moment it was is chance
        if (row.error is not None) != item.is_given_up:
            yield f"{name} has died {item.deaths} times and its error is {row.error}"
    ended = row.status in {Status.SUCCEEDED, Status.FAILED}
    if ended != (row.ended is not None) or ended != (row.outcome is not None):
        yield f"{name} is {row.status}, ended as number {row.ended} with {row.outcome}"
    elif ended and not item.erased and row.outcome["ok"] != (row.status is Status.SUCCEEDED):
        yield f"{name} is {row.status} with {row.outcome}"


def _of_job(job: Accepted, row: Job, rows: Mapping[int, JobItem]) -> Iterator[str]:
    if job.final is not None:
        if row != job.final:
            yield f"{row.job_id} had ended as {job.final}, and is {row}"
        return
    ok, failed = job.count(Status.SUCCEEDED), job.count(Status.FAILED)
    counted = (row.total, row.done, row.ok, row.failed, row.canceled)
    due = (len(job.items), ok + failed, ok, failed, job.count(Status.CANCELED))
    if counted != due:
        yield f"{row.job_id} counts {counted}, has {due}"
    reviews = sum(bool((item.outcome or {}).get("needs_review")) for item in rows.values())
    if row.needs_review != reviews:
        yield f"{row.job_id} counts {row.needs_review} to review, has {reviews}"
    numbers = sorted(item.ended for item in rows.values() if item.ended is not None)
    if numbers != list(range(1, row.done + 1)):
        yield f"{row.job_id} has ends numbered {numbers}"
    if (row.cancel_requested_at is not None) != job.cancel_asked:
        yield f"{row.job_id} is to be canceled: {row.cancel_requested_at}"
    if job.concurrency is not None and job.count(Status.RUNNING) > job.concurrency:
        yield f"{row.job_id} runs {job.count(Status.RUNNING)} of at most {job.concurrency}"
    if row.status is Status.QUEUED and (row.done or job.count(Status.RUNNING)):
        yield f"{row.job_id} is queued while it runs"
    if (row.finished_at is not None) != row.status.is_final:
        yield f"{row.job_id} is {row.status}, finished at {row.finished_at}"
    if row.status.is_final:
        if not job.is_read:
            yield f"{row.job_id} has ended while {job.count(*ACTIVE)} items have not"
        (one, *_) = (item.status for item in rows.values())
        whole = Status.CANCELED if job.cancel_asked else Status.SUCCEEDED
        if row.status is not (whole if job.is_batch else one):
            yield f"{row.job_id} has ended as {row.status}"
