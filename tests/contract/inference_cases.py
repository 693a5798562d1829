"""Requests to an inference server, each with what its answer means; and a recorder of the answers.

    PYTHONPATH=. python tests/contract/inference_cases.py http://127.0.0.1:8001 > NEW.json

asks a real vLLM (key and model below) and writes what the replay in the contract suite answers.
"""

from __future__ import annotations

import base64
import json
import struct
import sys
import zlib
from dataclasses import dataclass
from typing import Any

import httpx

from lib.inference.failures import Cause
from lib.inference.wire import ANSWERS_ROUTE, CHAT_ROUTE, HEALTH_ROUTE, MODELS_ROUTE

KEY = "test"
MODEL = "tiny"
MAX_MODEL_LEN = 4096
KEPT_HEADERS = ("content-type", "x-request-id", "retry-after", "allow")


@dataclass(frozen=True)
class Case:
    """`means`: None for a good answer."""

    body: dict[str, Any] | bytes | None
    means: Cause | None = None
    route: str = CHAT_ROUTE
    key: str = KEY
    method: str = "POST"

    @property
    def data(self) -> bytes:
        """The body as it is sent."""
        if isinstance(self.body, bytes):
            return self.body
        return b"" if self.body is None else json.dumps(self.body).encode()


def white_png(side: int = 112) -> str:
    """A white picture as a data URI."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress((b"\0" + b"\xff" * side * 3) * side))
    png = b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(png).decode()


SCHEMA = {
    "type": "object",
    "properties": {
        "total": {"type": "string", "pattern": r"^[0-9]{1,6}\.[0-9]{2}$"},
        "currency": {"type": "string", "enum": ["EUR", "USD"]},
    },
    "required": ["total", "currency"],
    "additionalProperties": False,
}
TEXT = {"type": "text", "text": "total?"}
IMAGE = {"type": "image_url", "image_url": {"url": white_png()}}
PAGE = {
    "width": 100,
    "height": 200,
    "words": ["Total"],
    "bboxes": [[1, 2, 30, 12]],
    "image": {"url": white_png()},
}


def chat(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A chat request with these parts, and these members over the usual ones."""
    usual = {"model": MODEL, "temperature": 0, "max_tokens": 60}
    return {**usual, "messages": [{"role": "user", "content": list(parts)}], **more}


def schema(inner: dict[str, Any]) -> dict[str, Any]:
    """A response format."""
    return {
        "type": "json_schema",
        "json_schema": {"name": "a", "schema": inner, "strict": True},
    }


def _image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


CASES: dict[str, Case] = {
    "schema_and_logprobs": Case(
        chat(TEXT, IMAGE, logprobs=True, response_format=schema(SCHEMA)),
    ),
    "cut": Case(chat(TEXT, IMAGE, max_tokens=1)),
    "unknown_member_ignored": Case(chat(TEXT, IMAGE, max_tokens=4, guided_json=SCHEMA)),
    "default_model": Case({k: v for k, v in chat(TEXT, IMAGE).items() if k != "model"}),
    "no_key": Case(chat(TEXT), Cause.KEY_REFUSED, key=""),
    "wrong_key": Case(chat(TEXT), Cause.KEY_REFUSED, key="nope"),
    "unknown_model": Case(chat(TEXT, model="nope"), Cause.MODEL_UNKNOWN),
    "unknown_route": Case({"model": MODEL}, Cause.ROUTE_UNKNOWN, route=ANSWERS_ROUTE),
    "wrong_method": Case(None, Cause.ROUTE_UNKNOWN, method="GET"),
    "prompt_too_long": Case(chat({"type": "text", "text": "total " * 5000}), Cause.TOO_MANY_TOKENS),
    "max_tokens_too_large": Case(chat(TEXT, max_tokens=99999), Cause.TOO_MANY_TOKENS),
    "not_an_image": Case(chat(TEXT, _image("data:image/png;base64,AAAA")), Cause.REQUEST_REFUSED),
    "bad_base64": Case(chat(TEXT, _image("data:image/png;base64,@@@")), Cause.REQUEST_REFUSED),
    "unknown_part": Case(
        chat(TEXT, {"type": "ocr_document", "ocr_document": {"pages": [PAGE]}}),
        Cause.REQUEST_REFUSED,
    ),
    "wrong_shape": Case({"model": MODEL, "messages": "hello"}, Cause.REQUEST_REFUSED),
    "messages_missing": Case({"model": MODEL}, Cause.REQUEST_REFUSED),
    "not_json": Case(b'{"model": ', Cause.REQUEST_REFUSED),
    "temperature_out_of_range": Case(chat(TEXT, temperature=-1), Cause.REQUEST_REFUSED),
    "schema_unsupported": Case(
        chat(TEXT, response_format=schema({"type": "array", "uniqueItems": True, "items": {}})),
        Cause.SCHEMA_REFUSED,
    ),
    "schema_invalid": Case(
        chat(TEXT, response_format=schema({"type": "nonsense"})), Cause.SCHEMA_REFUSED
    ),
    "image_unreachable": Case(chat(TEXT, _image("http://127.0.0.1:9/x.png")), Cause.SERVER_ERROR),
    "stream_refused": Case(chat(TEXT, stream=True, max_tokens=99999), Cause.TOO_MANY_TOKENS),
    "models": Case(None, route=MODELS_ROUTE, method="GET"),
    "health": Case(None, route=HEALTH_ROUTE, method="GET"),
}


def record(url: str) -> dict[str, Any]:
    """The answers of a real server."""
    found = {}
    for name, case in CASES.items():
        headers = {"Content-Type": "application/json", "X-Request-Id": name}
        if case.key:
            headers["Authorization"] = f"Bearer {case.key}"
        with httpx.Client(timeout=120) as client:
            answer = client.request(
                case.method, url + case.route, content=case.data, headers=headers
            )
        found[name] = {
            "status": answer.status_code,
            "headers": {k: v for k, v in answer.headers.items() if k in KEPT_HEADERS},
            "body": answer.text,
        }
    return found


if __name__ == "__main__":
    json.dump(record(sys.argv[1]), sys.stdout, indent=1, ensure_ascii=False)
