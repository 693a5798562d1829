"""A stand-in for the GPU: vLLM's and the TILT server's HTTP, answered by reading on the CPU.

    python scripts/mock_vllm.py                              # http://127.0.0.1:8001, no key
    python scripts/mock_vllm.py --api-key test --faults '503:2*3,hang'
    curl -X PUT localhost:8001/control -d '{"faults": "500*", "latency_s": 0.2}'

For local development and contract tests. It reads the images or words that it is sent with the
embedded CPU engine, so real values show without a GPU, and behaves as a real vLLM 0.32 was recorded
to behave (tests/contract). Faults, separated by commas, `*3` for three requests, `*` for good:
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
from pathlib import Path
from typing import Any

import uvicorn
from mock_inference.app import Behaviour, Mock, MockSettings
from mock_inference.faults import NAMES
from mock_inference.reading import DocumentReader
from uvicorn.protocols.http.h11_impl import H11Protocol

TASKS = Path(__file__).resolve().parents[1] / "configs" / "tasks"


class MockProtocol(H11Protocol):
    """uvicorn's protocol, which lets a fault have the connection: `request.state.transport`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep the transport where requests find it."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class MockServer(uvicorn.Server):
    """uvicorn's server, which says where it listens once it does."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            print(f"Listening on http://{host}:{port}", flush=True)


def server(mock: Mock, host: str = "127.0.0.1", port: int = 0) -> uvicorn.Server:
    """The server, ready to be run."""
    return MockServer(
        uvicorn.Config(
            mock.app(),
            host=host,
            port=port,
            http=MockProtocol,
            log_level="warning",
            lifespan="off",
            timeout_keep_alive=5,  # as vLLM's
        )
    )


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    options = _parser().parse_args()
    reader = DocumentReader(TASKS)
    settings = MockSettings(
        models=tuple(options.model or ("mock-chat", "mock-tilt")),
        api_key=options.api_key,
        max_model_len=options.max_model_len,
        documents=not options.stock,
        die=lambda: os._exit(0),  # vLLM's status when its engine died
    )
    try:
        behaviour = Behaviour(
            options.faults, options.latency_s, options.max_running, options.max_queued
        )
        mock = Mock(settings, reader, behaviour)
    except ValueError as wrong:
        sys.exit(str(wrong))
    try:
        server(mock, options.host, options.port).run()
    finally:
        reader.close()


def _parser() -> argparse.ArgumentParser:
    faults = "\n".join(f"    {name:<13} {meaning}" for name, meaning in NAMES.items())
    parser = argparse.ArgumentParser(
        description=f"{__doc__}\n{faults}\n", formatter_class=argparse.RawDescriptionHelpFormatter
    )

    def add(name: str, variable: str, default: Any, about: str) -> None:
        """An option whose default an environment variable gives."""
        given = os.environ.get(variable)
        kind = type(default) if default is not None else int
        parser.add_argument(
            name,
            type=kind,
            default=kind(given) if given else default,
            help=f"{about} (environment: {variable}; default: {default!r})",
        )

    add("--host", "MOCK_HOST", "127.0.0.1", "address to listen on")
    add("--port", "MOCK_PORT", 8001, "port to listen on; 0 picks a free one")
    add("--api-key", "VLLM_API_KEY", "", "Bearer key that is asked for; empty: none")
    add("--faults", "MOCK_FAULTS", "", "script of faults, see above")
    add("--latency-s", "MOCK_LATENCY_S", 0.0, "seconds that an answer takes at least")
    add("--max-running", "MOCK_MAX_RUNNING", 16, "answers that are written at once")
    add("--max-queued", "MOCK_MAX_QUEUED", None, "requests that may wait; more get 503")
    add("--max-model-len", "MOCK_MAX_MODEL_LEN", 32768, "tokens of prompt and answer together")
    parser.add_argument("--model", action="append", help="a served model, may be repeated")
    parser.add_argument("--stock", action="store_true", help="know no documents, as stock vLLM")
    return parser


if __name__ == "__main__":
    main()
