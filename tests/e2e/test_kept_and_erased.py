"""What a server keeps in a bucket: sent to it, found again, backed up, erased, purged."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from s3_places import Place, Places
from server_process import OCR, ROOT, ServerProcess, environment, eventually

pytest_plugins = ["s3_places"]
pytestmark = pytest.mark.slow

INVOICE = ROOT / "samples" / "invoice_xrechnung.xml"
NUMBER = b"<cbc:ID>"
KINDS = ("extracts", "corrections", "batches", "evals", "inputs", "erasures")


@pytest.fixture(scope="module")
def place(s3_places: Places) -> Iterator[Place]:
    """A bucket of this module."""
    opened, close = s3_places.open("moto", "http")
    yield opened
    close()


def _bucket(place: Place) -> dict[str, str]:
    return {
        "S3_BUCKET": place.bucket.name,
        "S3_ENDPOINT_URL": place.bucket.endpoint_url,
        "S3_PREFIX": place.prefix.rstrip("/"),
        "AWS_ACCESS_KEY_ID": place.bucket.access_key_id,
        "AWS_SECRET_ACCESS_KEY": place.bucket.secret_access_key,
        "OCR_WORKERS": "1",
    }


def _served(folder: Path, place: Place) -> Iterator[ServerProcess]:
    running = ServerProcess(folder, _bucket(place))
    running.wait_ready()
    yield running
    running.client.close()
    running.stop()
    if running.process.stdout is not None:
        running.process.stdout.close()


@pytest.fixture(scope="module")
def server(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """The server that writes most of it."""
    yield from _served(tmp_path_factory.mktemp("server"), place)


@pytest.fixture(scope="module")
def newcomer(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Another machine on the same bucket: its databases are empty."""
    yield from _served(tmp_path_factory.mktemp("newcomer"), place)


def _document(name: str) -> bytes:
    """An invoice with a number of its own, so that no other is the same."""
    return INVOICE.read_bytes().replace(NUMBER, NUMBER + f"{name}-".encode(), 1)


def _send(server: ServerProcess, name: str, **options: str) -> dict[str, Any]:
    answer = server.client.post(
        "/v1/extract",
        files={"file": (f"{name}.xml", _document(name))},
        data={"request_id": name, **options},
    )
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def _look_up(server: ServerProcess, name: str) -> httpx.Response:
    return server.client.get(f"/v1/extracts/{name}")


