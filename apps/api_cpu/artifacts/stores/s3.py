"""Artifacts in Cloudflare R2 or another S3; the only importer of boto3.

A key is written by one PutObject with `If-None-Match: *`, whatever its size: no multipart upload,
whose completion few stores make conditional. https://developers.cloudflare.com/r2/api/s3/api/
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any, BinaryIO, TypeVar, cast

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.handlers import add_expect_header
from botocore.loaders import create_loader

from apps.api_cpu import logs
from apps.api_cpu.artifacts.store import (
    PresignedPut,
    Source,
    Spooled,
    Stored,
    already_written,
    is_key,
    no_such_artifact,
    require_key,
    require_prefix,
    store_unavailable,
)
from apps.api_cpu.artifacts.stores.bounded_calls import BoundedCalls, MayPass
from apps.api_cpu.artifacts.stores.content import CHUNK_BYTES, Lent, checked_chunks, reopened
from lib.errors import Error

T = TypeVar("T")

_CONNECT_S = 3
_READ_S = 20
_MOST_CALLS = 16
# Who writes an answer waits no longer: it is spooled then.
_CALL_WITHIN_S = 15.0
_PROBE_WITHIN_S = 5.0
# A large object may take longer than a small one; slower than this is not a transfer any more.
_SLOWEST_BYTES_PER_S = 2_000_000
_IN_MEMORY_BYTES = 8 * 1024 * 1024
_DESCRIPTIONS = create_loader()  # of AWS's services: read once, and not by each client
_SHA256 = "sha256"
_PROBE = "probes/conditional-write"
_PROBE_CONTENT = b"Written once to learn whether this store refuses to overwrite. It may stay.\n"
# An answer's code is a word; anything else is not ours to repeat in a log.
_CODE = re.compile(r"[A-Za-z0-9.]{1,64}\Z")
# Answered with 400, as what never passes is, but due to this one transfer.
_PASSING = {"RequestTimeout", "BadDigest", "IncompleteBody", "XAmzContentChecksumMismatch"}
_MISSING = {"NoSuchKey", "NotFound", "404"}
_IGNORES_CONDITIONS = (
    "this store ignores If-None-Match and would overwrite artifacts: take one that knows "
    "conditional writes, or set S3_ALLOW_OVERWRITE=1"
)


class StoreRefused(Exception):
    """This store cannot be used as it is set up; the text is one line that says why."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where a bucket is and what opens it."""

    name: str
    endpoint_url: str
    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    prefix: str = ""
    """Empty, or ends with a slash."""
    region: str = "auto"
    ca_bundle: str | None = None
    """File of certificates to trust instead of the usual ones."""


