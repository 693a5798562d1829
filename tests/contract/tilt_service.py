"""The inference service in a thread, and requests for it; shared by its suites."""

from __future__ import annotations

import base64
import io
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
from PIL import Image

from apps.api_gpu.engine import TiltEngine
from apps.api_gpu.server import serve
from apps.api_gpu.settings import Settings

KEY = "a-key-of-the-tests"
MODEL = "Snowflake/snowflake-arctic-tilt-v1.3"
PATIENCE_S = 100.0


class Service:
    """The server in a thread of its own, with its exit status at the end."""

    def __init__(self, engine: TiltEngine, **settings: Any) -> None:
        self.engine = engine
        self.status: int | None = None
        self.settings = Settings(
            port=0,
            vllm_api_key=KEY,
            **{"tilt_probe_interval_s": 0.05, "tilt_shutdown_grace_s": 1} | settings,
        )
        self._servers: list[Any] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        eventually(lambda: self._servers and self._servers[0].started, "a server that listens")
        self.port: int = self._servers[0].servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {KEY}"}, timeout=PATIENCE_S
        )

    def _run(self) -> None:
        self.status = serve(self.settings, self.engine, started=self._servers.append)

    def stop(self) -> None:
        self.client.close()
        for server in self._servers:
            server.should_exit = True
        self.ended()

    def ended(self) -> int | None:
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        return self.status

    def metric(self, line: str) -> float:
        for found in self.client.get("/metrics").text.splitlines():
            if found.startswith(line + " "):
                return float(found.rpartition(" ")[2])
        return 0.0


def eventually(probe: Callable[[], Any], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if probe():
            return
        time.sleep(0.005)
    raise AssertionError(f"waited in vain: {what}")


def data_uri(image: Image.Image, file_format: str = "PNG", **options: Any) -> str:
    out = io.BytesIO()
    image.save(out, file_format, **options)
    body = base64.b64encode(out.getvalue()).decode()
    return f"data:image/{file_format.lower()};base64,{body}"


def page(*words: str, size: tuple[int, int] = (600, 800), mode: str = "RGB") -> dict[str, Any]:
    width, height = size
    return {
        "width": width,
        "height": height,
        "words": list(words),
        "bboxes": [[10, 20 * n, 100, 20 * n + 15] for n in range(len(words))],
        "image": {"url": data_uri(Image.new(mode, size, 1 if mode == "1" else "white"))},
    }


RECEIPT = ("Receipt", "Total", "12.50", "EUR")


def asked(*pages: dict[str, Any], questions: tuple[str, ...] = ("Total",)) -> dict[str, Any]:
    return {
        "document": {"pages": list(pages) or [page(*RECEIPT)]},
        "questions": [{"name": f"q{n}", "text": text} for n, text in enumerate(questions)],
    }


def chat(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    content = list(parts) or [document_part(), {"type": "text", "text": "Total"}]
    return {"model": MODEL, "messages": [{"role": "user", "content": content}], **more}


def document_part() -> dict[str, Any]:
    return {"type": "ocr_document", "ocr_document": {"pages": [page(*RECEIPT)]}}


class Waiting:
    """Requests that are under way while the test looks on."""

    def __init__(self, service: Service, count: int, **more: Any) -> None:
        self.answers: list[httpx.Response] = []
        self._threads = [
            threading.Thread(target=self._ask, args=(service, more)) for _ in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def _ask(self, service: Service, more: dict[str, Any]) -> None:
        self.answers.append(service.client.post("/v1/tilt/answers", json=asked(**more)))

    def statuses(self) -> list[int]:
        for thread in self._threads:
            thread.join(PATIENCE_S)
        return sorted(answer.status_code for answer in self.answers)
