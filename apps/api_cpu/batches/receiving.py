"""An upload as it arrives: the body's pieces, on threads, into an `Upload`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from apps.api_cpu.artifacts.store import store_unavailable
from apps.api_cpu.auth.roles import Caller
from apps.api_cpu.batches.multipart import MultipartReader
from apps.api_cpu.batches.upload import Upload, UploadedDocument, UploadLimits
from apps.api_cpu.inputs.content import Content
from apps.api_cpu.inputs.service import InputStore
from lib.domain.deadline import Deadline
from lib.errors import Error, Kind

# Pieces of the body that are handed to a thread together.
_PIECE_BYTES = 512 * 1024
_ABANDONED_AFTER_S = 86400.0

MOST_UPLOADS = 32
"""At once, each with a file on the disk meanwhile, which may grow to the largest upload."""


@dataclass(frozen=True, slots=True)
class ReceivedUpload:
    """The form fields of an upload, not yet checked, and its documents, held already."""

    fields: Mapping[str, str]
    documents: Sequence[UploadedDocument]


class UploadReceiver:
    """Receives uploads. Safe to share between requests."""

    def __init__(
        self, folder: Path, limits: UploadLimits, inputs: InputStore, deadline_s: float
    ) -> None:
        """Create the folder of temporary files, remove what a crash left in it.

        Raises `storage_unavailable`.
        """
        self._folder = folder
        self._limits = limits
        self._inputs = inputs
        self._deadline_s = deadline_s
        # Of their own, since a ZIP is unpacked for long; none waits for one.
        self._threads = CapacityLimiter(MOST_UPLOADS)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _remove_abandoned(folder)
        except OSError:
            raise store_unavailable() from None

    @asynccontextmanager
    async def receiving(
        self, request: Request, caller: Caller, job_id: str
    ) -> AsyncIterator[ReceivedUpload]:
        """The whole upload; its documents are held for `job_id`, unless it fails, here or inside.

        Raises `bad_request`, `unsupported_media_type`, `validation_error`, `too_many_files`,
        `payload_too_large`, `storage_unavailable`.
        """
        try:
            yield await self._receive(request, caller, job_id)
        except BaseException:
            await run_in_threadpool(self._inputs.release, job_id)
            raise

    async def _receive(self, request: Request, caller: Caller, job_id: str) -> ReceivedUpload:
        deadline = Deadline.after(self._deadline_s)

        def check_time() -> None:
            if deadline.passed:
                raise _too_slow()

        keeper = _HeldInputs(self._inputs, caller, job_id)
        with Upload(self._folder, self._limits, keeper, check_time) as upload:
            reader = MultipartReader(request.headers.get("content-type", ""), upload)
            pending = bytearray()
            body = request.stream()
            while (chunk := await _next(body, deadline)) is not None:
                pending += chunk
                if len(pending) >= _PIECE_BYTES:
                    await run_sync(reader.feed, bytes(pending), limiter=self._threads)
                    pending.clear()
            await run_sync(reader.feed, bytes(pending), limiter=self._threads)
            reader.finish()
            return ReceivedUpload(upload.fields, upload.documents)


class _HeldInputs:
    """`Keeper` on the input store."""

    def __init__(self, inputs: InputStore, caller: Caller, job_id: str) -> None:
        self._inputs = inputs
        self._caller = caller
        self._job_id = job_id
        self._now = datetime.now(UTC)

    def hold(self, content: Content) -> str:
        return self._inputs.hold(content, self._caller.key_id, self._now, self._job_id)


async def _next(body: AsyncIterator[bytes], deadline: Deadline) -> bytes | None:
    """The next bytes of the body; None at its end."""
    try:
        async with asyncio.timeout(deadline.remaining()):
            return await anext(body, None)
    except ClientDisconnect:
        raise Error("bad_request", Kind.BAD_REQUEST, "The body ended too early.") from None
    except TimeoutError:
        raise _too_slow() from None


def _too_slow() -> Error:
    return Error("bad_request", Kind.BAD_REQUEST, "The body did not arrive in time.")


def _remove_abandoned(folder: Path) -> None:
    # Young ones may belong to another process that is receiving at this moment.
    oldest = time.time() - _ABANDONED_AFTER_S
    for path in folder.iterdir():
        with suppress(FileNotFoundError):  # it has been received
            if path.stat().st_mtime < oldest:
                path.unlink()
