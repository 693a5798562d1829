"""Reads the body of an extraction, JSON or multipart, into options and the document's bytes."""

from __future__ import annotations

import asyncio
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from apps.api_cpu.errors import from_validation, invalid
from apps.api_cpu.extractions.schemas import ExtractRequest
from apps.api_cpu.wire import load_untrusted
from lib.domain.deadline import Deadline
from lib.errors import Error, Kind

_MAX_FILES = 4
_MAX_FIELDS = 40
_SMALL_BODY = 64 * 1024


class _InMemoryParser(MultiPartParser):
    """Documents are not written to the temporary folder on their way in; 0 means never."""

    spool_max_size = 0


Received = bytearray | FormData
"""A body that has arrived: JSON's bytes, or the parts of a multipart one."""


@dataclass(frozen=True, slots=True)
class Body:
    """A body that has arrived: its fields, not yet checked, and the file of a multipart body."""

    fields: Mapping[str, Any]
    file: bytes | None = None
    filename: str | None = None
    mime_type: str | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """A body that has been understood. `data` is None when the options name a stored input."""

    options: ExtractRequest
    data: bytes | None
    base64_length: int | None


def announces_much(request: Request) -> bool:
    """Whether its body is worth a refusal before it has come; a small one is here already, and
    names an id that the refusal should have.
    """
    return announces_more_than(_SMALL_BODY, request)


def announces_more_than(size: int, request: Request) -> bool:
    """Whether its body may have more bytes, as far as its head says."""
    length = request.headers.get("content-length", "")
    return not length.isdigit() or int(length[:20]) > size


async def receive(request: Request, limit: int, deadline: Deadline) -> Received:
    """The whole body. Raises `bad_request`, `payload_too_large`, `unsupported_media_type`."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type not in {"application/json", "multipart/form-data"}:
        raise Error(
            "unsupported_media_type",
            Kind.UNSUPPORTED,
            "Send `application/json` or `multipart/form-data`.",
        )
    try:
        async with asyncio.timeout(deadline.remaining()):
            if content_type == "application/json":
                body = bytearray()
                async for chunk in request.stream():
                    body += chunk
                return body
            parser = _InMemoryParser(
                request.headers,
                request.stream(),
                max_files=_MAX_FILES,
                max_fields=_MAX_FIELDS,
                max_part_size=limit,
            )
            return await parser.parse()
    except MultiPartException:
        raise _bad("The multipart body is broken.") from None
    except ClientDisconnect:
        raise _bad("The body ended too early.") from None
    except TimeoutError:
        raise _bad("The body did not arrive in time.") from None


def parse(received: Received) -> Body:
    """The fields of a body. Raises `bad_request`, `validation_error`."""
    if isinstance(received, FormData):
        return _parse_form(received)
    fields = load_untrusted(received)
    if not isinstance(fields, dict):
        raise invalid("", "the body must be a JSON object")
    return Body(fields)


def understand(body: Body, max_bytes: int, *, later: bool) -> Submission:
    """Options and document of a body; `later` where it is answered by a job.

    Raises `validation_error`, `bad_request` (broken base64), `payload_too_large`.
    """
    if body.fields.get("callback_url") is not None and not later:
        raise invalid("callback_url", "is for asynchronous requests only")
    try:
        options = ExtractRequest.model_validate(body.fields)
    except ValidationError as error:
        raise from_validation(error) from None
    sent = [body.file, options.image_base64, options.image_ref]
    if sum(source is not None for source in sent) != 1:
        raise invalid("", "send exactly one of `file`, `image_base64` and `image_ref`")
    options = options.model_copy(
        update={
            "image_base64": None,
            "filename": (options.filename or body.filename or "")[:255] or None,
            "mime_type": (options.mime_type or body.mime_type or "")[:127] or None,
        }
    )
    encoded = body.fields.get("image_base64")
    data = body.file if encoded is None else _decode(encoded)
    if data is not None and len(data) > max_bytes:
        raise Error(
            "payload_too_large",
            Kind.TOO_LARGE,
            "The document is too large.",
            {"limit": max_bytes},
        )
    return Submission(options, data, None if encoded is None else len(encoded))


def _parse_form(form: FormData) -> Body:
    fields: dict[str, Any] = {}
    upload: UploadFile | None = None
    for name, value in form.multi_items():
        if name in fields or (name == "file" and upload is not None):
            raise invalid(name[:100], "is sent more than once")
        if not isinstance(value, UploadFile):
            if name == "file":
                raise invalid("file", "must be a file: its part needs a filename")
            fields[name] = load_untrusted(value.encode()) if name == "debug" else value
        elif name == "file":
            upload = value
        else:
            raise invalid(name[:100], "must not be a file")
    if upload is None:
        return Body(fields)
    with upload.file as file:
        return Body(fields, file.read(), upload.filename, upload.content_type)


def _decode(text: str) -> bytes:
    try:
        return binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except (ValueError, UnicodeEncodeError):
        raise _bad("`image_base64` is not valid base64.") from None


def _bad(message: str) -> Error:
    return Error("bad_request", Kind.BAD_REQUEST, message)
