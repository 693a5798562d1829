"""Every view of the page under axe-core, light and dark, wide and on a phone: nothing serious."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from server_process import ROOT, ServerProcess

pytestmark = pytest.mark.slow
FILES = [
    ROOT / "samples" / "invoice_digital.pdf",
    ROOT / "samples" / "invoice_scan.pdf",
    ROOT / "AGENTS.md",
]
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "is_mobile": True,
    "has_touch": True,
}
_SERIOUS = ("serious", "critical")
_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


def found_in(page: Page, view: str) -> list[str]:
    """Serious findings of axe-core on what is shown, and whether it is wider than the window."""
    sticks_out = page.evaluate(
        "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    )
    violations = Axe().run(page, options=_RULES).response["violations"]
    return [f"{view}: wider than the window"] * sticks_out + [
        f"{view}: {one['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
        for one in violations
        if one["impact"] in _SERIOUS
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("looks", ["light", "dark"])
@pytest.mark.parametrize("device", [{}, PHONE], ids=["wide", "phone"])
def test_no_view_has_a_serious_finding(
    served: ServerProcess, visit: Callable[..., Page], looks: str, device: dict[str, Any]
) -> None:
    page = visit(served, color_scheme=looks, **device)
    found = found_in(page, "empty")
    page.set_input_files("#files", [str(file) for file in FILES])
    expect(page.locator(".documents li:is(.fine, .open, .failed)")).to_have_count(len(FILES))
    found += found_in(page, "documents")
    page.locator(".documents li", has_text="invoice_scan").locator("a").click()
    page.locator(".sheet img").first.wait_for()
    found += found_in(page, "document")
    page.locator(".field input").first.fill("x")
    page.locator('.field[data-field="total"] input').fill("x")
    page.get_by_text("Export").click()
    found += found_in(page, "document, edited")
    page.keyboard.press("Escape")
    page.on("dialog", lambda dialog: dialog.accept())
    for view in ("runs", "quality", "settings"):
        page.goto(f"{served.url}/#/{view}")
        # The title is that of a view once all of it is there.
        expect(page).to_have_title(re.compile(f"^{view} ·", re.IGNORECASE))
        found += found_in(page, view)
    page.keyboard.press("?")
    page.locator("dialog").wait_for()
    found += found_in(page, "keys")
    assert found == []
