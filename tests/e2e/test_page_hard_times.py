"""The page in hard times: long and broken documents, keys that end, a killed server."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from fpdf import FPDF
from playwright.sync_api import Browser, Page, Route, expect
from playwright_page import arrive, until
from server_process import (
    OCR,
    PATIENCE_S,
    ROOT,
    SCAN,
    ServerProcess,
    environment,
    eventually,
)

from scripts.service_processes import free_port

pytestmark = pytest.mark.slow
DIGITAL = ROOT / "samples" / "invoice_digital.pdf"
EINVOICE = ROOT / "samples" / "invoice_xrechnung.xml"
PEPPER = "a pepper for these tests only"
PAGES = 40
Visit = Callable[..., Page]
Start = Callable[..., ServerProcess]


def _long_invoice(path: Path) -> Path:
    """An invoice of many pages whose total stands on the last one."""
    pdf = FPDF()
    pdf.set_font("Helvetica", size=11)
    for number in range(1, PAGES + 1):
        pdf.add_page()
        lines = ["Invoice", "Long Works Ltd", "Invoice No: LW-40", "Invoice date: 2026-03-17"]
        lines = lines if number == 1 else []
        lines += [f"Item {number}.{at}   1   10.00   10.00" for at in range(1, 11)]
        if number == PAGES:
            lines += ["Subtotal: EUR 4000.00", "VAT 0 %: EUR 0.00", "Total: EUR 4000.00"]
        for line in lines:
            pdf.cell(0, 9, line, new_x="LMARGIN", new_y="NEXT")
    pdf.output(str(path))
    return path


def _upload(page: Page, *files: Path) -> None:
    page.set_input_files("#files", [str(file) for file in files])


def _done(page: Page, count: int) -> None:
    expect(page.locator(".documents li:is(.fine, .open, .failed)")).to_have_count(count)


def test_forty_pages(served: ServerProcess, visit: Visit, tmp_path: Path) -> None:
    page = visit(served)
    drawn: list[str] = []
    page.on("response", lambda one: drawn.append(one.url) if ".png?" in one.url else None)
    _upload(page, _long_invoice(tmp_path / "long.pdf"))
    _done(page, 1)
    page.locator(".documents a.whole").click()
    page.locator(".sheet img").first.wait_for()
    expect(page.locator(".sheet")).to_have_count(PAGES)
    expect(page.locator(".toolbar .count")).to_have_text(f"1 / {PAGES}")
    assert len(drawn) < 6, "pages are drawn when they come into view"

    page.locator('.field[data-field="subtotal"] input').focus()
    expect(page.locator(".toolbar .count")).to_have_text(f"{PAGES} / {PAGES}")
    page.locator(".sheet").last.locator("img").wait_for()
    expect(page.locator(".overlay .box.lit")).to_be_in_viewport()
    for _ in range(PAGES):
        page.get_by_role("button", name="Previous page").click()
    expect(page.locator(".toolbar .count")).to_have_text(f"1 / {PAGES}")
    # Memory is given back.
    page.wait_for_function("() => document.querySelectorAll('.sheet img').length <= 16")


def test_zoom_and_turning_keep_boxes_on_their_words(served: ServerProcess, visit: Visit) -> None:
    page = visit(served)
    _upload(page, DIGITAL)
    _done(page, 1)
    page.locator(".documents a.whole").click()
    page.locator(".sheet img").wait_for()
    row = page.locator('.field[data-field="total"]')
    before = page.locator(".sheet").bounding_box()
    page.locator(".document-head h2").click()
    page.keyboard.press("+")
    page.keyboard.press("r")
    row.locator("input").focus()
    expect(page.locator(".overlay .box.lit")).to_be_in_viewport()
    box = page.locator(".overlay .box.lit").bounding_box()
    after = page.locator(".sheet").bounding_box()
    assert before is not None
    assert after is not None
    assert box is not None
    assert after["width"] > before["width"]
    assert after["width"] > after["height"], "an upright page lies on its side"
    assert box["height"] > box["width"], "and so does the box"
    page.locator(".document-head h2").hover()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator('.field.lit[data-field="total"]')).to_have_count(1)


def test_a_page_that_a_busy_server_puts_off_is_waited_for(
    served: ServerProcess, visit: Visit
) -> None:
    page = visit(served)
    _upload(page, DIGITAL)
    _done(page, 1)
    held: list[Route] = []
    asked: list[str] = []

    def put_off_the_first(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) == 1:
            busy = {"code": "rate_limited", "message": "Too many.", "details": {}}
            route.fulfill(status=429, headers={"Retry-After": "1"}, json={"error": busy})
        else:
            held.append(route)

    page.route("**/pages/1.png*", put_off_the_first)
    page.locator(".documents a.whole").click()
    waiting = page.locator(".viewer .waiting")
    expect(waiting).to_contain_text("too much at once")
    expect(page.locator(".sheet")).not_to_have_class(re.compile("shown"))
    eventually(lambda: page.evaluate("true") and held, "the page is asked for again")
    held[0].continue_()
    page.locator(".sheet img").wait_for()
    expect(waiting).to_be_empty()
    assert len(set(asked)) == 1


def test_failed_documents_say_why_and_can_be_tried_again(
    served: ServerProcess, visit: Visit, tmp_path: Path
) -> None:
    page = visit(served)
    (tmp_path / "notes.pdf").write_bytes(b"these are no pages")
    secret = FPDF()
    secret.set_encryption(owner_password="a", user_password="b")
    secret.add_page()
    secret.output(str(tmp_path / "secret.pdf"))
    _upload(page, tmp_path / "notes.pdf", tmp_path / "secret.pdf", DIGITAL)
    _done(page, 3)
    notes = page.locator(".documents li", has_text="notes.pdf")
    expect(notes).to_contain_text("This is no document that can be read.")
    expect(page.locator(".documents li", has_text="secret.pdf")).to_contain_text("password")
    expect(page.locator(".documents li.fine, .documents li.open")).to_have_count(1)
    notes.get_by_role("button", name="Try again").click()
    _done(page, 3)
    page.goto(f"{served.url}/#/documents/nothing-of-that-name")
    expect(page.locator(".failure")).to_contain_text("There is no such document")


def test_a_key_that_ends_is_asked_for_and_nothing_typed_is_lost(
    start: Start, visit: Visit, tmp_path: Path
) -> None:
    secured = {"AUTH_ENABLED": "1", "API_KEY_PEPPER": PEPPER}
    first, second = (_new_key(tmp_path, secured) for _ in range(2))
    server = start(**secured)
    server.wait_ready()
    page = visit(server)
    dialog = page.locator("dialog.key")
    dialog.locator("input").fill("ocr_wrong")
    dialog.get_by_role("button").click()
    expect(dialog).to_contain_text("This key is not valid here")
    dialog.locator("input").fill(first)
    dialog.get_by_role("button").click()
    expect(dialog).to_have_count(0)
    _upload(page, DIGITAL)
    _done(page, 1)
    page.locator(".documents a.whole").click()
    name = page.locator('.field[data-field="vendor_name"] input')
    name.fill("Typed before the key ended")

    key_id = server.client.get("/v1/me", headers={"X-API-Key": first}).json()["key_id"]
    _keys(tmp_path, secured, "revoke", key_id)
    page.keyboard.press("Control+s")
    dialog.locator("input").fill(second)
    dialog.get_by_role("button").click()
    expect(dialog).to_have_count(0)
    expect(name).to_have_value("Typed before the key ended")
    assert page.evaluate("() => JSON.stringify(localStorage)").count(second) == 0
    assert page.evaluate("() => document.cookie") == ""


def _new_key(data_root: Path, secured: dict[str, str]) -> str:
    return _keys(data_root, secured, "create", "--role", "admin").split()[-1]


def _keys(data_root: Path, secured: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [OCR, "keys", *arguments],
        env=environment(data_root, secured),
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def test_a_server_killed_in_the_middle_is_waited_for(start: Start, visit: Visit) -> None:
    port = free_port()
    server = start(port=port, OCR_WORKERS="1")
    server.wait_ready()
    (worker,) = server.ocr_workers()
    worker.suspend()  # so that the scan is still being read when the server dies
    page = visit(server)
    _upload(page, SCAN, DIGITAL)
    # Both have been accepted: what is lost on its way is of another test.
    expect(page.locator(".documents li:is([data-status=reading], .fine, .open)")).to_have_count(2)
    expect(page.locator(".documents li[data-status=reading]", has_text=SCAN.name)).to_be_visible()
    server.stop(signal.SIGKILL)
    worker.kill()
    expect(page.locator(".banner")).to_be_visible()
    expect(page.locator(".banner")).to_contain_text("goes on by itself")
    again = start(port=port)
    again.wait_ready()
    _done(page, 2)
    expect(page.locator(".documents li.failed")).to_have_count(0)
    expect(page.locator(".banner")).to_be_hidden()
    page.reload()
    _done(page, 2)
    page.locator(".documents li", has_text=SCAN.name).locator("a").click()
    page.locator(".sheet img").first.wait_for()


@pytest.mark.parametrize(
    ("name", "times"),
    # What is preloaded in vain is asked for once more by those who import it.
    [("sums.js", 2), ("strings_en.js", 1), ("app.js", 1), ("page.css", 1)],
)
def test_a_file_of_the_page_that_does_not_arrive_is_asked_for_again(
    served: ServerProcess, browser: Browser, name: str, times: int
) -> None:
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_S * 1000)
    asked: list[str] = []

    def lose(route: Route) -> None:
        asked.append(route.request.url)
        # What Chromium says of every request that is under way when a network comes or goes.
        route.abort("internetdisconnected") if len(asked) <= times else route.continue_()

    page.route(f"**/static/{name}", lose)
    arrive(page, served.url)
    page.wait_for_function("() => performance.getEntriesByType('navigation')[0].type === 'reload'")
    page.locator("body.ready").wait_for()
    assert page.evaluate("() => sessionStorage.getItem('loads')") is None
    page.close()


def test_what_is_dropped_before_the_server_has_answered_is_sent(
    served: ServerProcess, visit: Visit
) -> None:
    page = visit(served)
    held: dict[str, Route] = {}

    def hold(route: Route) -> None:
        held[route.request.url.rpartition("/")[2]] = route

    page.route("**/v1/me", hold)
    page.route("**/v1/extract_async", hold)
    page.reload()
    page.locator("body.ready").wait_for()
    page.evaluate(
        """(text) => {
          const dropped = new DataTransfer();
          dropped.items.add(new File([text], "dropped.xml"));
          dispatchEvent(new DragEvent("drop", { dataTransfer: dropped }));
        }""",
        EINVOICE.read_text(encoding="utf-8"),
    )
    page.wait_for_function("() => sessionStorage.getItem('documents')?.includes('sending')")
    until(page, lambda: "me" in held, "the question who this is")
    held["me"].continue_()
    expect(page.locator(".documents li")).to_have_attribute("data-status", "sending")
    until(page, lambda: "extract_async" in held, "the document")
    held["extract_async"].continue_()
    _done(page, 1)
    expect(page.locator(".documents li.failed")).to_have_count(0)


def test_what_got_lost_is_sent_again_under_the_same_key(
    served: ServerProcess, visit: Visit
) -> None:
    page = visit(served)
    keys: list[str | None] = []

    def lose_the_first(route: Route) -> None:
        keys.append(route.request.headers.get("idempotency-key"))
        if len(keys) == 1:
            route.abort()
        elif len(keys) == 2:
            # What a server says that was killed: the first try is not given up yet.
            route.fulfill(status=409, json={"error": {"code": "idempotency_in_progress"}})
        else:
            route.continue_()

    page.route("**/v1/extract_async", lose_the_first)
    _upload(page, DIGITAL)
    _done(page, 1)
    expect(page.locator(".documents li.failed")).to_have_count(0)
    assert len(keys) >= 3
    assert keys[0]
    assert len(set(keys)) == 1
