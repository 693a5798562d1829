"""The port on which a worker shows its metrics, and who may see them."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator

import pytest
from pydantic import SecretStr

from apps.api_cpu.metrics.listener import MetricsListener
from apps.api_cpu.metrics.registry import Metrics
from apps.api_cpu.rate_limits import RateLimit
from lib.errors import Error

TOKEN = "a token for these tests only"
Listen = Callable[..., MetricsListener]


@pytest.fixture
def listen() -> Iterator[Listen]:
    opened: list[MetricsListener] = []

    def listening(token: SecretStr | None, failures: RateLimit | None = None) -> MetricsListener:
        opened.append(MetricsListener(Metrics(), "127.0.0.1", 0, token, failures))
        return opened[-1]

    yield listening
    for listener in opened:
        listener.stop()


def _get(listener: MetricsListener, path: str, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", listener.port, timeout=60)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def test_it_shows_metrics_and_nothing_else(listen: Listen) -> None:
    listener = listen(None)
    status, text = _get(listener, "/metrics")
    assert status == 200
    assert b"ocr_build_info" in text
    assert [_get(listener, path)[0] for path in ("/", "/metrics/", "/v1/health")] == [404] * 3


def test_with_a_token_whoever_sends_it_is_answered(listen: Listen) -> None:
    listener = listen(SecretStr(TOKEN))
    assert _get(listener, "/metrics")[0] == 404
    assert _get(listener, "/metrics", Authorization="Bearer another")[0] == 404
    assert _get(listener, "/metrics", Authorization=f"Bearer {TOKEN}")[0] == 200


def test_wrong_tokens_are_counted(listen: Listen) -> None:
    listener = listen(SecretStr(TOKEN), RateLimit(2, clock=lambda: 0.0))
    codes = [_get(listener, "/metrics", Authorization="Bearer another")[0] for _ in range(3)]
    assert codes == [404, 404, 429]
    assert _get(listener, "/metrics")[0] == 404, "nothing was guessed"
    assert _get(listener, "/metrics", Authorization=f"Bearer {TOKEN}")[0] == 200


def test_a_port_that_is_taken_stops_the_start_with_a_line(listen: Listen) -> None:
    taken = listen(None).port
    with pytest.raises(Error) as found:
        MetricsListener(Metrics(), "127.0.0.1", taken, None)
    assert f"METRICS_PORT: 127.0.0.1:{taken} cannot be listened on" in found.value.message
