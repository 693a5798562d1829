"""A server whose artifacts are in a bucket: outages, kill -9, a full spool, a wrong set-up."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from s3_front import Fault
from s3_places import Place
from server_process import OCR, ROOT, ServerProcess, environment, eventually

pytest_plugins = ["s3_places"]
pytestmark = pytest.mark.slow

Start = Callable[..., ServerProcess]
INVOICE = ROOT / "samples" / "invoice_xrechnung.xml"
AWAY = Fault("answer", 503, "SlowDown")


def _bucket(place: Place, **more: str) -> dict[str, str]:
    return {
        "S3_BUCKET": place.bucket.name,
        "S3_ENDPOINT_URL": place.bucket.endpoint_url,
        "S3_PREFIX": place.prefix.rstrip("/"),
        "AWS_ACCESS_KEY_ID": place.bucket.access_key_id,
        "AWS_SECRET_ACCESS_KEY": place.bucket.secret_access_key,
        "OCR_WORKERS": "1",
        **more,
    }


def _send(server: ServerProcess, request_id: str) -> httpx.Response:
    files = {"file": (INVOICE.name, INVOICE.read_bytes())}
    return server.client.post("/v1/extract", files=files, data={"request_id": request_id})


def _spooled(server: ServerProcess) -> int:
    count: int = server.health()["storage"]["spooled"]
    return count


def test_an_outage_is_seen_in_health_and_nowhere_else(start: Start, moto_place: Place) -> None:
    server = start(**_bucket(moto_place))
    server.wait_ready()
    assert server.health()["storage"] == {"backend": "s3", "ready": True, "spooled": 0}
    assert _send(server, "before").status_code == 200
    moto_place.front.always["*"] = AWAY
    rels = {}
    for name in ("first", "second"):
        answer = _send(server, name)
        assert answer.status_code == 200
        rels[name] = answer.json()["artifact_rel"]
    eventually(lambda: _spooled(server) == 2, "two spooled artifacts")
    assert server.health()["status"] == "degraded"
    assert server.client.get("/v1/extracts/first").status_code == 200
    assert server.client.get("/v1/extracts/before").status_code == 503
    server.stop(signal.SIGKILL)
    # Away at the start as well: the server serves, and what waited is still there.
    server = start(**_bucket(moto_place))
    assert _send(server, "third").status_code == 200
    assert server.client.get("/v1/extracts/second").status_code == 200
    moto_place.front.always.clear()
    server.wait_ready()
    eventually(lambda: _spooled(server) == 0, "an empty spool")
    store = moto_place.store()
    assert len(list(store.list("extracts/"))) == 4
    assert all(store.exists(rel) for rel in rels.values())


def test_a_full_spool_refuses_before_the_work_and_spends_no_id(
    start: Start, moto_place: Place, tmp_path: Path
) -> None:
    server = start(**_bucket(moto_place, SPOOL_MAX_FILES="1"))
    server.wait_ready()
    moto_place.front.always["*"] = AWAY
    assert _send(server, "fits").status_code == 200

    def refused() -> httpx.Response | None:
        answer = _send(server, "refused")
        return answer if answer.status_code == 503 else None

    answer = eventually(refused, "a full spool")
    error = answer.json()["error"]
    assert (error["code"], error["details"]) == ("storage_unavailable", {"reason": "no_room"})
    assert answer.headers["retry-after"]
    assert len(list((tmp_path / "spool" / "waiting").rglob("*.json"))) == 1
    moto_place.front.always.clear()
    server.wait_ready()

    def kept() -> bool:
        again = _send(server, "refused")
        assert again.status_code in {200, 503}  # what waits is counted once a second
        return again.status_code == 200

    eventually(kept, "room in the spool")


def test_a_bucket_that_cannot_be_used_stops_the_start_with_a_line(
    moto_place: Place, tmp_path: Path
) -> None:
    moto_place.front.always["PUT"] = Fault("forget_condition")
    given = _bucket(moto_place)
    ended = subprocess.run(
        [OCR, "serve", "--port", "0"],
        env=environment(tmp_path, given),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ended.returncode == 2
    assert "this store ignores If-None-Match" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert moto_place.bucket.secret_access_key not in ended.stderr
