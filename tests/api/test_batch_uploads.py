"""Uploads of many files and ZIPs, as a client sees them: items, limits, and nothing left behind."""

from __future__ import annotations

import io
import sqlite3
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from api_place import Place

PDF = b"%PDF-1.7 a document"
URL = "/v1/batch_extract_upload"


def _zip(members: Mapping[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def _files(contents: Mapping[str, bytes]) -> list[tuple[str, tuple[str, bytes]]]:
    return [("files", (name, data)) for name, data in contents.items()]


def _incoming(place: Place) -> list[Any]:
    return list(place.settings.incoming_folder.iterdir())


def _held(place: Place) -> int:
    with sqlite3.connect(place.settings.data_root / "index.sqlite3") as connection:
        return int(connection.execute("select count(*) from input_holds").fetchone()[0])


def test_files_and_members_are_items_in_their_order(place: Place) -> None:
    archive = _zip({"a.pdf": PDF + b"a", "sub/b.pdf": PDF + b"b", "c.txt": b"no document"})
    files = _files({"first.pdf": PDF, "more.zip": archive, "broken.zip": b"PK\x03\x04 cut"})
    answer = place.client.post(URL, files=files, data={"run_id": "up", "task_id": "auto"})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert [(item["file"], item["ok"]) for item in found["items"]] == [
        ("first.pdf", True),
        ("more.zip/a.pdf", True),
        ("more.zip/sub/b.pdf", True),
        ("more.zip/c.txt", False),
        ("broken.zip", False),
    ]
    assert (found["run_id"], found["ok_count"], found["failed_count"]) == ("up", 3, 2)
    for item in found["items"]:
        assert place.client.get("/v1/artifacts", params={"ref": item["artifact_rel"]}).is_success
        assert item["input_ref"] is None
    assert sorted(call["data"] for call in place.pipeline.calls) == sorted(
        [PDF, PDF + b"a", PDF + b"b"]
    )
    assert (_incoming(place), _held(place)) == ([], 0)


def test_later_and_kept(place: Place) -> None:
    data = {"persist_inputs": "true", "concurrency": "1", "currency_hint": "EUR"}
    answer = place.client.post(f"{URL}_async", files=_files({"a.pdf": PDF}), data=data)
    assert answer.status_code == 202, answer.text
    job = place.client.get(answer.json()["poll_url"], params={"wait": 60}).json()
    assert (job["status"], job["kind"]) == ("succeeded", "batch_extract_upload")
    item = job["result"]["items"][0]
    assert item["input_ref"].endswith(".pdf")
    assert _held(place) == 1
    rerun = {"run_id": job["run_id"]}
    again = place.client.post("/v1/batch_extract_rerun", json=rerun).json()
    assert [i["ok"] for i in again["items"]] == [True]
    assert place.pipeline.calls[0]["hints"].currency == "EUR"


@pytest.mark.parametrize(
    ("contents", "data", "status", "code"),
    [
        ({}, {"task_id": "auto"}, 422, "validation_error"),
        ({"a.pdf": PDF}, {"task_id": "none"}, 422, "validation_error"),
        ({"a.pdf": PDF}, {"concurrency": "many"}, 422, "validation_error"),
        ({"a.pdf": PDF}, {"colour": "red"}, 422, "validation_error"),
        ({"a.pdf": PDF}, {"run_id": "../x"}, 422, "validation_error"),
        ({"a.pdf": PDF}, {"model": "m"}, 422, "validation_error"),
        ({"a.pdf": PDF, "b.pdf": PDF, "c.pdf": PDF, "d.pdf": PDF}, {}, 413, "too_many_files"),
    ],
)
def test_what_is_no_batch_is_refused_and_leaves_nothing(
    make_place: Callable[..., Place],
    contents: Mapping[str, bytes],
    data: Mapping[str, str],
    status: int,
    code: str,
) -> None:
    place = make_place(batch_max_files=3)
    parts: Any = _files(contents) or [("nothing", (None, b""))]
    answer = place.client.post(URL, files=parts, data=data)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert (_incoming(place), _held(place)) == ([], 0)
    assert place.pipeline.calls == []


@pytest.mark.parametrize(
    ("content_type", "body", "status", "code"),
    [
        ("application/json", b"{}", 415, "unsupported_media_type"),
        ("multipart/form-data", b"x", 400, "bad_request"),
        ("multipart/form-data; boundary=e", b"no multipart", 400, "bad_request"),
        (
            "multipart/form-data; boundary=e",
            b'--e\r\nContent-Disposition: form-data; name="files"; filename="a.pdf"\r\n\r\n'
            + PDF
            + b"\r\n"
            b'--e\r\nContent-Disposition: form-data; name="files"; filename="b.pdf"\r\n\r\n%PDF',
            400,
            "bad_request",
        ),
    ],
)
def test_a_broken_body_is_refused_and_leaves_nothing(
    place: Place, content_type: str, body: bytes, status: int, code: str
) -> None:
    answer = place.client.post(URL, content=body, headers={"Content-Type": content_type})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert (_incoming(place), _held(place)) == ([], 0)
    ref = {"ref": answer.json()["error"]["details"]["artifact_rel"]}
    assert place.client.get("/v1/artifacts", params=ref).json()["status"] == status


def test_a_body_may_be_larger_than_a_documents_but_not_than_an_uploads(
    make_place: Callable[..., Place],
) -> None:
    place = make_place(max_upload_mb=1, batch_max_upload_mb=4)
    contents = {f"{number}.pdf": PDF + bytes([number]) * (900 << 10) for number in range(4)}
    assert place.client.post(URL, files=_files(contents)).json()["ok_count"] == 4
    too_much = {f"{number}.pdf": PDF + bytes([number]) * (1000 << 10) for number in range(6)}
    answer = place.client.post(URL, files=_files(too_much))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "payload_too_large")
    single = {"large.pdf": PDF + bytes(2 << 20), "small.pdf": PDF}
    items = place.client.post(URL, files=_files(single)).json()["items"]
    assert [item["ok"] for item in items] == [False, True]
    assert items[0]["error"]["code"] == "payload_too_large"
    assert (_incoming(place), _held(place)) == ([], 0)


def test_a_zip_of_too_many_members_is_refused_and_a_dense_member_fails_alone(
    make_place: Callable[..., Place],
) -> None:
    place = make_place(batch_max_zip_members=2, batch_max_zip_ratio=20)
    many = _zip({f"{number}.pdf": PDF for number in range(3)})
    refused = place.client.post(URL, files=_files({"many.zip": many}))
    assert refused.status_code == 413
    error = refused.json()["error"]
    assert (error["code"], error["details"]["limit"]) == ("too_many_files", 2)
    dense = _zip({"dense.pdf": PDF + bytes(2 << 20), "sparse.pdf": PDF})
    answer = place.client.post(URL, files=_files({"a.zip": dense}))
    assert answer.status_code == 200, answer.text
    failed, read = answer.json()["items"]
    assert (failed["file"], failed["ok"]) == ("a.zip/dense.pdf", False)
    assert failed["error"]["code"] == "unreadable_document"
    assert failed["error"]["details"]["reason"] == "ratio"
    assert (read["file"], read["ok"]) == ("a.zip/sparse.pdf", True)
    assert (_incoming(place), _held(place)) == ([], 0)


def test_an_upload_that_takes_too_long_is_refused_and_leaves_nothing(
    make_place: Callable[..., Place],
) -> None:
    place = make_place(batch_upload_deadline_s=1e-9)
    answer = place.client.post(URL, files=_files({"a.pdf": PDF}))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")
    assert (_incoming(place), _held(place)) == ([], 0)


def test_a_run_id_that_is_taken_releases_what_was_sent(place: Place) -> None:
    data = {"run_id": "up"}
    assert place.client.post(URL, files=_files({"a.pdf": PDF}), data=data).status_code == 200
    answer = place.client.post(URL, files=_files({"b.pdf": PDF + b"b"}), data=data)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")
    assert _held(place) == 0


def test_one_key_makes_one_upload(place: Place) -> None:
    headers = {"Idempotency-Key": "up"}
    first, again = (
        place.client.post(URL, files=_files({"a.pdf": PDF}), headers=headers) for _ in range(2)
    )
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    other = place.client.post(URL, files=_files({"a.pdf": PDF + b"x"}), headers=headers)
    assert other.json()["error"]["code"] == "idempotency_mismatch"


def test_more_than_a_key_may_have_waiting_is_refused_whole(
    make_place: Callable[..., Place],
) -> None:
    place = make_place(jobs_queued_per_key=2)
    contents = {f"{number}.pdf": PDF + bytes([number]) for number in range(3)}
    answer = place.client.post(URL, files=_files(contents), data={"run_id": "up"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_many_jobs")
    assert _held(place) == 0
    fewer = _files({"a.pdf": PDF})
    assert place.client.post(URL, files=fewer, data={"run_id": "up"}).status_code == 200
