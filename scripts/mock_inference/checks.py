"""Requests that a real server refuses, in the words in which vLLM 0.32 refuses them."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import ValidationError
from starlette.responses import JSONResponse

from lib.inference.wire import (
    AnswersRequest,
    ChatRequest,
    DocumentPart,
    ImagePart,
    TextPart,
)
from mock_inference import faults
from mock_inference.reading import UnreadableImageError, image_bytes

_Request = TypeVar("_Request", ChatRequest, AnswersRequest)
_SAMPLING = ("temperature", "top_p", "max_tokens", "repetition_penalty", "top_logprobs")
_TYPES = {"object", "array", "string", "number", "integer", "boolean", "null"}
_UNSUPPORTED = {"uniqueItems", "contains", "minContains", "maxContains", "multipleOf"}
_TOKENS_PER_IMAGE = 256


class Refused(Exception):
    """The request is answered with `response`."""

    def __init__(self, response: JSONResponse) -> None:
        super().__init__()
        self.response = response


def understood(raw: bytes, shape: type[_Request]) -> _Request:
    """The request. Raises `Refused` for a body of the wrong shape: 400, as vLLM, never 422."""
    try:
        return shape.model_validate(json.loads(raw))
    except ValidationError as wrong:
        first = wrong.errors(include_url=False, include_input=False)[0]
        raise Refused(_misshapen(first)) from None
    except (ValueError, RecursionError):
        details = "{'type': 'json_invalid', 'loc': 'body.0', 'msg': 'JSON decode error'}"
        raise Refused(_bad_body(details, "body.0")) from None


def _misshapen(first: Any) -> JSONResponse:
    place = [str(part) for part in first["loc"]]
    if first["type"] == "union_tag_invalid":
        return _unknown_part(first["ctx"]["tag"])
    if place[0] in _SAMPLING:
        return _bad(f"{first['msg']} (parameter={place[0]})", place[0])
    where = "body." + ".".join(place)
    return _bad_body(f"{{'type': '{first['type']}', 'loc': '{where}'}}", where)


def check_chat(request: ChatRequest, max_model_len: int, *, documents: bool) -> int:
    """The prompt's tokens, roughly. Raises `Refused` where the engine would not begin."""
    parts = [part for m in request.messages if not isinstance(m.content, str) for part in m.content]
    for part in parts:
        if isinstance(part, DocumentPart) and not documents:
            raise Refused(_unknown_part("ocr_document"))
        if isinstance(part, ImagePart):
            check_image(part.image_url.url)
    if request.max_tokens is not None and request.max_tokens > max_model_len:
        message = (
            f"max_tokens={request.max_tokens} cannot be greater than max_model_len={max_model_len}."
        )
        raise Refused(_bad(message, "max_tokens"))
    tokens = sum(_tokens(part) for part in parts) + sum(
        len(m.content) // 4 for m in request.messages if isinstance(m.content, str)
    )
    if tokens > max_model_len:
        message = (
            f"This model's maximum context length is {max_model_len} tokens. "
            f"However, your prompt contains at least {tokens} input tokens."
        )
        raise Refused(_bad(message, "input_tokens"))
    if request.response_format and request.response_format.json_schema:
        _check_schema(request.response_format.json_schema.json_schema)
    return tokens


def check_image(url: str) -> None:
    """Raises `Refused` for an image that cannot be had. Nothing is ever fetched."""
    if url.startswith(("http://", "https://")):
        message = "Cannot connect to host: this mock fetches nothing"
        raise Refused(faults.error(500, message, "InternalServerError"))
    try:
        data = image_bytes(url)
    except UnreadableImageError:
        raise Refused(_bad("Non-base64 digit found", None)) from None
    if not data.startswith((b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"GIF8", b"BM", b"II*", b"MM")):
        raise Refused(_bad("Failed to load image: cannot identify image file", None))


def _check_schema(schema: Any) -> None:
    if not isinstance(schema, dict):
        return
    kinds = schema.get("type", [])
    if unknown := {kinds} - _TYPES if isinstance(kinds, str) else set(kinds) - _TYPES:
        message = (
            f'Failed to transform json schema into a grammar: Unsupported type "{unknown.pop()}"'
        )
        raise Refused(_bad(message, None))
    if _UNSUPPORTED & schema.keys():
        message = "The provided JSON schema contains features not supported by xgrammar."
        raise Refused(_bad(message, None))
    inner = [*schema.get("properties", {}).values(), schema.get("items")]
    for each in (*inner, *schema.get("anyOf", ())):
        _check_schema(each)


def _tokens(part: TextPart | ImagePart | DocumentPart) -> int:
    if isinstance(part, TextPart):
        return len(part.text) // 4
    if isinstance(part, ImagePart):
        return _TOKENS_PER_IMAGE
    return sum(len(page.words) for page in part.ocr_document.pages)


def _unknown_part(tag: str) -> JSONResponse:
    message = (
        f"Unsupported chat content part type: '{tag}'. Supported types: image_url, text. "
        f"(parameter=type, value={tag})"
    )
    return _bad(message, "type")


def _bad(message: str, param: str | None) -> JSONResponse:
    return faults.error(400, message, "BadRequestError", param)


def _bad_body(details: str, param: str) -> JSONResponse:
    return faults.error(400, f"1 validation error:\n  {details}", "Bad Request", param)
