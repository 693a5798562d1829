"""Who holds a key, and what becomes of it when they finish, fail or die."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from fastapi import Request
from pydantic import SecretStr
from sqlalchemy import Engine

from apps.api_cpu.db.engine import Durability, Schema, open_database
from apps.api_cpu.idempotency.header import key_sent
from apps.api_cpu.idempotency.service import KEPT_S, LARGEST_BODY, LEASE_S, Idempotency, unpacked
from apps.api_cpu.idempotency.store import Answer, Entry, IdempotencyStore
from lib.errors import Error

ROUTE = "/v1/extract"


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(location: Path | SecretStr) -> Iterator[IdempotencyStore]:
    engine = open_database(location, Schema.INDEX, Durability.CRASH)
    yield IdempotencyStore(engine)
    engine.dispose()


@pytest.fixture
def server(store: IdempotencyStore, clock: Clock) -> Iterator[Idempotency]:
    service = Idempotency(store, clock)
    yield service
    service.close()


def _code(server: Idempotency, key: str = "k", owner: str = "me", route: str = ROUTE) -> str:
    with pytest.raises(Error) as caught:
        server.claim(owner, key, route, "other")
    return caught.value.code


def test_the_first_has_it_and_the_others_wait(server: Idempotency) -> None:
    assert server.claim("me", "k", ROUTE, "r1").answer is None
    assert _code(server) == "idempotency_in_progress"
    assert server.claim("you", "k", ROUTE, "r2").resource_id == "r2", "keys belong to API keys"


def test_many_at_once_and_one_has_it(server: Idempotency) -> None:
    outcomes: list[str] = []

    def claim(number: int) -> None:
        try:
            outcomes.append(server.claim("me", "k", ROUTE, str(number)).resource_id)
        except Error as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=claim, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("idempotency_in_progress") == 19


def test_an_answer_is_kept_for_a_day(server: Idempotency, clock: Clock) -> None:
    entry = server.note(server.claim("me", "k", ROUTE, "r"), "print", "r")
    server.finish(entry, Answer(202, b'{"a": 1}', "application/json", "/v1/jobs/r"))
    clock.now += KEPT_S - 1
    kept = server.claim("me", "k", ROUTE, "x")
    assert kept.fingerprint == "print"
    assert kept.answer is not None
    assert (kept.answer.status, kept.answer.location) == (202, "/v1/jobs/r")
    assert unpacked(kept.answer.body or b"") == b'{"a": 1}'
    assert _code(server, route="/v1/evals") == "idempotency_mismatch"
    clock.now += 2
    assert server.claim("me", "k", ROUTE, "again").resource_id == "again"


def test_a_large_body_is_not_kept_in_the_table(server: Idempotency) -> None:
    entry = server.claim("me", "k", ROUTE, "r")
    server.finish(entry, Answer(200, b"x" * (LARGEST_BODY + 1)))
    answer = server.claim("me", "k", ROUTE, "x").answer
    assert answer is not None
    assert answer.body is None


def test_a_freed_key_is_new(server: Idempotency) -> None:
    server.free(server.claim("me", "k", ROUTE, "r1"))
    assert server.claim("me", "k", ROUTE, "r2").resource_id == "r2"


def test_nobody_is_replaced_by_his_own_process(server: Idempotency, clock: Clock) -> None:
    """A machine that stood still has let the lease run out, and the request goes on."""
    entry = server.claim("me", "k", ROUTE, "r")
    clock.now += LEASE_S + 1
    assert _code(server) == "idempotency_in_progress"
    server.finish(entry, Answer(200, b"mine"))
    assert server.claim("me", "k", ROUTE, "x").answer is not None


def test_a_dead_holders_key_is_taken_over_with_what_it_named(
    store: IdempotencyStore, clock: Clock
) -> None:
    dead = Idempotency(store, clock)
    first = dead.note(dead.claim("me", "k", ROUTE, "r1"), "print", "named-by-the-body")
    dead.close()
    alive = Idempotency(store, clock)
    assert _code(alive) == "idempotency_in_progress"
    clock.now += LEASE_S + 1
    second = alive.claim("me", "k", ROUTE, "r2")
    assert (second.resource_id, second.fingerprint) == ("named-by-the-body", "print")

    # The first was only asleep: it can neither go on nor answer nor free the key.
    with pytest.raises(Error, match="still running"):
        dead.note(first, "print", "r1")
    dead.finish(first, Answer(200, b"late"))
    dead.free(first)
    assert _code(alive) == "idempotency_in_progress"
    alive.finish(second, Answer(201, b"mine"))
    kept = alive.claim("me", "k", ROUTE, "x").answer
    assert kept is not None
    assert kept.status == 201
    alive.close()


class _Watched(IdempotencyStore):
    """Says when a lease was renewed."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.renewed = threading.Semaphore(0)

    def renew(self, held: Iterable[Entry], lease_until: float) -> None:
        super().renew(held, lease_until)
        self.renewed.release()


def test_who_works_longer_than_a_lease_keeps_the_key(tmp_path: Path, clock: Clock) -> None:
    engine = open_database(tmp_path / "w.sqlite3", Schema.INDEX, Durability.CRASH)
    store = _Watched(engine)
    service = Idempotency(store, clock, lease_s=0.04)
    service.claim("me", "k", ROUTE, "r")
    clock.now += 60
    for _ in range(2):  # the first may have begun before the clock went on
        assert store.renewed.acquire(timeout=20)
    assert _code(service) == "idempotency_in_progress"
    service.close()


def test_the_table_is_bounded(store: IdempotencyStore, clock: Clock) -> None:
    service = Idempotency(store, clock, most_keys=3)
    for number in range(4):
        service.free(service.claim("me", f"freed {number}", ROUTE, "r"))
    for number in range(4):
        service.finish(service.claim("me", f"kept {number}", ROUTE, "r"), Answer(200, b""))
    clock.now += 61
    assert _code(service, "one more") == "rate_limited"
    assert service.claim("you", "k", ROUTE, "r").attempt == 1
    clock.now += KEPT_S + 1
    assert service.claim("me", "one more", ROUTE, "r").attempt == 1
    assert store.owners_above(0) == ["me"], "yours went with the day"
    service.close()


@pytest.mark.parametrize(
    ("sent", "key"),
    [
        ([], None),
        (["8e03978e-40d5"], "8e03978e-40d5"),
        (['"8e03978e-40d5"'], "8e03978e-40d5"),
        ([r'"a \"b\" \\"'], r'a "b" \ '.strip()),
        ([" padded "], "padded"),
    ],
)
def test_keys_come_bare_or_as_structured_strings(sent: list[str], key: str | None) -> None:
    assert key_sent(_request(sent)) == key


@pytest.mark.parametrize(
    "sent", [[""], ["a b"], ['"'], ['"a'], ['""'], ["a" * 256], ["ä"], ["a\x01"], ["a", "a"]]
)
def test_other_keys_are_refused(sent: list[str]) -> None:
    with pytest.raises(Error, match="Idempotency-Key"):
        key_sent(_request(sent))


def _request(sent: list[str]) -> Request:
    headers = [(b"idempotency-key", value.encode("latin-1")) for value in sent]
    return Request({"type": "http", "headers": headers})
