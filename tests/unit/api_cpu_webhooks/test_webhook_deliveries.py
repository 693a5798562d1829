"""Deliveries: queued with the job's end, sent until heard, given up after a day, sent again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine
from standardwebhooks import Webhook

from apps.api_cpu.auth.roles import Caller, Role
from apps.api_cpu.db.engine import Durability, Schema, open_database, writing
from apps.api_cpu.webhooks.deliverer import LARGEST_PAYLOAD, Deliverer
from apps.api_cpu.webhooks.sender import Problem, Sent
from apps.api_cpu.webhooks.service import WebhookService
from apps.api_cpu.webhooks.signing import SigningSecrets
from apps.api_cpu.webhooks.store import Delivery, DeliveryStore, Outcome, State, queue
from lib.errors import Error, Kind

URL = "https://hooks.example/in"
SECRETS = SigningSecrets(b"a root for these tests")
DAY_S = 24 * 3600.0
HOUR_S = 3600.0
ME, YOU, ADMIN = (
    Caller("me", Role.CLIENT),
    Caller("you", Role.CLIENT),
    Caller("root", Role.ADMIN),
)


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Receiver:
    """A sender to a receiver that answers what it is told to."""

    def __init__(self, answer: Callable[[], Sent]) -> None:
        self.answer = answer
        self.got: list[tuple[str, Mapping[str, str], bytes]] = []

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Sent:
        self.got.append((url, headers, body))
        return self.answer()


def _heard() -> Sent:
    return Sent(None, 200)


def _failing() -> Sent:
    return Sent(Problem.STATUS, 500)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def engine(location: Path | SecretStr) -> Iterator[Engine]:
    engine = open_database(location, Schema.JOBS, Durability.CRASH)
    yield engine
    engine.dispose()


@pytest.fixture
def store(engine: Engine) -> DeliveryStore:
    return DeliveryStore(engine)


def _queue(
    engine: Engine, clock: Clock, job_id: str = "j1", url: str = URL, owner: str = "me"
) -> None:
    with writing(engine) as connection:
        queue(connection, owner, job_id, "job.succeeded", url, clock())


def _job(job_id: str) -> Mapping[str, Any] | None:
    return {"job_id": job_id, "status": "succeeded", "result": {"total": 1}, "result_rel": "x"}


def _deliverer(
    store: DeliveryStore, receiver: Receiver, clock: Clock, job: Any = _job
) -> Deliverer:
    return Deliverer(store, receiver, SECRETS, job, clock)


def _only(store: DeliveryStore) -> Delivery:
    (found,) = store.page(None, None, None, 10)
    return found


def test_a_webhook_is_signed_and_says_what_happened(
    engine: Engine, store: DeliveryStore, clock: Clock
) -> None:
    _queue(engine, clock)
    receiver = Receiver(_heard)
    assert asyncio.run(_deliverer(store, receiver, clock).send_due()) == 1
    url, headers, body = receiver.got[0]
    assert url == URL
    assert json.loads(body) == {"event": "job.succeeded", "job": _job("j1")}
    assert headers["webhook-id"] == _only(store).delivery_id
    assert headers["webhook-timestamp"] == "1800000000"
    signature = Webhook(SECRETS.secret("me", 1)).sign(
        headers["webhook-id"], _moment(clock), body.decode()
    )
    assert headers["webhook-signature"] == signature
    assert _only(store).state is State.DELIVERED
    assert asyncio.run(_deliverer(store, receiver, clock).send_due()) == 0


def _moment(clock: Clock) -> Any:
    return datetime.fromtimestamp(clock(), UTC)


def test_the_end_of_a_job_is_told_once_however_often_it_is_queued(
    engine: Engine, store: DeliveryStore, clock: Clock
) -> None:
    for _ in range(2):
        _queue(engine, clock)
    assert _only(store).state is State.PENDING


def test_what_is_not_committed_is_not_sent(
    engine: Engine, store: DeliveryStore, clock: Clock
) -> None:
    with pytest.raises(RuntimeError), writing(engine) as connection:
        queue(connection, "me", "j1", "job.failed", URL, clock())
        raise RuntimeError
    assert store.page(None, None, None, 10) == []


def test_a_receiver_that_is_down_for_an_hour_hears_in_the_end(
    engine: Engine, store: DeliveryStore, clock: Clock
) -> None:
    _queue(engine, clock)
    began = clock()
    receiver = Receiver(lambda: _failing() if clock() < began + HOUR_S else _heard())
    deliverer = _deliverer(store, receiver, clock)
    while _only(store).state is State.PENDING:
        asyncio.run(deliverer.send_due())
        clock.now = max(clock.now, _only(store).next_at)
    assert _only(store).state is State.DELIVERED
    assert HOUR_S <= clock() - began < 3 * HOUR_S
    assert 5 <= len(receiver.got) <= 9
    ids = {headers["webhook-id"] for _, headers, _ in receiver.got}
    bodies = {body for _, _, body in receiver.got}
    assert len(ids) == len(bodies) == 1, "a receiver must be able to tell that it is the same"


def test_one_that_stays_down_is_given_up_after_a_day_and_may_be_replayed(
    engine: Engine, store: DeliveryStore, clock: Clock
) -> None:
    _queue(engine, clock)
    began = clock()
    receiver = Receiver(_failing)
    deliverer = _deliverer(store, receiver, clock)
    while _only(store).state is State.PENDING:
        asyncio.run(deliverer.send_due())
        clock.now = max(clock.now, _only(store).next_at)
    found = _only(store)
    assert found.state is State.UNDELIVERED
    assert (found.last_problem, found.last_status) == ("status", 500)
    assert 0.5 * DAY_S < clock() - began <= DAY_S

    receiver.answer = _heard
    rung: list[bool] = []
    service = WebhookService(store, lambda: rung.append(True), clock)
    assert service.replay(found.delivery_id, ME)["state"] == "pending"
    assert rung
    assert asyncio.run(deliverer.send_due()) == 1
    assert _only(store).state is State.DELIVERED
    assert receiver.got[-1][1]["webhook-id"] == found.delivery_id


def test_gone_is_gone(engine: Engine, store: DeliveryStore, clock: Clock) -> None:
    _queue(engine, clock)
    receiver = Receiver(lambda: Sent(Problem.STATUS, 410))
    asyncio.run(_deliverer(store, receiver, clock).send_due())
    assert _only(store).state is State.UNDELIVERED


def test_two_servers_do_not_send_the_same_at_once(
    engine: Engine, store: DeliveryStore, clock: Clock
) -> None:
    for number in range(20):
        _queue(engine, clock, f"j{number}", f"https://h{number}.example/")
    first = store.claim(clock(), clock() + 45, 12)
    second = store.claim(clock(), clock() + 45, 20)
    assert len(first) + len(second) == 20
    assert not {each.job_id for each in first} & {each.job_id for each in second}


def test_what_a_dead_server_was_sending_is_sent_by_another(
    engine: Engine, store: DeliveryStore, clock: Clock
) -> None:
    _queue(engine, clock)
    (taken,) = store.claim(clock(), clock() + 45, 9)
    assert store.claim(clock(), clock() + 45, 9) == []
    clock.now += 46
    receiver = Receiver(_heard)
    asyncio.run(_deliverer(store, receiver, clock).send_due())
    assert _only(store).state is State.DELIVERED
    # The first was only asleep; what it has to say does not count any more.
    assert not store.record(taken, Outcome(State.PENDING, clock(), "timeout", None, clock()))
    assert _only(store).state is State.DELIVERED


def test_a_host_that_is_busy_does_not_hold_up_the_others(
    engine: Engine, store: DeliveryStore, clock: Clock
) -> None:
    for number in range(9):
        _queue(engine, clock, f"slow{number}", "https://slow.example/")
    clock.now += 1
    _queue(engine, clock, "quick", "https://quick.example/")
    (found,) = store.claim(clock(), clock() + 45, 4, ["slow.example"])
    assert found.job_id == "quick"


def test_a_large_result_is_left_out_and_named(
    engine: Engine, store: DeliveryStore, clock: Clock
) -> None:
    def large(job_id: str) -> Mapping[str, Any]:
        return {"job_id": job_id, "result": {"words": "x" * LARGEST_PAYLOAD}, "result_rel": "rel"}

    _queue(engine, clock)
    receiver = Receiver(_heard)
    asyncio.run(_deliverer(store, receiver, clock, large).send_due())
    body = receiver.got[0][2]
    assert len(body) < 1000
    job = json.loads(body)["job"]
    assert (job["result"], job["result_rel"]) == (None, "rel")


def test_while_the_store_is_away_the_webhook_waits(
    engine: Engine, store: DeliveryStore, clock: Clock
) -> None:
    def away(_job_id: str) -> Mapping[str, Any]:
        raise Error("storage_unavailable", Kind.UNAVAILABLE, "away", retryable=True)

    _queue(engine, clock)
    receiver = Receiver(_heard)
    asyncio.run(_deliverer(store, receiver, clock, away).send_due())
    assert _only(store).state is State.PENDING
    assert not receiver.got
    clock.now += 10
    asyncio.run(_deliverer(store, receiver, clock).send_due())
    assert _only(store).state is State.DELIVERED


def test_a_job_that_is_gone_is_not_told(engine: Engine, store: DeliveryStore, clock: Clock) -> None:
    _queue(engine, clock)
    asyncio.run(_deliverer(store, Receiver(_heard), clock, lambda _job_id: None).send_due())
    assert (_only(store).state, _only(store).last_problem) == (State.UNDELIVERED, "job_gone")


def test_both_secrets_sign_while_they_overlap(
    engine: Engine, store: DeliveryStore, clock: Clock
) -> None:
    assert store.rotate_secret("me", clock() + HOUR_S).version == 2
    for number in range(2):
        _queue(engine, clock, f"j{number}")
        receiver = Receiver(_heard)
        asyncio.run(_deliverer(store, receiver, clock).send_due())
        signatures = receiver.got[0][1]["webhook-signature"].split(" ")
        assert len(signatures) == 2 - number
        clock.now += HOUR_S
    assert store.rotate_secret("me", None).version == 3
    assert store.secret_version("you").in_use(clock()) == (1,)


def test_deliveries_are_seen_by_their_owner_and_admins(
    engine: Engine, store: DeliveryStore, clock: Clock
) -> None:
    for number in range(5):
        _queue(engine, clock, f"j{number}")
    service = WebhookService(store, clock=clock)
    first = service.page(ME, None, None, 3)
    rest = service.page(ME, None, first["next_cursor"], 3)
    found = [*first["deliveries"], *rest["deliveries"]]
    assert {each["job_id"] for each in found} == {f"j{number}" for number in range(5)}
    ids = [each["delivery_id"] for each in found]
    assert ids == sorted(ids, reverse=True), "newest first, to the millisecond"
    assert rest["next_cursor"] is None
    assert service.page(YOU, None, None, 9)["deliveries"] == []
    assert len(service.page(ADMIN, State.PENDING, None, 9)["deliveries"]) == 5
    assert service.page(ME, State.UNDELIVERED, None, 9)["deliveries"] == []
    with pytest.raises(Error) as caught:
        service.replay(first["deliveries"][0]["delivery_id"], YOU)
    assert caught.value.code == "not_found"


def test_what_has_ended_is_forgotten_in_time(
    engine: Engine, store: DeliveryStore, clock: Clock
) -> None:
    answers = {"heard": _heard(), "gone": Sent(Problem.STATUS, 410)}
    for job_id, answer in answers.items():
        _queue(engine, clock, job_id)
        receiver = Receiver(iter([answer]).__next__)
        asyncio.run(_deliverer(store, receiver, clock).send_due())
    _queue(engine, clock, "waits")
    service = WebhookService(store, clock=clock)
    clock.now += 8 * DAY_S
    assert service.purge() == 1
    assert {each.job_id for each in store.page(None, None, None, 9)} == {"gone", "waits"}
    clock.now += 30 * DAY_S
    assert service.purge() == 1
    assert _only(store).job_id == "waits"