class S3ArtifactStore:
    """Objects in a bucket, each with its SHA-256 in its metadata. Safe to share between threads."""

    name = "s3"
    spooled = Spooled()

    def __init__(
        self, bucket: Bucket, *, allow_overwrite: bool = False, within_s: float = _CALL_WITHIN_S
    ) -> None:
        """Connect to nothing yet. `within_s` bounds a call together with its repetitions."""
        self._bucket = bucket
        self._allow_overwrite = allow_overwrite
        self._within_s = within_s
        self._client = _client(bucket)
        self._calls = BoundedCalls(_MOST_CALLS)
        self._checked = False

    def check(self) -> None:
        """Learn that bucket and keys are right, and that the store refuses to overwrite.

        The probe is one object that stays: where it exists, a store that knows conditional writes
        answers the first request with 412, and the right to delete is not needed.

        Raises `StoreRefused` when the store cannot be used as it is set up, and
        `storage_unavailable` when that cannot be known now.
        """
        self._calls.repeated("check", lambda: _judging("check", self._write_probe), self._within_s)
        self._checked = True

    def put(self, key: str, data: bytes) -> None:
        """See `ArtifactStore.put`."""
        self._put(key, data, hashlib.sha256(data).hexdigest(), len(data))

    def put_file(self, key: str, source: Source, sha256: str, size: int) -> None:
        """See `ArtifactStore.put_file`."""
        require_key(key)
        with reopened(source) as file:
            for _ in checked_chunks(file, sha256, size):
                pass
            lent = Lent(file)
            try:
                self._put(key, lent, sha256, size)
            finally:
                lent.take_back()

    def get(self, key: str) -> bytes:
        """See `ArtifactStore.get`."""
        with self._downloaded(key, self._within_s) as file:
            return file.read()

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        """See `ArtifactStore.open`: all of it has arrived and been compared with its hash."""
        return self._downloaded(key, self._time_for(self.stat(key).size))

    def exists(self, key: str) -> bool:
        """See `ArtifactStore.exists`."""
        require_key(key)
        try:
            self.stat(key)
        except Error as error:
            if error.code != "not_found":
                raise
            return False
        return True

    def stat(self, key: str) -> Stored:
        """See `ArtifactStore.stat`."""
        target = self._target(key)
        head = self._call("HeadObject", lambda: self._client.head_object(**target))
        return Stored(
            key, head["ContentLength"], head["LastModified"].timestamp(), _noted_sha256(head)
        )

    def delete(self, key: str) -> None:
        """See `ArtifactStore.delete`."""
        target = self._target(key)
        self._call("DeleteObject", lambda: self._client.delete_object(**target))

    def list(self, prefix: str) -> Iterator[Stored]:
        """See `ArtifactStore.list`."""
        ours = self._bucket.prefix
        asked = {"Bucket": self._bucket.name, "Prefix": ours + require_prefix(prefix)}
        more = True
        while more:
            page = self._call("ListObjectsV2", partial(self._client.list_objects_v2, **asked))
            for entry in page.get("Contents", ()):
                key = entry["Key"].removeprefix(ours)
                if is_key(key):
                    yield Stored(key, entry["Size"], entry["LastModified"].timestamp())
            more = page.get("IsTruncated", False)
            asked["ContinuationToken"] = page.get("NextContinuationToken", "")

    def presign_put(
        self, key: str, sha256: str, size: int, expires_in_s: int
    ) -> PresignedPut | None:
        """See `ArtifactStore.presign_put`: the store checks hash and size, and never overwrites."""
        asked = {**self._target(key), **self._conditions(sha256), "ContentLength": size}
        url = self._client.generate_presigned_url(
            "put_object", Params=asked, ExpiresIn=expires_in_s
        )
        headers = {
            "Content-Length": str(size),
            "x-amz-checksum-sha256": asked["ChecksumSHA256"],
            f"x-amz-meta-{_SHA256}": sha256,
        }
        if not self._allow_overwrite:
            headers["If-None-Match"] = "*"
        return PresignedPut(url, headers)

    def presign_get(self, key: str, expires_in_s: int) -> str | None:
        """See `ArtifactStore.presign_get`."""
        url: str = self._client.generate_presigned_url(
            "get_object", Params=self._target(key), ExpiresIn=expires_in_s
        )
        return url

    def require_room(self, size: int = 0) -> None:
        """Nothing to ask: a bucket has room."""

    def probe(self) -> None:
        """See `ArtifactStore.probe`."""
        self._require_checked()
        target = {"Bucket": self._bucket.name, "Key": self._bucket.prefix + _PROBE}
        self._call("HeadObject", lambda: self._client.head_object(**target), _PROBE_WITHIN_S)

    def _put(self, key: str, body: bytes | Lent, sha256: str, size: int) -> None:
        target = self._target(key)
        asked = {**target, **self._conditions(sha256), "Body": body, "ContentLength": size}

        def put() -> None:
            if isinstance(body, Lent):
                body.seek(0)
            try:
                _require_s3(self._client.put_object(**asked))
            except ClientError as exc:
                if _status(exc) != HTTPStatus.PRECONDITION_FAILED:
                    raise
                # Perhaps it is ours: the answer to a write that took place may have been lost.
                if self._sha256_there(target) != sha256:
                    raise already_written() from None

        self._require_checked()
        self._call("PutObject", put, self._time_for(size))

    def _sha256_there(self, target: Mapping[str, Any]) -> str | None:
        try:
            return _noted_sha256(self._client.head_object(**target))
        except ClientError as exc:
            if _status(exc) != HTTPStatus.NOT_FOUND:
                raise
            raise MayPass("there and gone again") from None

    def _downloaded(self, key: str, within_s: float) -> BinaryIO:
        target = self._target(key)

        def download() -> BinaryIO:
            answer = self._client.get_object(**target)
            with closing(answer["Body"]) as body:
                return _kept(body, _noted_sha256(answer), answer["ContentLength"])

        return self._call("GetObject", download, within_s)

    def _write_probe(self) -> None:
        content = _PROBE_CONTENT
        asked = {
            "Bucket": self._bucket.name,
            "Key": self._bucket.prefix + _PROBE,
            **self._conditions(hashlib.sha256(content).hexdigest()),
            "Body": content,
        }
        try:
            _require_s3(self._client.put_object(**asked))
            if self._allow_overwrite:
                return
            _require_s3(self._client.put_object(**asked))
        except ClientError as exc:
            if _status(exc) == HTTPStatus.PRECONDITION_FAILED:
                return
            raise
        raise StoreRefused(_IGNORES_CONDITIONS)

    def _require_checked(self) -> None:
        """At the start the store may have been away; nothing is written before it is known."""
        if not self._checked:
            with _refusal_logged("check"):
                self.check()

    def _call(self, what: str, call: Callable[[], T], within_s: float | None = None) -> T:
        with _refusal_logged(what):
            return self._calls.repeated(
                what, lambda: _judging(what, call), within_s or self._within_s
            )

    def _target(self, key: str) -> dict[str, Any]:
        return {"Bucket": self._bucket.name, "Key": self._bucket.prefix + require_key(key)}

    def _conditions(self, sha256: str) -> dict[str, Any]:
        condition = {} if self._allow_overwrite else {"IfNoneMatch": "*"}
        checksum = base64.b64encode(bytes.fromhex(sha256)).decode("ascii")
        return {**condition, "ChecksumSHA256": checksum, "Metadata": {_SHA256: sha256}}

    def _time_for(self, size: int) -> float:
        return self._within_s + size / _SLOWEST_BYTES_PER_S


