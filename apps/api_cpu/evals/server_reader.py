"""A running server as the reader of an evaluation: one POST /v1/extract per document."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import httpx

from apps.api_cpu.evals.responses import prediction_of
from lib.errors import Error, Kind
from lib.evaluation.evaluate import Prediction

_ATTEMPTS = 4
_LONGEST_PAUSE_S = 30.0
_BUSY = {httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE}
_FATAL = {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND}


class ServerReader:
    """Asks a server. A context manager that closes its connections."""

    name = "server"

    def __init__(
        self,
        url: str,
        task_id: str,
        api_key: str | None = None,
        timeout_s: float = 120.0,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`url` is the server's root; `transport` replaces the network.

        Raises `inference_unavailable` for a `url` that is none.
        """
        headers = {"Prefer": "wait"}
        if api_key:
            headers["Authorization"] = f"Bearer {api_key}"
        self._task_id = task_id
        self._sleep = sleep
        try:
            self._client = httpx.Client(
                base_url=url, headers=headers, timeout=timeout_s, transport=transport
            )
        except httpx.InvalidURL:
            raise _away() from None

    def __enter__(self) -> ServerReader:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._client.close()

    def read(self, document_id: str, file_name: str, data: bytes) -> Prediction:
        """See `DocumentReader.read`. The time is the request's, as the caller waits for it.

        A busy server is asked again. Raises `inference_unavailable` when nobody answers and
        `bad_request` when the server refuses the key or the task: no document could be read.
        """
        for attempt in range(_ATTEMPTS):
            started = time.monotonic()
            response = self._post(file_name, data)
            spent_ms = (time.monotonic() - started) * 1000
            if response.status_code not in _BUSY or attempt == _ATTEMPTS - 1:
                break
            self._sleep(_pause(response))
        if response.status_code in _FATAL:
            raise Error(
                "bad_request",
                Kind.BAD_REQUEST,
                f"The server refused: HTTP {response.status_code} {_error_code(response)}.",
            )
        if response.status_code != httpx.codes.OK:
            return Prediction(document_id, error=_error_code(response))
        return prediction_of(document_id, _json(response), spent_ms)

    def _post(self, file_name: str, data: bytes) -> httpx.Response:
        try:
            return self._client.post(
                "/v1/extract", files={"file": (file_name, data)}, data={"task_id": self._task_id}
            )
        except httpx.TimeoutException:
            return httpx.Response(httpx.codes.GATEWAY_TIMEOUT)
        except (httpx.HTTPError, httpx.InvalidURL):
            raise _away() from None


def _away() -> Error:
    return Error("inference_unavailable", Kind.UNAVAILABLE, "The server does not answer.")


def _pause(response: httpx.Response) -> float:
    try:
        seconds = float(response.headers.get("Retry-After", "1"))
    except ValueError:
        seconds = 1.0
    return min(_LONGEST_PAUSE_S, max(0.0, seconds))


def _json(response: httpx.Response) -> Mapping[str, Any]:
    """The body as an object, fractions as Decimal; empty when it is anything else."""
    try:
        body = json.loads(response.content, parse_float=Decimal)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _error_code(response: httpx.Response) -> str:
    error = _json(response).get("error")
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, str) else f"http_{response.status_code}"
