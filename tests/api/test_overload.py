"""More than the server can do: who is refused, with what, and that the others are answered."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from api_place import PEPPER, RECEIPT, FakePipeline, Place, fake_reader

from apps.api_cpu.auth.roles import LOCAL_ADMIN
from apps.api_cpu.extractions.admission import Admission
from apps.api_cpu.main import create_app
from apps.api_cpu.server import Server
from apps.api_cpu.settings import Settings, load_settings
from lib.errors import Error

B64 = base64.b64encode(RECEIPT).decode()
SLOW = {"image_base64": base64.b64encode(b"wait").decode()}
KEYS = {"auth_enabled": True, "api_key_pepper": PEPPER}
_PATIENCE_S = 100.0


class Crowd:
    """Callers at once, each on a thread."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._threads = ThreadPoolExecutor(64)
        self.answers: list[Future[Any]] = []

    def send(self, count: int = 1, **request: Any) -> list[Future[Any]]:
        """So many requests; they may be answered later."""
        body = {"json": SLOW} | request
        sent = [
            self._threads.submit(self._place.client.post, "/v1/extract", **body)
            for _ in range(count)
        ]
        self.answers += sent
        return sent

    def wait_for(self, running: int, queued: int = 0) -> None:
        """Until the server has so much in hand."""
        admission = self._place.app.state.admission
        end = time.monotonic() + _PATIENCE_S
        while (admission.running, admission.queued) != (running, queued):
            assert time.monotonic() < end, (admission.running, admission.queued)
            time.sleep(0.005)


@pytest.fixture
def crowded(make_place: Callable[..., Place]) -> Iterator[Callable[..., Crowd]]:
    crowds: list[Crowd] = []

    def make(**settings: Any) -> Crowd:
        crowds.append(Crowd(make_place(**settings)))
        return crowds[-1]

    yield make
    for crowd in crowds:
        crowd._place.pipeline.release.set()
        wait(crowd.answers, _PATIENCE_S)


def _codes(answers: list[Future[Any]]) -> Counter[int]:
    return Counter(answer.result(_PATIENCE_S).status_code for answer in answers)


def test_refusals_wait_for_nobody_and_what_was_accepted_is_answered(
    crowded: Callable[..., Crowd],
) -> None:
    crowd = crowded(extract_concurrency=2, extract_queue=4)
    accepted = crowd.send(6)
    crowd.wait_for(running=2, queued=4)
    refused = crowd.send(20)
    # All of them while nothing that was accepted can have ended.
    assert _codes(refused) == {503: 20}
    assert not any(answer.done() for answer in accepted)
    for answer in refused:
        error = answer.result().json()["error"]
        assert error["code"] == "inference_unavailable"
        assert error["details"]["reason"] == "overloaded"
        assert int(answer.result().headers["retry-after"]) >= 1
    for answer in refused:
        # Written behind the answer.
        rel = answer.result().json()["error"]["details"]["artifact_rel"]
        _until((crowd._place.settings.artifacts_folder / rel).is_file)
    crowd._place.pipeline.release.set()
    assert _codes(accepted) == {200: 6}


def test_a_refusal_is_kept_and_uses_no_id_up(crowded: Callable[..., Crowd]) -> None:
    crowd = crowded(extract_concurrency=1, extract_queue=0, **KEYS)
    place, headers = crowd._place, crowd._place.headers()
    first = crowd.send(headers=headers)
    crowd.wait_for(running=1)
    mine = headers | {"X-Request-ID": "mine", "Idempotency-Key": "once"}
    refused = place.client.post("/v1/extract", json={"image_base64": B64}, headers=mine)
    assert refused.status_code == 503
    rel = refused.json()["error"]["details"]["artifact_rel"]
    _until((place.settings.artifacts_folder / rel).is_file)
    kept = place.client.get("/v1/artifacts", params={"ref": rel}, headers=headers).json()
    assert (kept["request_id"], kept["status"]) == ("mine", 503)
    assert kept["error"] == refused.json()["error"]
    place.pipeline.release.set()
    assert _codes(first) == {200: 1}
    again = place.client.post("/v1/extract", json={"image_base64": B64}, headers=mine)
    assert again.status_code == 200
    found = place.client.get("/v1/extracts/mine", headers=headers)
    assert found.json()["artifact_rel"] == again.json()["artifact_rel"]


def test_a_refusal_is_found_by_the_id_that_was_made_for_it(
    crowded: Callable[..., Crowd],
) -> None:
    crowd = crowded(extract_concurrency=1, extract_queue=0)
    crowd.send()
    crowd.wait_for(running=1)
    client = crowd._place.client
    error = client.post("/v1/extract", json={"image_base64": B64}).json()["error"]
    assert error["details"]["artifact_rel"].endswith(f"/{error['request_id']}.json")
    _until(lambda: client.get(f"/v1/extracts/{error['request_id']}").status_code == 503)
    found = client.get(f"/v1/extracts/{error['request_id']}").json()
    assert found["error"]["details"]["reason"] == "overloaded"