def _client(bucket: Bucket) -> Any:
    """A client that reads no other setting of this machine than `AWS_CA_BUNDLE` and proxies."""
    nothing = (None, None, os.devnull, None)
    profile = (None, None, None, None)
    session = botocore.session.Session(
        {"profile": profile, "config_file": nothing, "credentials_file": nothing}
    )
    session.register_component("data_loader", _DESCRIPTIONS)
    client = boto3.session.Session(botocore_session=session).client(
        "s3",
        endpoint_url=bucket.endpoint_url,
        region_name=bucket.region,
        aws_access_key_id=bucket.access_key_id,
        aws_secret_access_key=bucket.secret_access_key,
        verify=bucket.ca_bundle,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            connect_timeout=_CONNECT_S,
            read_timeout=_READ_S,
            max_pool_connections=_MOST_CALLS,
            # `BoundedCalls` repeats, within one deadline.
            retries={"mode": "standard", "total_max_attempts": 1},
            # Else a TLS request ends with a trailer, which R2 may refuse.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
    # A store that never says 100 costs a second a request: the client waits for it.
    client.meta.events.unregister("before-call.s3", add_expect_header)
    return client


def _judging(what: str, call: Callable[[], T]) -> T:
    """`call()`, with the client's errors as `MayPass`, `StoreRefused` or `not_found`."""
    try:
        return call()
    except ClientError as exc:
        raise _judged(what, exc) from None
    # The client trips over error bodies that it does not know, with any of the last four.
    except (BotoCoreError, OSError, TypeError, ValueError, KeyError, AttributeError) as exc:
        raise MayPass(type(exc).__name__) from None


def _judged(what: str, exc: ClientError) -> Exception:
    status, code = _status(exc), str(exc.response.get("Error", {}).get("Code", ""))
    answer = f"{status} {code}" if _CODE.match(code) and code != str(status) else str(status)
    if status == HTTPStatus.NOT_FOUND and code in _MISSING:
        return no_such_artifact()
    if code == "NoSuchBucket":
        return StoreRefused(f"S3_BUCKET names no bucket of this store ({answer})")
    if status == HTTPStatus.NOT_IMPLEMENTED:
        return StoreRefused(f"this store does not know what {what} asks for ({answer})")
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return StoreRefused(f"the store refuses the keys or lacks rights for {what} ({answer})")
    if (
        status in {HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS}
        or status >= HTTPStatus.INTERNAL_SERVER_ERROR
        or code in _PASSING
    ):
        return MayPass(answer)
    return StoreRefused(f"the store refuses {what} ({answer})")


@contextmanager
def _refusal_logged(what: str) -> Iterator[None]:
    try:
        yield
    except StoreRefused as refused:
        logs.warning("object store", call=what, reason=str(refused))
        raise store_unavailable() from None


def _kept(body: Any, sha256: str | None, size: int) -> BinaryIO:
    """A seekable file of all that arrives. Raises `MayPass` when that is not what was stored."""
    file = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115  # the reader closes it
    digest, seen = hashlib.sha256(), 0
    while chunk := body.read(CHUNK_BYTES):
        digest.update(chunk)
        seen += len(chunk)
        file.write(chunk)
    if seen != size or sha256 not in {None, digest.hexdigest()}:
        file.close()
        raise MayPass("damaged on its way")
    file.seek(0)
    return cast(BinaryIO, file)


def _require_s3(answer: Mapping[str, Any]) -> None:
    """A proxy may answer anything with 200; an object has an ETag."""
    if not answer.get("ETag"):
        raise MayPass("not an answer of S3")


def _noted_sha256(answer: Mapping[str, Any]) -> str | None:
    _require_s3(answer)
    noted: str | None = answer.get("Metadata", {}).get(_SHA256)
    return noted


def _status(exc: ClientError) -> int:
    status: int = exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status
