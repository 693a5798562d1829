"""Random histories of jobs: hypothesis chooses what happens next, the model says what it makes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule
from job_model import ACTIVE, Accepted, Item
from job_steps import DEEDS, JobSteps, answer, find_it_away
from job_world import ADMIN, LEASE_S, QUEUED_PER_KEY, RETRY_FOR_S, Execution, Process

from apps.api_cpu.jobs.rows import Status
from apps.api_cpu.jobs.store import Counts
from lib.errors import Error
from lib.errors import Kind as ErrorKind

OWNERS = ("alice", "bob", "carol")
_PATIENCE = 300
_AWAY = Error("storage_unavailable", ErrorKind.UNAVAILABLE, "Away.", retryable=True)


class JobMachine(JobSteps):
    """What may happen, what must hold then, and that all comes to an end."""

    @initialize(data=st.data())
    def work_is_there(self, data: st.DataObject) -> None:
        self.draw = data.draw
        self.weights = {
            self.take: 6,
            self.read: 6,
            self.time_passes: 3,
            self.look_after_what_was_lost: 3,
            self.submit: 2,
            self.write_the_end: 1,
            **{event: self._one_of([0, 1, 3]) for event in self._not_always()},
        }
        self.processes += [self._started(), self._started()]
        for _ in range(3):
            self.submit()

    @rule(data=st.data())
    def something_happens(self, data: st.DataObject) -> None:
        """One rule that weighs what is possible, so that much happens in few steps."""
        self.draw = data.draw
        needs = {
            self.pass_the_deadline: self._adoptable(),
            self.cancel: self.model.jobs,
            self.read: self._waiting("reading"),
            self.wait_in_vain: self._waiting("reading"),
            self.write_the_end: self._waiting("ending"),
            self.be_overtaken: self._waiting("reading") or self._waiting("ending"),
            self.rerun: self._over(),
            self.erase: self._over(),
        }
        events = [
            event.__name__
            for event, weight in self.weights.items()
            if needs.get(event, True)
            for _ in range(weight)
        ]
        getattr(self, self._one_of(events))()

    def _not_always(self) -> Sequence[Callable[[], None]]:
        """Some of these are left out of a history, so that others come often in it."""
        return (
            self.renew,
            self.take_stock,
            self.heed_cancels,
            self.kill,
            self.be_overtaken,
            self.wait_in_vain,
            self.hand_back,
            self.cancel,
            self.ask,
            self.pass_the_deadline,
            self.look_at_the_queue,
            self.rerun,
            self.erase,
            self.forget,
        )

    # What callers do.

    def submit(self) -> None:
        self._submit(self._one_of(OWNERS), self.draw(st.integers(1, 4)), self._one_of([None, 1, 2]))

    def rerun(self) -> None:
        job = self.model.jobs[self._one_of(self._over())]
        size = job.count(Status.FAILED) if self.draw(st.booleans()) else len(job.items)
        if size:
            self._submit(job.owner, size, job.concurrency)

    def ask(self) -> None:
        """A synchronous request begins."""
        self._process().ask(f"asked-{next(self.numbers)}", self._one_of(OWNERS))

    def pass_the_deadline(self) -> None:
        """A synchronous request has taken too long: it becomes a job, and goes on."""
        execution = self._one_of(self._adoptable())
        process, work, owner = execution.process, execution.work, execution.draft.caller.key_id
        execution.work = None
        has_room = self.model.waiting_of(owner) < QUEUED_PER_KEY
        has_ended = execution.waits_at is None
        adopting = process.begin(lambda: process.promises.adopt(work))
        self._expect(isinstance(adopting.error, Error) is not has_room, "the limit of a key")
        if not has_room:
            return
        job_id = adopting.result.body["job_id"]
        self.model.jobs[job_id] = Accepted(owner, False, None, {1: Item(work.draft.request_id)})
        self.model.claimed((job_id, 1), process.presence.worker_id, execution, self.world.now)
        execution.claimed = (job_id, 1)
        if has_ended:
            self._settled(execution, execution.deed)

    def cancel(self) -> None:
        job_id, process = self._one_of(sorted(self.model.jobs)), self._process()
        self.model.canceled(job_id)
        process.begin(
            lambda: process.service.cancel(job_id, ADMIN), stops_at_end=self.draw(st.booleans())
        )

    def look_at_the_queue(self) -> None:
        """Positions go from 1 up by age, and counts are those of the items."""
        process, (jobs, _) = self._process(), self.table.rows()
        queued = [jobs[name] for name in sorted(jobs) if jobs[name].status is Status.QUEUED]
        positions = [process.service.queue_position(job) for job in queued]
        self._expect(positions == list(range(1, len(queued) + 1)), f"positions {positions}")
        waiting = [job.created_at for job in queued]
        due = Counts(
            *(sum(1 for _ in self.model.items(status)) for status in ACTIVE),
            min(waiting, default=None),
        )
        counts = process.store.counts()
        self._expect(counts == due, f"counts {counts}, has {due}")

    def erase(self) -> None:
        job = self.model.jobs[self._one_of(self._over())]
        item = self._one_of(list(job.items.values()))
        self.world.eraser.forget(item.request_id)
        item.erased = True

    # What processes do.

    def take(self) -> None:
        self._take(self._process(), stops=self.draw(st.booleans()))

    def read(self) -> None:
        """A document comes to an end; whether its reader may still say so is another matter."""
        execution = self._one_of(self._waiting("reading"))
        is_away = self._one_of([False, False, False, True])
        deed = self._one_of((answer, answer, *DEEDS))
        self._read(execution, deed, stops=self.draw(st.booleans()), database_is_away=is_away)
        if is_away and execution.process in self.processes:
            self._take_stock(execution.process, self._one_of([0, 2]))

    def write_the_end(self) -> None:
        self._one_of(self._waiting("ending")).go_on(self._one_of([None, _AWAY]))

    def look_after_what_was_lost(self) -> None:
        self._look(self._process(), stops=self.draw(st.booleans()))

    def renew(self) -> None:
        presence, now = self._process().presence, self.world.now
        before = presence.worker_id
        presence.renew()
        is_kept = self.model.is_alive(before, now)
        self._expect(is_kept is (presence.worker_id == before), "a lease that was over is renewed")
        self.model.leases[presence.worker_id] = now + LEASE_S

    def heed_cancels(self) -> None:
        process = self._process()
        process.presence.heed_cancels()
        for key, job, item in self.model.items(Status.RUNNING):
            holder: Execution | None = item.holder
            if job.cancel_asked and holder in self._waiting("reading"):
                is_told = holder.process is not process or holder.draft.cancellation.is_set
                self._expect(is_told, f"{key} was not told to stop")

    def take_stock(self) -> None:
        """What nobody in a process works on goes back when it has been missed twice."""
        self._take_stock(self._process(), self._one_of([1, 2]))

    def _take_stock(self, process: Process, times: int) -> None:
        for _ in range(times):
            process.presence.take_stock()
            self._stock_is_taken(process)
            self.the_table_says_what_was_promised()

    def _stock_is_taken(self, process: Process) -> None:
        reading = self._waiting("reading")
        unknown = {
            (*key, item.attempts)
            for key, _, item in self.model.items(Status.RUNNING)
            if item.worker_id == process.presence.worker_id and item.holder not in reading
        }
        lost = unknown & process.unknown
        process.unknown = unknown - lost
        for job_id, number, _ in lost:
            self.model.given_back((job_id, number), self.world.now, died=True)

    # What happens to them.

    def time_passes(self) -> None:
        self.world.now += self._one_of([1.0, 6.0, 12.0, 25.0, 120.0])

    def be_overtaken(self) -> None:
        """A process stands still for longer than its lease; others look, and then it goes on."""
        execution = self._one_of(self._waiting("reading") + self._waiting("ending"))
        self.world.now += LEASE_S + 1.0
        (other,) = (process for process in self.processes if process is not execution.process)
        self._look(other, stops=self.draw(st.booleans()))
        if execution.waits_at == "ending":
            self.the_table_says_what_was_promised()
            execution.go_on()

    def wait_in_vain(self) -> None:
        """What a document needs has been away for as long as it is waited for."""
        execution = self._one_of(self._waiting("reading"))
        self.world.now += RETRY_FOR_S + 1.0
        self._read(execution, find_it_away, stops=self.draw(st.booleans()))

    def kill(self) -> None:
        self._kill(self._process(), is_noticed=self.draw(st.booleans()))

    def hand_back(self) -> None:
        """The grace of a shutdown is over: what does not stop is put back, and may be taken again
        by the same process while the earlier attempt goes on.
        """
        process = self._process()
        process.presence.hand_back()
        for execution in self._waiting("reading"):
            if execution.process is process and self._owns(execution):
                self.model.given_back(execution.claimed, self.world.now)
        if self.draw(st.booleans()):
            self.the_table_says_what_was_promised()
            self._take(process)

    def forget(self) -> None:
        before = self.world.now - self._one_of([0.0, 30.0])
        self._process().store.forget(before)
        self.model.forgotten(before)

    # What always holds.

    @invariant()
    def the_table_says_what_was_promised(self) -> None:
        jobs, items = self.table.rows()
        wrong = [*self.model.disagreements(jobs, items, self.world.now), *self.world.wrong]
        self._expect(not wrong, "\n".join(wrong))
        for job_id, job in self.model.jobs.items():
            told = self.world.told[job_id]
            self._expect(told == (job.final is not None), f"{job_id} was told {told} times")

    def teardown(self) -> None:
        """All processes die; a new one brings all that was accepted to an end."""
        try:
            if self.is_sound and self.processes:
                self._bring_to_an_end()
        finally:
            for process in [*self.processes, *self.dead]:
                process.kill()
                process.presence.stop()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _bring_to_an_end(self) -> None:
        for process in list(self.processes):
            self._kill(process, is_noticed=False)
        survivor = self.processes[0]
        for _ in range(_PATIENCE):
            if all(job.final for job in self.model.jobs.values()):
                break
            survivor.presence.renew()
            self.model.leases[survivor.presence.worker_id] = self.world.now + LEASE_S
            self._look(survivor)
            self._take(survivor)
            for execution in self._waiting("reading"):
                self._read(execution, answer)
            self.the_table_says_what_was_promised()
            self.world.now += LEASE_S / 2
        left = [job_id for job_id, job in self.model.jobs.items() if job.final is None]
        self._expect(not left, f"accepted and never ended: {left}")
