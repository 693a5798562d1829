"""What tests of the page wait for in a real browser, where each step may take long."""

from __future__ import annotations

import time
from collections.abc import Callable

from playwright.sync_api import Error, Page
from server_process import PATIENCE_S, eventually

# A notice goes by itself after seconds in which a busy machine may not have looked.
KEEPS_NOTICES = """
window.noticesSeen = [];
new MutationObserver((changes) => {
  const added = changes.flatMap(({ addedNodes }) => [...addedNodes]);
  const notices = added.filter((node) => node.classList?.contains("notice"));
  window.noticesSeen.push(...notices.map(({ textContent }) => textContent));
}).observe(document, { childList: true, subtree: true });
"""


def arrive(page: Page, url: str) -> None:
    """Go there; again when a network of this machine, as a container has one, came or went."""

    def arrived() -> bool:
        try:
            page.goto(url, timeout=PATIENCE_S * 1000)
        except Error as error:
            if "ERR_NETWORK_CHANGED" in error.message:
                return False
            raise
        return True

    eventually(arrived, "the page")


def said(page: Page, text: str) -> None:
    """Wait until a notice has said so, and forget those before; it may be gone again by now."""
    page.wait_for_function(
        """(text) => {
          const at = window.noticesSeen.findIndex((seen) => seen.includes(text));
          return at >= 0 && window.noticesSeen.splice(0, at + 1);
        }""",
        arg=text,
    )


def until(page: Page, probe: Callable[[], object], what: str) -> None:
    """Wait for something outside the page, which goes on meanwhile."""
    end = time.monotonic() + PATIENCE_S
    while not probe():
        assert time.monotonic() < end, f"waited {PATIENCE_S:.0f} s in vain: {what}"
        page.wait_for_timeout(50)
