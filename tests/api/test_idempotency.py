"""`Idempotency-Key` at the endpoints that start work."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from api_place import RECEIPT, Place, reading
from httpx import Response

from apps.api_cpu.auth.roles import Role
from apps.api_cpu.db.engine import Durability, Schema, open_database
from apps.api_cpu.extractions.store import ExtractIndex
from apps.api_cpu.idempotency.fingerprint import fingerprint_for
from apps.api_cpu.idempotency.service import LARGEST_BODY, Idempotency
from apps.api_cpu.idempotency.store import IdempotencyStore

KEY_NAME = "Idempotency-Key"
KEY = {KEY_NAME: "order-4711"}


def send(place: Place, data: bytes = RECEIPT, **headers: str) -> Response:
    form = {"task_id": "auto"}
    return place.client.post(
        "/v1/extract", files={"file": ("a.pdf", data)}, data=form, headers=KEY | headers
    )


def test_the_same_again_gets_the_same_answer(place: Place) -> None:
    first, second = send(place), send(place)
    assert first.status_code == second.status_code == 200
    assert second.content == first.content
    assert second.headers["content-type"] == first.headers["content-type"]
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert len(place.pipeline.calls) == 1
    assert len(place.artifact_files()) == 1


def test_without_a_key_nothing_is_remembered(place: Place) -> None:
    for _ in range(2):
        place.client.post("/v1/extract", files={"file": RECEIPT})
    assert len(place.pipeline.calls) == 2


def test_another_body_or_address_is_a_mismatch(place: Place) -> None:
    send(place)
    other = send(place, b"another document")
    assert other.status_code == 409
    error = other.json()["error"]
    assert error["code"] == "idempotency_mismatch"
    elsewhere = place.client.post("/v1/batch_extract", json={"images_dir": "x"}, headers=KEY)
    assert elsewhere.json()["error"]["code"] == "idempotency_mismatch"
    kept = place.client.get("/v1/artifacts", params={"ref": error["details"]["artifact_rel"]})
    assert kept.json()["error"]["code"] == "idempotency_mismatch"
    assert len(place.pipeline.calls) == 1


def test_twenty_at_once_do_the_work_once(place: Place) -> None:
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: send(place), range(20)))
    codes = [answer.json().get("error", {}).get("code") for answer in answers]
    assert set(codes) <= {None, "idempotency_in_progress"}
    assert None in codes
    assert len({answer.content for answer in answers if answer.status_code == 200}) == 1
    assert len(place.pipeline.calls) == 1
    for answer in answers:
        assert answer.status_code == 200 or int(answer.headers["Retry-After"]) > 0


def test_while_the_first_runs_the_second_waits(place: Place) -> None:
    answers: list[Response] = []
    runner = threading.Thread(target=lambda: answers.append(send(place, b"wait")))
    runner.start()
    assert place.pipeline.entered.wait(60)
    during = send(place, b"wait")
    place.pipeline.release.set()
    runner.join()
    assert (during.status_code, during.json()["error"]["code"]) == (409, "idempotency_in_progress")
    assert answers[0].status_code == 200
    assert send(place, b"wait").content == answers[0].content


def test_a_failure_of_the_document_is_an_answer(place: Place) -> None:
    first, second = send(place, b"unsupported"), send(place, b"unsupported")
    assert first.status_code == 415
    assert second.content == first.content
    assert len(place.pipeline.calls) == 1


def test_a_failure_of_ours_is_not(place: Place) -> None:
    assert [send(place, b"crash").status_code for _ in range(2)] == [500, 500]
    assert len(place.pipeline.calls) == 2


def test_keys_belong_to_the_api_key(locked: Place) -> None:
    mine, yours = locked.headers(), locked.headers()
    assert send(locked, **mine).status_code == 200
    assert "Idempotent-Replayed" not in send(locked, b"other", **yours).headers
    assert send(locked, **mine).headers["Idempotent-Replayed"] == "true"


def test_a_body_that_never_arrived_frees_the_key(place: Place) -> None:
    def cut() -> Any:
        yield b'{"image_base64": "'

    broken = place.client.post(
        "/v1/extract", content=cut(), headers=KEY | {"Content-Type": "application/json"}
    )
    assert broken.status_code == 400
    form = "multipart/form-data; boundary=x"
    half = place.client.post(
        "/v1/extract", content=b"--x\r\n", headers=KEY | {"Content-Type": form}
    )
    assert half.json()["error"]["code"] == "idempotency_mismatch", "broken JSON is an answer"


def test_a_key_that_is_none_is_refused(place: Place) -> None:
    refused = place.client.post("/v1/extract", files={"file": RECEIPT}, headers={KEY_NAME: "a b"})
    assert refused.status_code == 422
    assert refused.json()["error"]["details"]["errors"][0]["field"] == KEY_NAME


@pytest.fixture
def died(place: Place) -> Callable[..., str]:
    """Leaves what a server leaves that dies while it works under a key."""
    database = place.settings.index_database

    def die(body: dict[str, Any], request_id: str, *, written: bool) -> str:
        if written:
            sent = {"json": body | {"request_id": request_id}}
            assert place.client.post("/v1/extract", **sent).status_code == 200
        engine = open_database(database, Schema.INDEX, Durability.CRASH)
        past = Idempotency(IdempotencyStore(engine), lambda: time.time() - 3600)
        entry = past.claim("local", KEY[KEY_NAME], "/v1/extract", request_id)
        past.note(entry, _fingerprint(body), request_id)
        past.close()
        if not written:
            rel = f"extracts/2026-11-20/{request_id}.json"
            ExtractIndex(engine, 3600).reserve(request_id, "local", rel, lambda _: False)
        engine.dispose()
        return request_id

    return die


def _fingerprint(body: dict[str, Any]) -> str:
    fingerprint = fingerprint_for("application/json")
    fingerprint.add(json.dumps(body).encode())
    return fingerprint.hexdigest() or ""


BODY = {"image_base64": "YSBkb2N1bWVudA=="}


def _send_json(place: Place, body: dict[str, Any]) -> Response:
    headers = KEY | {"Content-Type": "application/json"}
    return place.client.post("/v1/extract", content=json.dumps(body).encode(), headers=headers)


def test_what_a_dead_server_wrote_is_the_answer(place: Place, died: Callable[..., str]) -> None:
    request_id = died(BODY, "died-late", written=True)
    for _ in range(2):
        again = _send_json(place, BODY)
        assert again.status_code == 200
        assert again.json()["request_id"] == request_id
        assert again.headers["Idempotent-Replayed"] == "true"
    other = _send_json(place, BODY | {"task_id": "receipt_fields_v1"})
    assert other.json()["error"]["code"] == "idempotency_mismatch"
    assert len(place.pipeline.calls) == 1


def test_what_a_dead_server_did_not_write_is_done_under_its_id(
    place: Place, died: Callable[..., str]
) -> None:
    request_id = died(BODY, "died-early", written=False)
    again = _send_json(place, BODY)
    assert again.status_code == 200
    assert again.json()["request_id"] == request_id
    assert "Idempotent-Replayed" not in again.headers
    assert _send_json(place, BODY).content == again.content


def test_batches_and_evaluations_are_made_once(place: Place) -> None:
    folder = place.settings.data_root / "march"
    folder.mkdir(parents=True)
    for name in ("a", "b"):
        (folder / f"{name}.pdf").write_bytes(RECEIPT)
    sent = {"images_dir": "march", "run_id": "march"}
    runs = [
        place.client.post("/v1/batch_extract", json=sent, headers={KEY_NAME: "b"}) for _ in "12"
    ]
    assert [run.status_code for run in runs] == [200, 200]
    assert runs[0].content == runs[1].content
    assert len(place.pipeline.calls) == 2

    truth = [{"id": "a", "file": "a.pdf", "document_type": None, "fields": {"total": "19.90"}}]
    judged = [
        place.client.post(
            "/v1/evals", json={"run_id": "march", "truth": truth}, headers={KEY_NAME: "e"}
        )
        for _ in "12"
    ]
    assert [found.status_code for found in judged] == [201, 201]
    assert judged[0].content == judged[1].content
    assert judged[1].headers["Idempotent-Replayed"] == "true"
    stored = [path for path in place.artifact_files() if "evals" in path.parts]
    assert len(stored) == 1


def test_a_large_answer_comes_from_its_artifact(place: Place) -> None:
    read = reading()
    result = dict(read.reading.result) | {"vendor_name": "A long name " * 8_000}
    large = replace(read, reading=replace(read.reading, result=result))
    place.pipeline.answer = lambda: large
    folder = place.settings.data_root / "many"
    folder.mkdir(parents=True)
    for number in range(4):
        (folder / f"{number}.pdf").write_bytes(RECEIPT)
    sent = {"images_dir": "many"}
    first, second = (
        place.client.post("/v1/batch_extract", json=sent, headers=KEY) for _ in range(2)
    )
    assert len(first.content) > LARGEST_BODY
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.json() == first.json()


def test_scopes_come_before_keys(locked: Place) -> None:
    client = locked.headers(Role.CLIENT)
    refused = locked.client.post("/v1/evals", json={}, headers=KEY | client)
    assert refused.status_code == 403


def test_what_is_erased_is_not_answered_again(place: Place) -> None:
    request_id = send(place).json()["request_id"]
    assert place.client.delete(f"/v1/extracts/{request_id}").status_code == 200
    again = send(place)
    assert again.status_code == 404
    assert again.json()["error"]["details"]["reason"] == "erased"
    assert len(place.pipeline.calls) == 1
    with sqlite3.connect(place.settings.index_database) as index:
        kept = index.execute("select status, body from idempotency_keys").fetchall()
    assert kept == [(200, None)]


def test_an_upload_is_one_job_however_often_and_with_whatever_boundary(place: Place) -> None:
    files = [("files", (f"{number}.pdf", RECEIPT)) for number in range(3)]
    answers = [
        place.client.post(
            "/v1/batch_extract_upload_async",
            files=files,
            headers=KEY,  # each request has a boundary of its own
        )
        for _ in range(3)
    ]
    assert [answer.status_code for answer in answers] == [202] * 3
    assert len({answer.content for answer in answers}) == 1
    assert {answer.headers["Location"] for answer in answers} == {answers[0].json()["poll_url"]}
    other = place.client.post("/v1/batch_extract_upload_async", files=files[:2], headers=KEY)
    assert other.json()["error"]["code"] == "idempotency_mismatch"
    assert len(place.client.get("/v1/jobs").json()["jobs"]) == 1


def test_twenty_uploads_at_once_are_one_job(place: Place) -> None:
    def upload(_: int) -> Response:
        files = [("files", ("a.pdf", RECEIPT))]
        return place.client.post("/v1/batch_extract_upload_async", files=files, headers=KEY)

    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(upload, range(20)))
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len({answer.content for answer in answers if answer.status_code == 202}) == 1
    assert len(place.client.get("/v1/jobs").json()["jobs"]) == 1
