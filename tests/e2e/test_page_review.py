"""The page in a real browser: upload, boxes, keys, sums, corrections, files."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from playwright_page import said, until
from server_process import ROOT, SCAN, ServerProcess

pytestmark = pytest.mark.slow
DIGITAL = ROOT / "samples" / "invoice_digital.pdf"
Visit = Callable[..., Page]


def upload(page: Page, *files: Path) -> None:
    """Choose files and wait until all are read."""
    before = page.locator(".documents li").count()
    page.set_input_files("#files", [str(file) for file in files])
    done = page.locator(".documents li:is(.fine, .open, .failed)")
    expect(done).to_have_count(before + len(files))


def opened(page: Page, name: str) -> str:
    """Open a document of the list; its request id."""
    page.locator(".documents li", has_text=name).locator("a.whole").click()
    page.locator(".field").first.wait_for()
    return page.url.rpartition("/")[2]


def field(page: Page, name: str) -> Locator:
    """The row of a field."""
    return page.locator(f'.field[data-field="{name}"]')


def image_shown(page: Page) -> Locator:
    """Wait for the first page's image."""
    image = page.locator(".sheet img").first
    image.wait_for()
    assert image.evaluate("image => image.naturalWidth") >= 600, "shown when it is decoded"
    return image


def test_from_the_upload_to_a_corrected_export(
    served: ServerProcess, visit: Visit, tmp_path: Path
) -> None:
    page = visit(served)
    upload(page, DIGITAL)
    request_id = opened(page, DIGITAL.name)
    image_shown(page)
    expect(page.locator(".overlay .box").nth(20)).to_be_attached()

    field(page, "total").hover()
    lit = page.locator(".overlay .box.lit")
    expect(lit).to_have_count(1)
    page.locator(".document-head h2").hover()
    expect(lit).to_have_count(0)  # out again when the pointer leaves
    field(page, "document_number").hover()
    expect(lit).to_have_count(1)
    box = lit.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(field(page, "document_number")).to_have_class(re.compile("lit"))

    field(page, "vendor_name").locator("input").fill("Atelier Boisclair & Fils")
    page.keyboard.press("Control+s")
    said(page, "Saved")
    kept = served.client.get(f"/v1/extracts/{request_id}/corrections").json()
    assert [one["fields"] for one in kept["corrections"]] == [
        {"vendor_name": "Atelier Boisclair & Fils"}
    ]

    page.get_by_text("Export").click()
    with page.expect_download() as saving:
        page.get_by_text("CSV, as it stands here").click()
    saving.value.save_as(tmp_path / "out.csv")
    assert saving.value.suggested_filename == "invoice_digital.csv"
    rows = dict(csv.reader((tmp_path / "out.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert rows["vendor_name"] == "Atelier Boisclair & Fils"
    assert rows["total"] == "13152.90"
    page.get_by_text("Export").click()
    with page.expect_download() as saving:
        page.get_by_text("JSON, as it stands here").click()
    saving.value.save_as(tmp_path / "out.json")
    text = (tmp_path / "out.json").read_text()
    assert '"total": 13152.90' in text
    assert json.loads(text)["vendor_name"] == "Atelier Boisclair & Fils"


def test_an_invoice_is_saved_as_an_einvoice(
    served: ServerProcess, visit: Visit, tmp_path: Path
) -> None:
    page = visit(served)
    upload(page, DIGITAL)
    opened(page, DIGITAL.name)
    field(page, "document_number").locator("input").fill("FA-CORRECTED-1")
    page.get_by_text("Export").click()
    with page.expect_download() as saving:
        page.get_by_text("E-invoice, UBL 2.1").click()
    saving.value.save_as(tmp_path / "out.xml")
    assert "FA-CORRECTED-1" in (tmp_path / "out.xml").read_text()
    said(page, "e-invoice")


def test_doubtful_fields_by_keyboard_alone(served: ServerProcess, visit: Visit) -> None:
    page = visit(served)
    upload(page, SCAN, DIGITAL)
    request_id = opened(page, SCAN.name)
    image_shown(page)
    doubtful = page.locator('[data-part="doubtful"] .field')
    expect(doubtful.nth(1)).to_be_visible()
    names = [row.get_attribute("data-field") or "" for row in doubtful.all()]
    expect(field(page, names[0]).locator("input")).to_be_focused()
    # Which of them is the least sure differs between processors: the OCR engine's arithmetic does.
    order = field(page, "purchase_order")
    place = names.index("purchase_order")
    for _ in range(place):
        page.keyboard.press("Tab")
    expect(order.locator("input")).to_be_focused()

    page.keyboard.press("Alt+2")
    expect(order.locator("input")).to_have_value("C-10482")
    page.keyboard.press("Escape")
    expect(order.locator("input")).to_have_value("PO-77215")
    page.keyboard.press("Enter")
    expect(order).to_have_attribute("data-state", "confirmed")
    following = [*names[place + 1 :], *names[:place]][0]
    expect(field(page, following).locator("input")).to_be_focused()
    page.keyboard.press("Control+Enter")

    page.wait_for_url(lambda url: request_id not in url)
    fields = served.client.get(f"/v1/extracts/{request_id}/corrections").json()["corrections"]
    assert [one["fields"] for one in fields] == [{"purchase_order": "PO-77215"}]
    # Keys are the next document's once it is shown.
    expect(page.locator(".document-head")).to_contain_text(DIGITAL.name)
    page.keyboard.press("Alt+ArrowLeft")
    page.wait_for_url(lambda url: request_id in url)
    expect(order).to_have_attribute("data-state", "kept")


def test_what_went_wrong_is_said_until_it_is_right(served: ServerProcess, visit: Visit) -> None:
    page = visit(served)
    upload(page, SCAN)
    opened(page, SCAN.name)
    image_shown(page)
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight"), "panels scroll"
    problem = page.locator(".notice.bad")
    date = field(page, "issue_date").locator("input")
    date.fill("some day")
    page.keyboard.press("Control+s")
    expect(problem).to_contain_text("does not fit")
    date.fill("2026-04-15")
    page.keyboard.press("Control+s")
    said(page, "Saved.")
    expect(problem).to_have_count(0)
    date.fill("another day")
    page.keyboard.press("Control+s")
    expect(problem).to_have_count(1)
    page.once("dialog", lambda dialog: dialog.accept())
    page.locator('.top a[href="#/runs"]').click()
    page.wait_for_url(re.compile(r"#/runs$"))
    expect(problem).to_have_count(0)


def test_words_of_the_page_fill_the_field_that_waits(served: ServerProcess, visit: Visit) -> None:
    page = visit(served)
    upload(page, DIGITAL)
    request_id = opened(page, DIGITAL.name)
    sheet = image_shown(page).bounding_box()
    assert sheet is not None
    words = served.client.get(f"/v1/extracts/{request_id}/words").json()["words"]
    boxes = served.client.get(f"/v1/extracts/{request_id}").json()["fields"].values()
    free = [word for word in words[:40] if word["text"].isalpha() and not _is_boxed(word, boxes)]

    def click(word: dict[str, list[list[float]]], **how: str) -> None:
        (left, top), _, (right, bottom), _ = word["polygon"]
        x = sheet["x"] + sheet["width"] * (left + right) / 2
        y = sheet["y"] + sheet["height"] * (top + bottom) / 2
        if how:
            page.keyboard.down("Shift")
        page.mouse.click(x, y)
        if how:
            page.keyboard.up("Shift")

    name = field(page, "vendor_name").locator("input")
    name.focus()
    click(free[0])
    expect(name).to_have_value(free[0]["text"])
    expect(name).to_be_focused()
    click(free[1], key="Shift")
    expect(name).to_have_value(f"{free[0]['text']} {free[1]['text']}")
    total = field(page, "total").locator("input")
    total.focus()
    click(free[0])
    expect(field(page, "total")).to_have_attribute("data-state", "wrong")
    expect(field(page, "total").locator(".note")).to_have_text("This is not a number.")


def _is_boxed(word: dict[str, list[list[float]]], fields: object) -> bool:
    (left, top), _, (right, bottom), _ = word["polygon"]
    x, y = (left + right) / 2, (top + bottom) / 2
    for one in fields:  # type: ignore[attr-defined]
        if one["polygon"]:
            xs, ys = zip(*one["polygon"], strict=True)
            if min(xs) - 0.01 <= x <= max(xs) + 0.01 and min(ys) - 0.01 <= y <= max(ys) + 0.01:
                return True
    return False


def test_items_add_up_while_one_types(served: ServerProcess, visit: Visit) -> None:
    page = visit(served)
    upload(page, DIGITAL)
    request_id = opened(page, DIGITAL.name)
    read = served.client.get(f"/v1/extracts/{request_id}").json()["result"]["line_items"]
    grid = page.locator(".table-part", has_text="Items").locator("table")
    amounts = grid.locator('[data-column="amount"]')
    expect(amounts).to_have_count(len(read))
    shown_sum = grid.locator("tfoot td.number").last
    sum_before = shown_sum.inner_text()

    amounts.first.fill("1000000.01")
    expect(shown_sum).not_to_have_text(sum_before)
    failed = page.locator(".checks.live .failed")
    expect(failed.first).to_contain_text("≠")
    expect(amounts.first).to_have_class(re.compile("unequal"))
    amounts.first.fill(str(read[0]["amount"]))
    expect(failed).to_have_count(0)
    expect(page.locator(".checks.live .passed").first).to_contain_text("=")

    amounts.last.press("Enter")
    expect(amounts).to_have_count(len(read) + 1)
    expect(amounts.last).to_be_focused()
    page.keyboard.type("12,50")
    page.keyboard.press("Control+s")
    said(page, "Saved")
    kept = served.client.get(f"/v1/extracts/{request_id}/corrections").json()["result"]
    assert len(kept["line_items"]) == len(read) + 1
    assert kept["line_items"][-1]["amount"] == 12.5
    assert kept["line_items"][-1]["description"] is None


def test_another_task_reads_it_again_side_by_side(served: ServerProcess, visit: Visit) -> None:
    page = visit(served)
    upload(page, DIGITAL)
    opened(page, DIGITAL.name)
    page.get_by_text("Export").click()
    page.get_by_text("Read again and compare").click()
    page.get_by_label("Read as").select_option("receipt_fields_v1")
    page.get_by_role("button", name="Read again").click()
    expect(page.locator(".comparison .differs").first).to_be_visible()
    head = page.locator(".comparison thead th").all_inner_texts()
    assert head[1].startswith("Invoice,")
    assert head[2].startswith("Receipt,")
    page.get_by_text("Open the second reading").click()
    expect(page.locator(".facts")).to_contain_text("receipt_fields_v1")


def test_a_document_that_comes_again_is_told(served: ServerProcess, visit: Visit) -> None:
    page = visit(served)
    upload(page, DIGITAL)
    first = opened(page, DIGITAL.name)
    page.goto(f"{served.url}/#/")
    expect(page.locator(".documents li")).to_have_count(1)
    upload(page, DIGITAL)
    page.locator(".documents a.whole").first.click()
    expect(page.locator(".panel")).to_contain_text("This may have been read before")
    assert page.locator(f'.verdict a[href="#/documents/{first}"]').count() <= 1
    page.locator(".verdict a").first.click()
    expect(page.locator(".document-head")).to_be_visible()


def test_leaving_with_unsaved_changes_is_asked_about(served: ServerProcess, visit: Visit) -> None:
    page = visit(served)
    upload(page, DIGITAL)
    request_id = opened(page, DIGITAL.name)
    field(page, "vendor_name").locator("input").fill("Changed")
    asked: list[str] = []
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    page.get_by_role("link", name="Settings").click()
    until(page, lambda: asked, "the question")
    expect(page).to_have_url(re.compile(f"{request_id}$"))
    expect(field(page, "vendor_name").locator("input")).to_have_value("Changed")
    assert asked == ["Leave without saving what you changed?"]


def test_the_page_speaks_russian(served: ServerProcess, visit: Visit) -> None:
    page = visit(served, locale="ru-RU")
    expect(page.locator(".drop h2")).to_have_text("Добавьте чеки и счета")
    assert page.locator("html").get_attribute("lang") == "ru"
    page.get_by_role("link", name="Настройки").click()
    with page.expect_navigation():
        page.get_by_label("Язык").select_option("en")
    expect(page.locator("h2")).to_have_text("Settings")
