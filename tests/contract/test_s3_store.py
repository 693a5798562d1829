"""The store in a bucket against answers that are late, lost, refused or not S3's at all."""

from __future__ import annotations

import hashlib
import http.client
import io
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TypeVar

import pytest
from loguru import logger
from s3_front import Fault
from s3_places import PATIENCE_S, Place

from apps.api_cpu.artifacts.stores.s3 import S3ArtifactStore, StoreRefused
from lib.errors import Error

pytestmark = pytest.mark.slow

pytest_plugins = ["s3_places"]

T = TypeVar("T")
KEY = "extracts/2026-11-20/receipt-1.json"
OTHER = "extracts/2026-11-20/receipt-2.json"
INPUT = f"inputs/2026-11-20/{hashlib.sha256(b'a document').hexdigest()}.pdf"


@pytest.fixture
def log() -> Iterator[list[str]]:
    """What is logged, with every field."""
    lines: list[str] = []
    number = logger.add(lambda message: lines.append(f"{message} {message.record['extra']}"))
    yield lines
    logger.remove(number)


def _code(action: Callable[[], object]) -> str:
    with pytest.raises(Error) as caught:
        action()
    return caught.value.code


def _patiently(action: Callable[[], T]) -> T:
    """Of a store that gives up soon: what it may not manage at once on a busy machine."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            return action()
        except Error as error:
            if error.code != "storage_unavailable" or time.monotonic() > end:
                raise


def _puts(place: Place, key: str) -> int:
    return sum(1 for method, path, _ in place.front.requests if method == "PUT" and key in path)


@pytest.fixture
def store(moto_place: Place) -> S3ArtifactStore:
    """A store that has been checked."""
    made = moto_place.store()
    made.check()
    moto_place.front.requests.clear()
    return made


@pytest.mark.parametrize(
    "fault",
    [
        Fault("answer", 409, "ConditionalRequestConflict"),
        Fault("answer", 429, "TooManyRequests"),
        Fault("answer", 500, "InternalError"),
        Fault("answer", 503, "SlowDown"),
        Fault("answer", 400, "RequestTimeout"),
        Fault("answer", 400, "BadDigest"),
        Fault("html"),
        Fault("garbled", 503),
        Fault("cut"),
    ],
    ids=lambda fault: f"{fault.then}-{fault.status}-{fault.code}",
)
def test_what_passes_is_tried_again(
    moto_place: Place, store: S3ArtifactStore, fault: Fault
) -> None:
    moto_place.front.will("PUT", fault, fault)
    store.put(KEY, b"first")
    assert _puts(moto_place, KEY) == 3
    assert store.get(KEY) == b"first"


def test_a_write_whose_answer_was_lost_is_recognised(
    moto_place: Place, store: S3ArtifactStore
) -> None:
    moto_place.front.will("PUT", Fault("cut_after"), Fault("answer", 503, "SlowDown"))
    store.put(KEY, b"first")
    assert [method for method, _, _ in moto_place.front.requests] == ["PUT", "PUT", "PUT", "HEAD"]
    assert store.get(KEY) == b"first"


def test_another_writers_object_is_a_conflict_also_when_the_answer_was_lost(
    moto_place: Place, store: S3ArtifactStore
) -> None:
    store.put(KEY, b"first")
    moto_place.front.will("PUT", Fault("cut"), Fault("cut_after"))
    assert _code(lambda: store.put(KEY, b"second")) == "conflict"
    assert store.get(KEY) == b"first"


@pytest.mark.parametrize(
    ("status", "code"), [(501, "NotImplemented"), (403, "AccessDenied"), (404, "NoSuchBucket")]
)
def test_what_does_not_pass_is_not_tried_again(
    moto_place: Place, store: S3ArtifactStore, log: list[str], status: int, code: str
) -> None:
    moto_place.front.will("PUT", Fault("answer", status, code))
    assert _code(lambda: store.put(KEY, b"first")) == "storage_unavailable"
    assert _puts(moto_place, KEY) == 1
    assert code in "".join(log)
    assert not store.exists(KEY)


def test_an_object_that_goes_while_it_is_looked_at_is_written_after_all(
    moto_place: Place, store: S3ArtifactStore
) -> None:
    moto_place.front.will("PUT", Fault("answer", 412, "PreconditionFailed"))
    store.put(KEY, b"first")
    assert store.get(KEY) == b"first"


def test_no_write_is_ever_unconditional(moto_place: Place, store: S3ArtifactStore) -> None:
    faults = [Fault("answer", status, "X") for status in (409, 500, 412, 503)]
    moto_place.front.will("PUT", *faults, Fault("answer", 501, "NotImplemented"))
    for number in range(3):
        with suppress(Error):
            store.put(f"extracts/2026-11-20/{number}.json", b"x")
    written = [headers for method, _, headers in moto_place.front.requests if method == "PUT"]
    assert len(written) >= 5
    assert {headers.get("if-none-match") for headers in written} == {"*"}
    assert all("x-amz-checksum-sha256" in headers for headers in written)
    assert not any("expect" in headers or "x-amz-trailer" in headers for headers in written)


@pytest.mark.parametrize("then", ["hang", "drip"])
def test_a_store_that_does_not_come_to_an_end_is_given_up(moto_place: Place, then: str) -> None:
    store = moto_place.store(within_s=1.0)
    _patiently(store.check)
    moto_place.front.will("PUT", Fault(then))
    moto_place.front.will("GET", Fault(then))
    assert _code(lambda: store.put(KEY, b"first")) == "storage_unavailable"
    assert _code(lambda: store.get(KEY)) == "storage_unavailable"
    _patiently(lambda: store.put(KEY, b"first"))
    assert _patiently(lambda: store.get(KEY)) == b"first"


def test_what_was_damaged_on_its_way_is_fetched_again(
    moto_place: Place, store: S3ArtifactStore
) -> None:
    store.put(KEY, b"first")
    moto_place.front.will("GET", Fault("damaged"), Fault("damaged"))
    assert store.get(KEY) == b"first"
    moto_place.front.will("GET", Fault("damaged"))
    with store.open(KEY) as file:
        assert file.read() == b"first"


def test_a_start_asks_once_where_it_has_been_asked_before(moto_place: Place) -> None:
    moto_place.store().check()
    assert moto_place.front.count("PUT") == 2
    moto_place.store().check()
    assert moto_place.front.count("PUT") == 3
    moto_place.store(allow_overwrite=True).check()
    assert moto_place.front.count("DELETE") == 0


def test_a_store_that_would_overwrite_is_refused_at_the_start_and_later(moto_place: Place) -> None:
    moto_place.front.always["PUT"] = Fault("forget_condition")
    with pytest.raises(StoreRefused, match="ignores If-None-Match"):
        moto_place.store().check()
    store = moto_place.store()
    assert _code(lambda: store.put(KEY, b"first")) == "storage_unavailable"
    assert not store.exists(KEY)
    moto_place.store(allow_overwrite=True).check()


@pytest.mark.parametrize(
    ("options", "fault", "reason"),
    [
        ({"secret_access_key": "not-the-secret"}, None, "keys.*403 SignatureDoesNotMatch"),
        ({"name": "no-such-bucket"}, None, "names no bucket.*404 NoSuchBucket"),
        ({}, Fault("answer", 501, "NotImplemented"), "does not know.*501 NotImplemented"),
        ({}, Fault("answer", 301, "PermanentRedirect"), "301 PermanentRedirect"),
        ({}, Fault("answer", 403, "<b>who knows</b>\n"), r"\(403\)$"),
    ],
)
def test_a_wrong_set_up_is_one_clear_line(
    moto_place: Place, options: dict[str, str], fault: Fault | None, reason: str
) -> None:
    if fault is not None:
        moto_place.front.always["PUT"] = fault
    with pytest.raises(StoreRefused, match=reason) as caught:
        moto_place.store(**options).check()
    assert "\n" not in str(caught.value)


def test_a_store_that_is_away_at_the_start_is_asked_before_the_first_write(
    moto_place: Place,
) -> None:
    store = moto_place.store(within_s=0.5)
    moto_place.front.always["*"] = Fault("answer", 503, "SlowDown")
    assert _code(store.check) == "storage_unavailable"
    assert _code(store.probe) == "storage_unavailable"
    moto_place.front.always.clear()
    moto_place.front.requests.clear()
    _patiently(lambda: store.put(KEY, b"first"))
    paths = [path for method, path, _ in moto_place.front.requests if method == "PUT"]
    assert "probes/" in paths[0]
    assert paths[-1].endswith(KEY)
    _patiently(store.probe)


def test_keys_to_the_bucket_are_never_shown(moto_place: Place, log: list[str]) -> None:
    secret = moto_place.bucket.secret_access_key
    store = moto_place.store(within_s=0.5)
    moto_place.front.always["*"] = Fault("answer", 403, "AccessDenied")
    with pytest.raises(StoreRefused) as refused:
        store.check()
    with pytest.raises(Error) as caught:
        store.put(KEY, b"x")
    signed = store.presign_put(INPUT, "00" * 32, 5, 60)
    assert signed is not None
    assert secret not in f"{signed} {store.presign_get(INPUT, 60)}"
    shown = [repr(moto_place.bucket), repr(store), repr(refused.value), repr(caught.value), *log]
    assert len(shown) > 4
    assert not any(secret in text or moto_place.bucket.access_key_id in text for text in shown)


def test_a_write_takes_no_second_to_begin(moto_place: Place, store: S3ArtifactStore) -> None:
    """Stores that never say 100 cost one each time a client asks for it."""
    data = b"a document"
    store.put_file(INPUT, io.BytesIO(data), hashlib.sha256(data).hexdigest(), len(data))
    (headers,) = [headers for method, _, headers in moto_place.front.requests if method == "PUT"]
    assert "expect" not in headers
    assert headers["content-length"] == "10"


def _send(url: str, method: str, headers: dict[str, str], body: bytes, place: Place) -> int:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=place.bucket.ca_bundle)
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            parts.netloc, timeout=PATIENCE_S, context=context
        )
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=PATIENCE_S)
    connection.request(method, f"{parts.path}?{parts.query}", body or None, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    if method == "GET":
        assert answer.status != 200 or content == b"a document"
    return answer.status


def test_a_presigned_upload_takes_this_content_once(s3_place: Place) -> None:
    store = s3_place.store()
    store.check()
    data = b"a document"
    signed = store.presign_put(INPUT, hashlib.sha256(data).hexdigest(), len(data), 60)
    assert signed is not None
    headers = dict(signed.headers)
    without = {name: value for name, value in headers.items() if name != "If-None-Match"}
    assert _send(signed.url, "PUT", without, data, s3_place) == 403
    longer = headers | {"Content-Length": str(len(data) + 1)}
    assert _send(signed.url, "PUT", longer, data + b"!", s3_place) == 403
    assert _send(signed.url.replace(INPUT, INPUT + "x"), "PUT", headers, data, s3_place) == 403
    assert not store.exists(INPUT)
    assert _send(signed.url, "PUT", headers, data, s3_place) == 200
    assert store.stat(INPUT).sha256 == hashlib.sha256(data).hexdigest()
    assert _send(signed.url, "PUT", headers, data, s3_place) == 412
    url = store.presign_get(INPUT, 60)
    assert url is not None
    assert _send(url, "GET", {}, b"", s3_place) == 200
    assert _send(url.replace("Expires=60", "Expires=99999"), "GET", {}, b"", s3_place) == 403


_WRITER = """
import sys
from apps.api_cpu.artifacts.stores.s3 import Bucket, S3ArtifactStore
bucket = Bucket(*sys.argv[1:6])
store = S3ArtifactStore(bucket)
store.check()
store.put(sys.argv[6], b"what a dead process wrote")
"""


@pytest.mark.slow
def test_what_a_process_wrote_that_died_before_the_answer_is_recognised(
    moto_place: Place,
) -> None:
    moto_place.store().check()
    bucket = moto_place.bucket
    moto_place.front.will(
        "PUT",
        Fault("forwarded"),  # the writer's check
        Fault("hold"),
    )
    place = (bucket.name, bucket.endpoint_url, bucket.access_key_id, bucket.secret_access_key)
    writer = subprocess.Popen([sys.executable, "-c", _WRITER, *place, moto_place.prefix, KEY])
    assert moto_place.front.held.wait(60)
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    again = moto_place.store()
    again.put(KEY, b"what a dead process wrote")
    assert again.get(KEY) == b"what a dead process wrote"
    assert _code(lambda: again.put(KEY, b"something else")) == "conflict"
