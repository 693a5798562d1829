"""Which server is asked: the idlest one; failing and busy ones left out, moves followed."""

from __future__ import annotations

import socket
from math import inf
from pathlib import Path

import pytest

from lib.domain.cancellation import Cancellation
from lib.domain.deadline import Deadline
from lib.inference.addresses import AddressBook
from lib.inference.breaker import BreakerPolicy
from lib.inference.client import Circuit
from lib.inference.connection import Timeouts, Watch
from lib.inference.exchange import Exchange
from lib.inference.failures import Cause, Failure
from lib.inference.secret import Secret
from lib.inference.upstreams import Upstream, Upstreams


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def connect(address: str) -> Exchange:
    return Exchange(address, Secret(""), Timeouts(), 4, 1000)


def upstreams(setting: str, clock: Clock) -> Upstreams:
    policy = BreakerPolicy(threshold=1, first_pause_s=5)
    return Upstreams(AddressBook(setting), connect, policy, clock)


def fail(upstream: Upstream, cause: Cause = Cause.RESET) -> None:
    with pytest.raises(Failure), upstream.request():
        raise Failure(cause)


def test_idle_servers_take_turns() -> None:
    servers = upstreams("http://a,http://b,http://c", Clock())
    asked = [servers.choose(()).address for _ in range(6)]
    assert asked == ["http://a", "http://b", "http://c"] * 2


def test_the_one_with_the_fewest_requests_under_way_is_asked() -> None:
    servers = upstreams("http://a,http://b", Clock())
    first = servers.choose(())
    with first.request():
        assert [servers.choose(()).address for _ in range(3)] == ["http://b"] * 3
    assert [up.outstanding for up in servers.states()] == [0, 0]
    assert [up.requests for up in servers.states()] == [1, 0]


def test_a_failing_one_is_left_out_until_its_pause_is_over() -> None:
    clock = Clock()
    servers = upstreams("http://a,http://b", clock)
    bad = servers.choose(())
    fail(bad)
    assert {servers.choose(()).address for _ in range(4)} == {"http://b"}
    assert [up.circuit for up in servers.states()] == [Circuit.OPEN, Circuit.CLOSED]
    clock.now += 5
    assert {servers.choose(()).address for _ in range(2)} == {"http://a", "http://b"}


def test_a_request_that_is_refused_proves_that_a_server_is_back() -> None:
    clock = Clock()
    servers = upstreams("http://a", clock)
    fail(servers.choose(()))
    clock.now += 5
    fail(servers.choose(()), Cause.REQUEST_REFUSED)
    assert servers.states()[0].circuit is Circuit.CLOSED


def test_what_only_a_person_can_mend_is_named_when_all_are_left_out() -> None:
    servers = upstreams("http://a,http://b", Clock())
    for _ in range(2):
        fail(servers.choose(()), Cause.KEY_REFUSED)
    with pytest.raises(Failure) as none:
        servers.choose(())
    assert none.value.cause is Cause.KEY_REFUSED


@pytest.mark.parametrize("other", [Cause.RESET, Cause.MODEL_UNKNOWN])
def test_servers_that_are_left_out_for_different_reasons_are_just_down(other: Cause) -> None:
    servers = upstreams("http://a,http://b", Clock())
    for cause in (Cause.KEY_REFUSED, other):
        fail(servers.choose(()), cause)
    with pytest.raises(Failure) as none:
        servers.choose(())
    assert none.value.cause is Cause.ALL_DOWN


def test_none_left_says_when_to_come_back() -> None:
    clock = Clock()
    servers = upstreams("http://a,http://b", clock)
    fail(servers.choose(()))
    clock.now += 2
    fail(servers.choose(()))
    with pytest.raises(Failure) as failed:
        servers.choose(())
    assert failed.value.cause is Cause.ALL_DOWN
    assert failed.value.retry_after_s == 3


def test_one_that_asked_for_patience_and_one_already_tried_come_last() -> None:
    clock = Clock()
    servers = upstreams("http://a,http://b", clock)
    first = servers.choose(())
    first.busy_until = clock.now + 1
    assert {servers.choose(()).address for _ in range(3)} == {"http://b"}
    clock.now += 1
    assert {servers.choose([first]).address for _ in range(3)} == {"http://b"}
    assert servers.has_other([first])


def test_one_that_is_not_well_is_asked_when_no_other_is_left() -> None:
    with socket.socket() as taken:  # nobody listens there, and nobody else can come to
        taken.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
        servers = Upstreams(AddressBook(f"{nobody},http://b"), connect, BreakerPolicy(), Clock())
        first, second = servers.choose(()), servers.choose(())
        first.probe(5.0, Watch(Deadline(inf), Cancellation()))
    assert first.ready is False
    assert {servers.choose(()).address for _ in range(3)} == {"http://b"}
    assert servers.choose([second]) is first


def test_a_pod_that_moves_is_followed_and_what_it_still_does_is_finished(tmp_path: Path) -> None:
    clock = Clock()
    file = tmp_path / "pods"
    file.write_text("http://a http://b")
    servers = upstreams(file.as_uri(), clock)
    with servers.choose(()).request():
        file.write_text("http://b http://moved")
        clock.now += 1.5
        servers.choose(())
        assert [up.address for up in servers.states()] == ["http://b", "http://moved"]
    assert servers.states()[0].requests == 0
