"""A running server as `ocr batch` uses it: files sent as runs, runs watched and collected."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from apps.api_cpu.wire import load_stored
from lib.errors import Error, Kind

_AGAIN = frozenset({429, 502, 503, 504})
_LONGEST_PAUSE_S = 30.0
_PAGE = 500


class BatchServer:
    """Asks a server, again while it is away. A context manager that closes its connections."""

    def __init__(
        self,
        url: str,
        api_key: str | None,
        patience_s: float,
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`patience_s`: for how long it may be away; `transport` replaces the network.

        Raises `inference_unavailable` for a `url` that is none.
        """
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        try:
            self._client = httpx.Client(
                base_url=url, headers=headers, timeout=httpx.Timeout(60.0), transport=transport
            )
        except httpx.InvalidURL:
            raise _away() from None
        self._patience_s = patience_s
        self._sleep = sleep
        self._clock = clock

    def __enter__(self) -> BatchServer:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._client.close()

    def send(
        self, run_id: str, files: Sequence[tuple[str, Path]], options: Mapping[str, str]
    ) -> None:
        """Begin a run of these files. One that has begun already is left as it is.

        Raises `bad_request` when the server refuses, `inference_unavailable` when it is away.
        """

        def post() -> httpx.Response:
            with ExitStack() as opened:
                parts = [
                    ("files", (name, opened.enter_context(path.open("rb")))) for name, path in files
                ]
                return self._client.post(
                    "/v1/batch_extract_upload_async",
                    files=parts,
                    data={**options, "run_id": run_id},
                )

        answer = self._answer(post)
        if answer.status_code != httpx.codes.CONFLICT:
            _require(answer, httpx.codes.ACCEPTED)

    def run(self, run_id: str) -> dict[str, Any] | None:
        """How far a run is; None where the server knows none."""
        answer = self._answer(lambda: self._client.get(f"/v1/runs/{run_id}"))
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        return _body(_require(answer, httpx.codes.OK))

    def items(self, run_id: str) -> Iterator[dict[str, Any]]:
        """The items of a run, in the order in which their files were sent."""
        cursor = None
        while True:
            params = {"limit": str(_PAGE)} | ({"cursor": cursor} if cursor else {})
            answer = self._answer(
                partial(self._client.get, f"/v1/runs/{run_id}/items", params=params)
            )
            page = _body(_require(answer, httpx.codes.OK))
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def _answer(self, ask: Callable[[], httpx.Response]) -> httpx.Response:
        """The server's answer, once it has one that is not to ask again."""
        end = self._clock() + self._patience_s
        pause = 1.0
        while True:
            try:
                answer = ask()
            except httpx.InvalidURL:
                raise _away() from None
            except httpx.HTTPError:
                answer = None
            if answer is not None and answer.status_code not in _AGAIN:
                return answer
            wait = pause if answer is None else _retry_after(answer, pause)
            if self._clock() + wait > end:
                if answer is None:
                    raise _away()
                return answer
            self._sleep(wait)
            pause = min(_LONGEST_PAUSE_S, pause * 2)


def _retry_after(answer: httpx.Response, otherwise: float) -> float:
    text = answer.headers.get("Retry-After", "")
    return min(_LONGEST_PAUSE_S, float(text)) if text.isdigit() else otherwise


def _require(answer: httpx.Response, status: int) -> httpx.Response:
    if answer.status_code == status:
        return answer
    code = f"HTTP {answer.status_code}"
    error = _body(answer).get("error")
    if isinstance(error, dict) and isinstance(error.get("code"), str):
        code += f" {error['code']}"
    raise Error("bad_request", Kind.BAD_REQUEST, f"The server refused: {code}.")


def _body(answer: httpx.Response) -> dict[str, Any]:
    """The body as an object, fractions as Decimal; empty when it is anything else."""
    try:
        found = load_stored(answer.content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _away() -> Error:
    return Error(
        "inference_unavailable", Kind.UNAVAILABLE, "The server does not answer.", retryable=True
    )