def _command(server: ServerProcess, place: Place, *arguments: str, **more: str) -> str:
    """What `ocr artifacts ...` says, beside the running server and on its databases."""
    ended = subprocess.run(
        [OCR, "artifacts", *arguments],
        env=environment(server.data_root, _bucket(place) | more),
        cwd=server.data_root,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def _keys(place: Place) -> set[str]:
    store = place.store()
    return {stored.key for kind in KINDS for stored in store.list(f"{kind}/")}


def _lists(place: Place) -> int:
    """How often the bucket was listed."""
    return sum("list-type" in path for _, path, _ in place.front.requests)


def test_a_large_document_goes_to_the_bucket_and_is_read_by_its_reference(
    server: ServerProcess, place: Place
) -> None:
    data = _document("uploaded")
    announced = {
        "sha256": hashlib.sha256(data).hexdigest(),
        "size_bytes": len(data),
        "mime_type": "application/xml",
    }
    told = server.client.post("/v1/uploads", json=announced).json()
    assert told["url"].startswith(place.bucket.endpoint_url), "not this server's address"
    named = {"image_ref": told["image_ref"], "request_id": "uploaded"}
    early = server.client.post("/v1/extract", json={**named, "request_id": "too-early"})
    assert early.json()["error"]["code"] == "not_found"
    length = {"Content-Length": str(len(data))}
    unsigned = httpx.put(told["url"], content=data, headers=length)
    assert unsigned.status_code == 403, "the headers are part of the signature"
    sent = httpx.put(told["url"], content=data, headers=told["headers"] | length)
    assert sent.status_code == 200, sent.text
    read = server.client.post("/v1/extract", json=named)
    assert read.status_code == 200, read.text
    assert read.json()["result"]["document_number"].startswith("uploaded-")
    back = server.client.get("/v1/inputs", params={"ref": told["image_ref"]})
    assert back.content == data


def test_other_bytes_than_were_announced_are_never_read(server: ServerProcess) -> None:
    data = _document("announced")
    announced = {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
    told = server.client.post("/v1/uploads", json=announced | {"mime_type": "application/xml"})
    forged = data.replace(b"announced-", b"ANNOUNCED-", 1)
    headers = told.json()["headers"] | {"Content-Length": str(len(forged))}
    assert httpx.put(told.json()["url"], content=forged, headers=headers).status_code == 200
    read = server.client.post("/v1/extract", json={"image_ref": told.json()["image_ref"]})
    # This bucket checks no sum: what it noted beside the object is not what arrives.
    assert read.json()["error"]["code"] == "storage_unavailable"


def test_an_index_is_made_again_beside_a_running_server(
    server: ServerProcess, newcomer: ServerProcess, place: Place
) -> None:
    names = [f"indexed-{number}" for number in range(5)]
    sent = {name: _send(server, name) for name in names}
    correction = {"fields": {"payment_terms": "thirty days"}}
    posted = server.client.post(f"/v1/extracts/{names[0]}/corrections", json=correction)
    assert posted.status_code == 201, posted.text
    assert {_look_up(newcomer, name).status_code for name in names} == {404}
    assert "were missing in the index" in _command(newcomer, place, "reindex")
    listed = _lists(place)
    for name in names:
        found = _look_up(newcomer, name).json()
        assert (found["result"], found["created_at"]) == (
            sent[name]["result"],
            sent[name]["created_at"],
        )
    corrections = newcomer.client.get(f"/v1/extracts/{names[0]}/corrections").json()
    assert "thirty days" in json.dumps(corrections)
    assert newcomer.client.get("/v1/debug/artifacts?kind=extracts").json()["artifacts"]
    assert _lists(place) == listed, "look-ups go by the index"
    assert " 0 were missing in the index" in _command(newcomer, place, "reindex")


def test_a_backup_holds_the_bucket_byte_for_byte(server: ServerProcess, place: Place) -> None:
    rels = {_send(server, f"kept-{number}")["artifact_rel"] for number in range(3)}
    packed = io.BytesIO()
    with server.client.stream("GET", "/v1/debug/artifacts/backup.tar.gz") as answer:
        assert answer.status_code == 200
        for part in answer.iter_bytes():
            packed.write(part)
    packed.seek(0)
    store = place.store()
    with tarfile.open(fileobj=packed, mode="r:gz") as archive:
        held = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
    manifest = json.loads(held.pop("backup.json"))
    assert manifest["complete"]
    assert rels <= held.keys()
    assert all(store.get(rel) == content for rel, content in held.items())


def test_what_is_erased_is_gone_from_the_bucket(server: ServerProcess, place: Place) -> None:
    before = _keys(place)
    sent = _send(server, "erased", persist_inputs="true")
    fields = {"vendor_name": "Erased And Sons", "vendor_address": "1 Forgotten Lane"}
    posted = server.client.post("/v1/extracts/erased/corrections", json={"fields": fields})
    assert posted.status_code == 201, posted.text
    files = [("files", (f"{name}.xml", _document(name))) for name in ("run-1", "run-2")]
    run = server.client.post("/v1/batch_extract_upload", files=files, data={"run_id": "erasing"})
    (first, second) = run.json()["items"]
    came = _keys(place) - before
    assert {key.split("/")[0] for key in came} == {"extracts", "inputs", "corrections", "batches"}
    for name in ("erased", first["request_id"]):
        assert server.client.delete(f"/v1/extracts/{name}").status_code == 200
    left = {key: place.store().get(key) for key in _keys(place) - before}
    kinds = sorted(key.split("/")[0] for key in left)
    # The input is the other document's: a run's documents are removed an hour after its end.
    assert kinds == ["batches", "erasures", "erasures", "extracts", "inputs"]
    for gone in (b"Erased And Sons", b"erased-", b"run-1-"):
        assert not [key for key, content in left.items() if gone in content]
    assert any(b"run-2-" in content for content in left.values())
    assert _look_up(server, "erased").json()["error"]["details"]["reason"] == "erased"
    assert _look_up(server, second["request_id"]).status_code == 200
    vendors = server.client.get("/v1/vendors").json()["vendors"]
    assert "Erased And Sons" not in {vendor["name"] for vendor in vendors}
    body = {"image_ref": sent["input_ref"]}
    assert server.client.post("/v1/extract", json=body).status_code == 404
    again = server.client.post(
        "/v1/extract", files={"file": _document("erased")}, data={"request_id": "erased"}
    )
    assert again.json()["error"]["code"] == "conflict", "an id is used once"


def test_what_is_too_old_is_purged_and_nothing_else(server: ServerProcess, place: Place) -> None:
    fresh = _send(server, "fresh")
    store = place.store()
    artifact = json.loads(store.get(fresh["artifact_rel"]))
    artifact |= {"request_id": "old", "created_at": "2020-02-02T02:02:02.000Z"}
    old = "extracts/2020-02-02/old.json"
    store.put(old, json.dumps(artifact).encode())
    _command(server, place, "reindex")
    assert _look_up(server, "old").status_code == 200
    days = {"RETENTION_DAYS_EXTRACTS": "30"}
    assert "1 artifacts would go" in _command(server, place, "purge", **days)
    assert store.exists(old), "without --delete it is only said"
    assert "1 artifacts and inputs went" in _command(server, place, "purge", "--delete", **days)
    assert not store.exists(old)
    assert _look_up(server, "old").status_code == 404
    assert _look_up(server, "fresh").status_code == 200
    eventually(lambda: server.health()["status"] == "ok", "a server that goes on")
