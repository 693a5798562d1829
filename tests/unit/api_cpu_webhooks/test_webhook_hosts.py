"""Which receivers get another attempt while some of them hang."""

from __future__ import annotations

import pytest

from apps.api_cpu.webhooks.hosts import Hosts
from apps.api_cpu.webhooks.sender import Problem


def _sending(hosts: Hosts, **counts: int) -> None:
    for host, count in counts.items():
        for _ in range(count):
            hosts.begun(host)


def test_one_host_has_four_places() -> None:
    hosts = Hosts()
    _sending(hosts, a=4, b=3)
    assert hosts.busy == ["a"]
    hosts.ended("a")
    assert hosts.busy == []


@pytest.mark.parametrize(
    "problem", [Problem.TIMEOUT, Problem.CONNECTION, Problem.NAME, Problem.TLS]
)
def test_hosts_that_do_not_answer_have_eight_together(problem: Problem) -> None:
    hosts = Hosts()
    for host in "abcdef":
        hosts.told(host, problem)
    _sending(hosts, a=3, b=3, c=2, fine=2)
    assert hosts.busy == list("abcdef"), "the ones that nothing is sent to as well"
    hosts.ended("c")
    assert hosts.busy == [], "there is one place to see whether one is back"


def test_one_that_answers_again_is_as_the_others() -> None:
    hosts = Hosts()
    for host in "ab":
        hosts.told(host, Problem.TIMEOUT)
    _sending(hosts, a=3, b=3, c=3)
    hosts.told("c", Problem.TIMEOUT)
    assert hosts.busy == ["a", "b", "c"]
    hosts.told("a", Problem.STATUS)
    assert hosts.busy == [], "it answered, if not well; and six places are none too many"
    hosts.told("b", None)
    hosts.told("c", None)
    hosts.begun("a")
    assert hosts.busy == ["a"]


def test_a_thousand_names_are_remembered_and_no_more() -> None:
    hosts = Hosts()
    for number in range(1001):
        hosts.told(f"h{number}", Problem.NAME)
    _sending(hosts, h1=3, h2=3, h3=3)
    assert len(hosts.busy) == 1000
    assert "h0" not in hosts.busy
