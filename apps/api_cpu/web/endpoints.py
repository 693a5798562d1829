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


class _PageFiles(StaticFiles):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Content-Security-Policy"] = _POLICY
            await send(message)

        await super().__call__(scope, receive, with_policy)


def mount(app: FastAPI) -> None:
    """Add the page to the server."""

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(_FILES / "index.html", headers={"Content-Security-Policy": _POLICY})

    app.mount("/static", _PageFiles(directory=_FILES), name="static")
