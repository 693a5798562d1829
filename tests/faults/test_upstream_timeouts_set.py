"""VLLM_CONNECT_TIMEOUT_S, VLLM_READ_TIMEOUT_S, VLLM_WRITE_TIMEOUT_S and VLLM_POOL_TIMEOUT_S: each
ends the wait that it is named for, and no other does.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
from bad_upstream import bad_server, hang

from apps.api_cpu.inference import build_client
from apps.api_cpu.settings import load_settings
from lib.domain.cancellation import Canceled, Cancellation
from lib.domain.deadline import Deadline
from lib.errors import Error
from lib.inference.http_client import HttpInferenceClient
from lib.inference.wire import ChatRequest, Message

# Nothing here may hang: the bound is pytest's. All that is not set to be short is longer than it.
pytestmark = pytest.mark.timeout(120)

SHORT, LONG = "0.3", "500"
NAMES = ("CONNECT", "READ", "WRITE", "POOL")
# More than the buffers of a connection hold.
LARGE = 64 << 20


@pytest.fixture
def client(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[..., HttpInferenceClient]]:
    """Makes a client whose one time-out is short."""
    with ExitStack() as opened:

        def make(short: str, address: str) -> HttpInferenceClient:
            for name in NAMES:
                monkeypatch.setenv(f"VLLM_{name}_TIMEOUT_S", SHORT if name == short else LONG)
            monkeypatch.setenv("VLLM_BASE_URL", address)
            settings = load_settings(data_root=tmp_path, ocr_workers=1)
            return opened.enter_context(build_client(settings))

        yield make


def request(text: str = "total?") -> ChatRequest:
    return ChatRequest(model="m", messages=(Message(role="user", content=text),))


def failure(client: HttpInferenceClient, text: str = "total?") -> Error:
    with pytest.raises(Error) as failed:
        client.complete(request(text), Deadline.after(400))
    return failed.value


@contextmanager
def listening(backlog: int) -> Iterator[tuple[socket.socket, str]]:
    """A port whose connections nobody takes."""
    with socket.create_server(("127.0.0.1", 0), backlog=backlog) as listener:
        yield listener, f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_connecting(client: Callable[..., HttpInferenceClient]) -> None:
    with listening(0) as (listener, address), ExitStack() as opened:
        # Once nobody can be taken any more the kernel answers no further greeting.
        for _ in range(8):
            greeting = opened.enter_context(socket.socket())
            greeting.setblocking(False)
            greeting.connect_ex(listener.getsockname())
        error = failure(client("CONNECT", address))
    assert error.code == "inference_unavailable"
    assert set(error.details["attempts"]) == {"connect"}


def test_reading(client: Callable[..., HttpInferenceClient]) -> None:
    with bad_server(hang, probed=True) as server:
        error = failure(client("READ", server.address))
    assert (error.code, error.details["attempts"]) == ("inference_timeout", ["timeout"])


def test_writing(client: Callable[..., HttpInferenceClient]) -> None:
    with listening(100) as (_, address):
        error = failure(client("WRITE", address), "x" * LARGE)
    assert (error.code, error.details["attempts"]) == ("inference_timeout", ["timeout"])


def test_waiting_for_a_connection(client: Callable[..., HttpInferenceClient]) -> None:
    cancellation, full = Cancellation(), Event()
    refused: list[str] = []
    with bad_server(hang, probed=True) as server:
        asking = client("POOL", server.address)

        def ask() -> None:
            try:
                asking.complete(request(), Deadline.after(400), cancellation=cancellation)
            except Canceled:
                pass
            except Error as error:
                refused.append(error.details["reason"])
                full.set()

        # As many as connections are allowed at least, and one more.
        callers = [Thread(target=ask) for _ in range(65)]
        for caller in callers:
            caller.start()
        assert full.wait(100)
        cancellation.set()
        for caller in callers:
            caller.join(100)
    assert refused == ["no_connection_free"]
