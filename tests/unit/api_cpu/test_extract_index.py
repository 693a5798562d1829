"""The index: an id is taken once, and a dead holder does not keep it for ever."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from pydantic import SecretStr

from apps.api_cpu.db.engine import Durability, Schema, open_database
from apps.api_cpu.extractions.store import ExtractIndex

LEASE_S = 60.0


class Clock:
    """A clock that is set by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def index(location: Path | SecretStr, clock: Clock) -> ExtractIndex:
    engine = open_database(location, Schema.INDEX, Durability.CRASH)
    return ExtractIndex(engine, LEASE_S, clock)


def _never(_key: str) -> bool:
    return False


def test_an_id_is_taken_once(index: ExtractIndex) -> None:
    assert index.reserve("a", "k1", "rel-1", _never) is None
    held = index.reserve("a", "k2", "rel-2", _never)
    assert held is not None
    assert (held.owner_key_id, held.artifact_rel) == ("k1", "rel-1")


def test_of_many_at_once_one_takes_it(index: ExtractIndex) -> None:
    count = 8
    barrier = threading.Barrier(count)
    taken: list[str] = []

    def take(owner: str) -> None:
        barrier.wait()
        if index.reserve("a", owner, f"rel-{owner}", _never) is None:
            taken.append(owner)

    threads = [threading.Thread(target=take, args=(str(n),)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 1
    found = index.find("a")
    assert found is not None
    assert found.owner_key_id == taken[0]


def test_a_dead_holders_id_is_free_after_the_lease(index: ExtractIndex, clock: Clock) -> None:
    index.reserve("a", "k1", "rel-1", _never)
    clock.now += LEASE_S - 1
    assert index.reserve("a", "k2", "rel-2", _never) is not None
    clock.now += 2
    assert index.reserve("a", "k2", "rel-2", _never) is None
    found = index.find("a")
    assert found is not None
    assert (found.owner_key_id, found.artifact_rel) == ("k2", "rel-2")
    assert index.reserve("a", "k1", "rel-3", _never) is not None, "the new lease holds"


def test_an_answered_id_is_taken_for_good(index: ExtractIndex, clock: Clock) -> None:
    index.reserve("a", "k1", "rel-1", _never)
    clock.now += 100 * LEASE_S
    held = index.reserve("a", "k2", "rel-2", lambda key: key == "rel-1")
    assert held is not None
    assert held.owner_key_id == "k1"
