"""Real servers, and a browser that visits them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from playwright_page import KEEPS_NOTICES, arrive
from server_process import PATIENCE_S, ServerProcess, end_whole

# Playwright's own is 5 s, which a busy machine needs to draw a page.
expect.set_options(timeout=PATIENCE_S * 1000)


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
        end_whole(server.process)
        if server.process.stdout is not None:
            server.process.stdout.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for the tests of a module that leave each other alone."""
    # One worker: of more, one alone is there when the server is ready.
    server = ServerProcess(tmp_path_factory.mktemp("served"), {"OCR_WORKERS": "1"})
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
            executable_path=shutil.which(found[0]),
            args=["--no-sandbox", "--disable-dev-shm-usage"],
            timeout=PATIENCE_S * 1000,
        )
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens the page of a server in a context of its own; a fault of a script fails the test."""
    faults: list[str] = []
    contexts = []

    def visiting(server: ServerProcess, **context: Any) -> Page:
        # Nothing moves or fades: what is looked at is as it stays.
        usual = {"viewport": {"width": 1360, "height": 850}, "reduced_motion": "reduce"}
        contexts.append(browser.new_context(**usual | context))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE_S * 1000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "console",
            lambda said: faults.append(said.text) if "Content Security" in said.text else None,
        )
        page.add_init_script(KEEPS_NOTICES)
        arrive(page, server.url)
        page.locator("body.ready").wait_for()
        return page

    yield visiting
    for context in contexts:
        context.close()
    assert faults == []
