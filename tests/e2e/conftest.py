"""Real server processes on a free port, each with a folder of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from apps.api_cpu.settings import variable_names

OCR = Path(sys.executable).with_name("ocr")
ROOT = Path(__file__).resolve().parents[2]
RECEIPT = ROOT / "samples" / "receipt_photo.jpg"
SCAN = ROOT / "samples" / "invoice_scan.pdf"
_PATIENCE_S = 60.0


def environment(data_root: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without settings, then these."""
    ours = variable_names()
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return kept | {"DATA_ROOT": str(data_root)} | dict(more or {})


def eventually(probe: Callable[[], Any], what: str) -> Any:
    """The first true result of `probe`; fails when it takes too long."""
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        found = probe()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited {_PATIENCE_S:.0f} s in vain: {what}")


class ServerProcess:
    """`ocr serve`, started and answering."""

    def __init__(
        self, data_root: Path, more: Mapping[str, str] | None = None, port: int = 0
    ) -> None:
        self.data_root = data_root
        self.process = subprocess.Popen(
            [OCR, "serve", "--port", str(port)],
            env=environment(data_root, more),
            cwd=data_root,
            stdout=subprocess.PIPE,
            stderr=(data_root / "server.log").open("ab"),
            text=True,
        )
        assert self.process.stdout is not None
        announced = self.process.stdout.readline()
        assert announced.startswith("Listening on "), announced
        self.url = announced.split()[2]
        self.client = httpx.Client(base_url=self.url, timeout=_PATIENCE_S)

    def health(self) -> dict[str, Any]:
        """What `/v1/health` says."""
        body: dict[str, Any] = self.client.get("/v1/health").json()
        return body

    def wait_ready(self) -> None:
        """Wait until documents can be read."""
        eventually(lambda: self.health()["status"] == "ok", "a ready server")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit status."""
        self.process.send_signal(number)
        return self.process.wait(_PATIENCE_S)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., ServerProcess]]:
    """Starts servers on one data folder; ends what is left of them."""
    servers: list[ServerProcess] = []

    def starting(port: int = 0, **more: str) -> ServerProcess:
        server = ServerProcess(tmp_path, more, port)
        servers.append(server)
        return server

    yield starting
    for server in servers:
        server.client.close()
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()
        if server.process.stdout is not None:
            server.process.stdout.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for the tests of a module that leave each other alone."""
    server = ServerProcess(tmp_path_factory.mktemp("served"))
    server.wait_ready()
    yield server
    server.client.close()
    server.stop()
    if server.process.stdout is not None:
        server.process.stdout.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium: Debian's package, or Chrome under its usual names."""
    found = [
        name for name in ("chromium", "chromium-browser", "google-chrome") if shutil.which(name)
    ]
    if not found:
        assert not os.environ.get("CI"), "the tests of the page need Chromium: apt install chromium"
        pytest.skip("the tests of the page need Chromium: apt install chromium")
    with sync_playwright() as playwright:
        # Tests run as root in containers: Chromium's own sandbox does not start there, and the
        # shared memory is small.
        chromium = playwright.chromium.launch(
            executable_path=shutil.which(found[0]), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens the page of a server in a context of its own; a fault of a script fails the test."""
    faults: list[str] = []
    contexts = []

    def visiting(server: ServerProcess, **context: Any) -> Page:
        contexts.append(
            browser.new_context(**{"viewport": {"width": 1360, "height": 850}} | context)
        )
        page = contexts[-1].new_page()
        page.set_default_timeout(_PATIENCE_S * 1000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "console",
            lambda said: faults.append(said.text) if "Content Security" in said.text else None,
        )
        page.goto(server.url)
        page.locator("body.ready").wait_for()
        return page

    yield visiting
    for context in contexts:
        context.close()
    assert faults == []
