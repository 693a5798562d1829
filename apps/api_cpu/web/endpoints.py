"""`GET /` and the page's files, under a policy that allows nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

_FILES = Path(__file__).parent / "static"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


# A browser keeps the files, but asks whether they are still the same: an update is seen at once.
_HEADERS = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}


class _PageFiles(StaticFiles):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await super().__call__(scope, receive, with_headers)


def mount(app: FastAPI) -> None:
    """Add the page to the server."""

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(_FILES / "index.html", headers=_HEADERS)

    app.mount("/static", _PageFiles(directory=_FILES), name="static")