def test_a_refusal_leaves_its_id_to_the_next_try_of_the_same(
    crowded: Callable[..., Crowd],
) -> None:
    crowd = crowded(extract_concurrency=1, extract_queue=0)
    first = crowd.send()
    crowd.wait_for(running=1)
    client, once = crowd._place.client, {"Idempotency-Key": "once"}
    refused = client.post("/v1/extract", json={"image_base64": B64}, headers=once)
    assert refused.status_code == 503
    crowd._place.pipeline.release.set()
    assert _codes(first) == {200: 1}
    again = client.post("/v1/extract", json={"image_base64": B64}, headers=once)
    assert again.status_code == 200
    assert again.json()["artifact_rel"] != refused.json()["error"]["details"]["artifact_rel"]


def test_refusals_are_written_before_the_server_has_stopped(
    wired: Callable[..., tuple[Wire, FakePipeline]],
) -> None:
    wire, pipeline = wired(extract_concurrency=1, extract_queue=0)
    folder = wire.settings.artifacts_folder
    with _occupied(wire, pipeline) as first:
        rels = [_refused(wire) for _ in range(20)]
        pipeline.release.set()
        assert _answer(first)[0] == 200
    wire.stop()
    assert all((folder / rel).is_file() for rel in rels)


def _refused(wire: Wire) -> str:
    """The artifact of a refusal."""
    body = json.dumps(SLOW).encode()
    with wire.connect() as connection:
        connection.sendall(_head(len(body)) + body)
        status, refused = _answer(connection)
    assert status == 503
    return str(refused["error"]["details"]["artifact_rel"])


def test_a_burst_of_one_key_leaves_room_and_turns_to_another(
    crowded: Callable[..., Crowd],
) -> None:
    crowd = crowded(extract_concurrency=1, extract_queue=8, **KEYS)
    greedy, other = crowd._place.headers(), crowd._place.headers()
    (first,) = crowd.send(headers=greedy)
    crowd.wait_for(running=1)
    burst = crowd.send(20, headers=greedy)
    refused = [burst[place] for place in _done(burst, 16)]
    crowd.wait_for(running=1, queued=4)
    for answer in refused:
        assert answer.result().status_code == 429
        assert answer.result().json()["error"]["code"] == "rate_limited"
        assert int(answer.result().headers["retry-after"]) >= 1
    assert crowd._place.pipeline.entered.wait(_PATIENCE_S)
    begun = len(crowd._place.pipeline.calls)
    single = crowd.send(headers=other, json={"image_base64": B64})
    crowd.wait_for(running=1, queued=5)
    crowd._place.pipeline.release.set()
    assert _codes([first, *single]) == {200: 2}
    assert crowd._place.pipeline.calls[begun]["data"] == RECEIPT, "its turn came first"
    assert _codes([answer for answer in burst if answer not in refused]) == {200: 4}


def _done(answers: list[Future[Any]], count: int) -> list[int]:
    """Which are answered, once so many are."""
    end = time.monotonic() + _PATIENCE_S
    while True:
        done = [number for number, answer in enumerate(answers) if answer.done()]
        if len(done) >= count:
            return done
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_key_may_have_so_many_at_once(crowded: Callable[..., Crowd]) -> None:
    crowd = crowded(extract_concurrency=4, extract_queue=8, extract_per_key=2, **KEYS)
    mine, yours = crowd._place.headers(), crowd._place.headers()
    crowd.send(2, headers=mine)
    crowd.wait_for(running=2)
    (third,) = crowd.send(headers=mine)
    answer = third.result(_PATIENCE_S)
    assert answer.status_code == 429
    assert answer.json()["error"]["details"]["limit"] == 2
    assert _codes(crowd.send(headers=yours, json={"image_base64": B64})) == {200: 1}


def test_what_stands_and_grows_past_the_target_is_refused(crowded: Callable[..., Crowd]) -> None:
    crowd = crowded(extract_concurrency=1, extract_queue=64, extract_target_wait_s=1e-9)
    client, admission = crowd._place.client, crowd._place.app.state.admission
    # From how long this takes it is foreseen how long the others will.
    assert client.post("/v1/extract", json={"image_base64": B64}).status_code == 200
    accepted = crowd.send(2)
    crowd.wait_for(running=1, queued=1)
    time.sleep(1.1)  # or longer: it is no burst any more
    for queued in range(2, 20):
        (sent,) = crowd.send()
        _until(partial(_has_been_decided, sent, admission, queued))
        if sent.done():
            break
        accepted.append(sent)
    assert sent.done(), "it grows, and nobody is refused"
    refused = sent.result()
    assert refused.status_code == 503
    assert refused.json()["error"]["details"]["reason"] == "overloaded"
    assert int(refused.headers["retry-after"]) >= 1
    assert admission.refused == {"overloaded": 0, "per_key": 0, "standing": 1}
    crowd._place.pipeline.release.set()
    assert set(_codes(accepted)) == {200}


