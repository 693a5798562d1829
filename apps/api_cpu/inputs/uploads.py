"""Uploads of large documents: announced first, then sent to the bucket or, without one, to us.

The address, the headers and the time are all that an upload needs, not the API key; so a browser
or another machine can send the document. It goes under a key of its own: whoever merely knows the
hash of somebody's document gets nothing by announcing it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from apps.api_cpu.artifacts.store import (
    ArtifactStore,
    no_such_artifact,
    store_unavailable,
    upload_key,
)
from apps.api_cpu.auth.roles import Caller
from apps.api_cpu.errors import invalid
from apps.api_cpu.inputs.content import extension_for
from apps.api_cpu.inputs.service import InputStore
from apps.api_cpu.inputs.upload_store import ExpectedUpload, UploadIndex
from apps.api_cpu.request_context import new_request_id
from apps.api_cpu.wire import timestamp
from lib.errors import Error, Kind

# To begin to send; and how long after that it stays without being asked to be kept.
_SENT_WITHIN_S = 3600
_STAYS_S = 86400.0
_TOKEN = "X-Upload-Token"  # noqa: S105  # the header's name
_METHOD = "PUT"


@dataclass(frozen=True, slots=True)
class Announced:
    """What a client will upload; `sha256` in hexadecimal, `mime_type` is a hint."""

    sha256: str
    size_bytes: int
    mime_type: str | None


class UploadService:
    """Announces and takes uploads. Safe to share between threads and processes."""

    def __init__(
        self,
        store: ArtifactStore,
        index: UploadIndex,
        inputs: InputStore,
        folder: Path,
        max_bytes: int,
        most_of_key: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`folder` takes what is on its way; `max_bytes` is the largest document.

        `most_of_key`: uploads of one key that are announced and were neither sent nor used yet.
        """
        self._store = store
        self._index = index
        self._inputs = inputs
        self._folder = folder
        self._max_bytes = max_bytes
        self._most_of_key = most_of_key
        self._clock = clock

    def announce(self, announced: Announced, caller: Caller) -> dict[str, object]:
        """Where and how to send it.

        Raises `payload_too_large`, `rate_limited`, `storage_unavailable`.
        """
        if announced.size_bytes > self._max_bytes:
            raise Error(
                "payload_too_large",
                Kind.TOO_LARGE,
                "The document is too large.",
                {"limit": self._max_bytes},
            )
        self._store.require_room(announced.size_bytes)
        now, upload_id = self._clock(), new_request_id().replace("-", "")
        moment, sha256, size = (
            datetime.fromtimestamp(now, UTC),
            announced.sha256,
            announced.size_bytes,
        )
        ref = upload_key(moment, sha256, upload_id, extension_for(announced.mime_type))
        until = now + _SENT_WITHIN_S + _STAYS_S
        self._inputs.expect(ref, sha256, size, caller.key_id, until, self._most_of_key)
        presigned = self._store.presign_put(ref, sha256, size, _SENT_WITHIN_S)
        if presigned is None:
            url, headers = self._own_address(upload_id, ref, announced, now)
        else:
            url, headers = presigned.url, presigned.headers
        return {
            "upload_id": upload_id,
            "method": _METHOD,
            "url": url,
            "headers": dict(headers),
            "image_ref": ref,
            "expires_at": timestamp(datetime.fromtimestamp(now + _SENT_WITHIN_S, UTC)),
        }

    async def take(
        self, upload_id: str, headers: Mapping[str, str], body: AsyncIterator[bytes]
    ) -> None:
        """Keep what is sent, by way of a file. Sending the same again changes nothing.

        Raises `not_found`: no such upload, the wrong token, or too late; `validation_error` for
        other content than announced; `bad_request`; `storage_unavailable`.
        """
        upload = await run_in_threadpool(self._expected, upload_id, headers.get(_TOKEN, ""))
        file = await run_in_threadpool(self._opened)
        with file:
            digest, size = hashlib.sha256(), 0
            try:
                async for chunk in body:
                    size += len(chunk)
                    if size > upload.size_bytes:
                        raise _not_as_announced()
                    digest.update(chunk)
                    await run_in_threadpool(_write, file, chunk)
            except ClientDisconnect:
                message = "The body ended too early."
                raise Error("bad_request", Kind.BAD_REQUEST, message) from None
            if (digest.hexdigest(), size) != (upload.sha256, upload.size_bytes):
                raise _not_as_announced()
            await run_in_threadpool(self._keep, upload, file)

    def sweep(self) -> int:
        """Forget uploads that came too late; what they were to hold is swept with the inputs."""
        now = self._clock()
        try:
            for path in self._folder.iterdir() if self._folder.is_dir() else ():
                with suppress(FileNotFoundError):  # it has been received
                    if path.stat().st_mtime < now - _STAYS_S:
                        path.unlink()  # of a server that was killed
        except OSError:
            raise store_unavailable() from None
        return self._index.forget_expired(now)

    def _own_address(
        self, upload_id: str, ref: str, announced: Announced, now: float
    ) -> tuple[str, Mapping[str, str]]:
        token = secrets.token_urlsafe(32)
        self._index.add(
            ExpectedUpload(
                upload_id,
                ref,
                announced.sha256,
                announced.size_bytes,
                _hashed(token),
                now + _SENT_WITHIN_S,
            )
        )
        headers = {"Content-Length": str(announced.size_bytes), _TOKEN: token}
        return f"/v1/uploads/{upload_id}", headers

    def _expected(self, upload_id: str, token: str) -> ExpectedUpload:
        upload = self._index.find(upload_id)
        matches = hmac.compare_digest(_hashed(token), upload.token_sha256 if upload else "")
        if upload is None or not matches or upload.expires_at < self._clock():
            raise no_such_artifact()
        return upload

    def _opened(self) -> tempfile._TemporaryFileWrapper[bytes]:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            return tempfile.NamedTemporaryFile(dir=self._folder)
        except OSError:
            raise store_unavailable() from None

    def _keep(self, upload: ExpectedUpload, file: tempfile._TemporaryFileWrapper[bytes]) -> None:
        try:
            file.flush()
        except OSError:
            raise store_unavailable() from None
        path = Path(file.name)
        self._store.put_file(upload.input_ref, path, upload.sha256, upload.size_bytes)
        self._inputs.confirm(upload.input_ref)


def _write(file: tempfile._TemporaryFileWrapper[bytes], chunk: bytes) -> None:
    try:
        file.write(chunk)
    except OSError:
        raise store_unavailable() from None


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _not_as_announced() -> Error:
    return invalid("", "the body is not the document that was announced")