def _has_been_decided(sent: Future[Any], admission: Admission, queued: int) -> bool:
    return sent.done() or admission.queued == queued


def test_who_waits_too_long_leaves_the_queue(crowded: Callable[..., Crowd]) -> None:
    crowd = crowded(extract_concurrency=1, extract_queue=2)
    place = crowd._place
    crowd.send()
    crowd.wait_for(running=1)
    waits = {"Prefer": "wait"}
    late = place.outlasted(lambda: place.client.post("/v1/extract", json=SLOW, headers=waits), 504)
    assert late.status_code == 504
    assert place.app.state.admission.queued == 0
    assert len(place.pipeline.calls) <= 1, "the first one, that has a thread"


def test_what_would_wait_too_long_becomes_a_job_or_is_refused_at_once(
    crowded: Callable[..., Crowd],
) -> None:
    crowd = crowded(extract_concurrency=1, extract_queue=4, jobs_max_concurrency=0)
    place, waits = crowd._place, {"Prefer": "wait"}
    # One that takes longer than a request may later: the mean is longer from here on.
    first = crowd.send()
    assert place.pipeline.entered.wait(_PATIENCE_S)
    time.sleep(2.0)
    place.pipeline.release.set()
    assert _codes(first) == {200: 1}
    crowd.wait_for(running=0)
    place.pipeline.release.clear()
    crowd.send()
    crowd.wait_for(running=1)
    place.app.state.sync_deadline_s = 1.5
    foreseen = place.client.post("/v1/extract", json={"image_base64": B64})
    assert foreseen.status_code == 202
    assert place.client.get(foreseen.headers["location"]).json()["status"] == "queued"
    refused = place.client.post("/v1/extract", json={"image_base64": B64}, headers=waits)
    assert refused.status_code == 503
    assert refused.json()["error"]["details"]["reason"] == "overloaded"
    assert int(refused.headers["retry-after"]) >= 1
    _until(lambda: [call["data"] for call in place.pipeline.calls] == [b"wait", b"wait"])


class Wire:
    """The same server on a socket."""

    def __init__(self, settings: Settings, pipeline: FakePipeline) -> None:
        self.settings = settings
        self.app = create_app(settings, lambda _settings: fake_reader(pipeline))
        listening = threading.Event()
        self.port = 0

        def announce(_host: str, port: int) -> None:
            self.port = port
            listening.set()

        self._server = Server(self.app, settings, announce)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        assert listening.wait(_PATIENCE_S)

    def connect(self) -> socket.socket:
        """A connection to it."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=_PATIENCE_S)

    def stop(self) -> None:
        """End it."""
        self._server.should_exit = True
        self._thread.join(_PATIENCE_S)
        assert not self._thread.is_alive()


@pytest.fixture
def wired(
    tmp_path: Path, new_databases: Path
) -> Iterator[Callable[..., tuple[Wire, FakePipeline]]]:
    pipeline = FakePipeline()
    wires: list[Wire] = []

    def make(**settings: Any) -> tuple[Wire, FakePipeline]:
        given = {"data_root": tmp_path / "wired", "ocr_workers": 1, "port": 0} | settings
        shutil.copytree(new_databases, given["data_root"])
        wires.append(Wire(load_settings(**given), pipeline))
        return wires[-1], pipeline

    yield make
    pipeline.release.set()
    for wire in wires:
        wire.stop()


def _head(length: int | None, *more: str, path: str = "/v1/extract") -> bytes:
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    lines = [
        f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", framing,
        *more,
    ]  # fmt: skip
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _answer(connection: socket.socket) -> tuple[int, dict[str, Any]]:
    """Status and body of the next response on the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        assert chunk, data
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        int(line.partition(b":")[2])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    )
    while len(body) < length:
        chunk = connection.recv(65536)
        assert chunk
        body += chunk
    return int(head.split()[1]), json.loads(body)


def _occupied(wire: Wire, pipeline: FakePipeline) -> socket.socket:
    """A connection whose document is being read, and goes on being read."""
    connection = wire.connect()
    body = json.dumps(SLOW).encode()
    connection.sendall(_head(len(body)) + body)
    assert pipeline.entered.wait(_PATIENCE_S)
    return connection


@pytest.mark.parametrize("length", [8_000_000, None])
def test_a_large_body_is_refused_before_it_comes(
    wired: Callable[..., tuple[Wire, FakePipeline]], length: int | None
) -> None:
    wire, pipeline = wired(extract_concurrency=1, extract_queue=0)
    with _occupied(wire, pipeline) as first, wire.connect() as second:
        second.sendall(_head(length, "Expect: 100-continue"))
        status, refused = _answer(second)
        assert status == 503, "and no 100 Continue before it"
        assert refused["error"]["code"] == "inference_unavailable"
        assert "artifact_rel" in refused["error"]["details"]
        pipeline.release.set()
        assert _answer(first)[0] == 200


def test_a_client_that_sends_all_the_same_gets_its_refusal_and_may_go_on(
    wired: Callable[..., tuple[Wire, FakePipeline]],
) -> None:
    wire, pipeline = wired(extract_concurrency=1, extract_queue=0)
    with _occupied(wire, pipeline) as first, wire.connect() as second:
        second.sendall(_head(8_000_000))
        for _ in range(8):
            second.sendall(b" " * 1_000_000)
        assert _answer(second)[0] == 503
        # What follows on the connection is a request again, and not the rest of that body.
        second.sendall(b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        status, health = _answer(second)
        assert status == 200
        assert health["jobs"]["running"] == 1
        pipeline.release.set()
        assert _answer(first)[0] == 200


UPLOADS = "/v1/batch_extract_upload_async"
_PART = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.pdf"\r\n\r\n'
_MULTIPART = "Content-Type: multipart/form-data; boundary=x"


def _upload_head(length: int) -> bytes:
    head = _head(length, _MULTIPART, "Expect: 100-continue", path=UPLOADS)
    return head.replace(b"Content-Type: application/json\r\n", b"")


def test_a_key_sends_so_many_uploads_at_once(
    wired: Callable[..., tuple[Wire, FakePipeline]],
) -> None:
    wire, _ = wired(batch_uploads_per_key=1)
    held = wire.app.state.uploads_open
    with wire.connect() as first:
        first.sendall(_upload_head(1_000_000))
        assert first.recv(65536).startswith(b"HTTP/1.1 100")
        first.sendall(_PART)
        assert held.open == 1
        with wire.connect() as second:
            second.sendall(_upload_head(1_000_000))
            status, refused = _answer(second)
        assert (status, refused["error"]["code"]) == (429, "rate_limited")
        assert refused["error"]["details"]["limit"] == 1
    _until(lambda: held.open == 0)
    with wire.connect() as third:
        third.sendall(_upload_head(1_000_000))
        assert third.recv(65536).startswith(b"HTTP/1.1 100")


@pytest.mark.parametrize("path", [UPLOADS, "/v1/extract_async"])
def test_what_could_not_wait_need_not_come(
    wired: Callable[..., tuple[Wire, FakePipeline]], path: str
) -> None:
    wire, _ = wired(jobs_queued_per_key=1, jobs_max_concurrency=0)
    body = json.dumps(SLOW).encode()
    with wire.connect() as first:
        first.sendall(_head(len(body), path="/v1/extract_async") + body)
        assert _answer(first)[0] == 202
    with wire.connect() as second:
        second.sendall(
            _upload_head(9_000_000)
            if path == UPLOADS
            else _head(9_000_000, "Expect: 100-continue", path=path)
        )
        status, refused = _answer(second)
    assert (status, refused["error"]["code"]) == (429, "too_many_jobs")
    assert "artifact_rel" in refused["error"]["details"]


def test_who_hangs_up_while_waiting_is_not_read(
    wired: Callable[..., tuple[Wire, FakePipeline]],
) -> None:
    wire, pipeline = wired(extract_concurrency=1, extract_queue=1)
    admission = wire.app.state.admission
    body = json.dumps(SLOW | {"request_id": "gone"}).encode()
    with _occupied(wire, pipeline) as first:
        with wire.connect() as second:
            second.sendall(_head(len(body)) + body)
            _until(lambda: admission.queued == 1)
        _until(lambda: admission.queued == 0)
        service = wire.app.state.extractions
        _until(lambda: _kept(service, "gone") is not None)
        kept = _kept(service, "gone")
        assert kept is not None
        assert kept["error"]["details"]["reason"] == "caller_left"
        pipeline.release.set()
        assert _answer(first)[0] == 200
    assert len(pipeline.calls) == 1


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


def _kept(service: Any, request_id: str) -> dict[str, Any] | None:
    try:
        artifact: dict[str, Any] = service.artifact(request_id, LOCAL_ADMIN)
    except Error:
        return None
    return artifact
