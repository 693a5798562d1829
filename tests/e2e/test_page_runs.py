"""Many documents at once on the page: runs filtered, saved, read again, canceled, measured."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from fpdf import FPDF
from playwright.sync_api import Page, Route, expect
from playwright_page import until
from server_process import SCAN, ServerProcess, eventually
from test_page_accessibility import found_in

pytestmark = pytest.mark.slow
Visit = Callable[..., Page]
MANY = 11


def _receipt(path: Path, number: int) -> Path:
    """A receipt with a text layer: it is read in milliseconds."""
    pdf = FPDF(format=(80, 120))
    pdf.set_font("Helvetica", size=9)
    pdf.add_page()
    lines = ("Corner Shop Ltd", f"Receipt No {number:04d}", "Date: 17.03.2026", "Bread   2.40")
    for line in (*lines, "Milk   1.10", "TOTAL EUR   3.50", "Cash   3.50"):
        pdf.cell(0, 6, line, new_x="LMARGIN", new_y="NEXT")
    pdf.output(str(path))
    return path


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """More than are read singly, and one that is no document."""
    made = [_receipt(tmp_path / f"receipt-{at:02d}.pdf", at) for at in range(1, MANY + 1)]
    (tmp_path / "notes.pdf").write_bytes(b"these are no pages")
    return [*made, tmp_path / "notes.pdf"]


def _started(page: Page, files: list[Path]) -> str:
    """Send files and wait for their run; its id."""
    page.set_input_files("#files", [str(file) for file in files])
    page.wait_for_url(re.compile(r"#/runs/."))
    return page.url.rpartition("/")[2]


def _ended(page: Page, items: int) -> None:
    expect(page.get_by_role("button", name="Read again")).to_be_visible()
    expect(page.locator(".documents li")).to_have_count(items)


def test_many_files_become_a_run(
    served: ServerProcess, visit: Visit, files: list[Path], tmp_path: Path
) -> None:
    page = visit(served)
    run_id = _started(page, files)
    _ended(page, MANY + 1)
    run = served.client.get(f"/v1/runs/{run_id}").json()
    assert (run["item_count"], run["failed_count"]) == (MANY + 1, 1)
    rows = page.locator(".documents li")
    page.get_by_label("How it ended").select_option("failed")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("This is no document that can be read.")
    page.get_by_label("How it ended").select_option("")
    page.get_by_label("Search").fill("receipt-07")
    expect(rows).to_have_count(1)
    page.get_by_label("Search").fill("")
    expect(rows).to_have_count(MANY + 1)

    for name, magic in (("XLSX", b"PK"), ("CSV", b""), ("JSONL", b"{")):
        with page.expect_download() as saving:
            page.get_by_role("button", name=name).click()
        saving.value.save_as(tmp_path / name)
        assert saving.value.suggested_filename == f"{run_id}.{name.lower()}"
        content = (tmp_path / name).read_bytes()
        assert content.startswith(magic)
    assert len((tmp_path / "JSONL").read_text().splitlines()) == MANY + 1

    rows.filter(has_text="receipt-01.pdf").locator("a").click()
    page.locator(".sheet img").first.wait_for()
    expect(page.locator(".document-head .count")).to_have_text(f"1 / {MANY}")
    first = page.url
    page.locator(".document-head h2").click()
    page.keyboard.press("Alt+ArrowRight")
    page.wait_for_url(lambda url: url != first)
    expect(page.locator(".document-head")).to_contain_text("receipt-02.pdf")


def test_an_answer_that_was_overtaken_is_not_shown(
    served: ServerProcess, visit: Visit, files: list[Path]
) -> None:
    page = visit(served)
    _started(page, files)
    _ended(page, MANY + 1)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/items?status=failed", hold)
    page.get_by_label("How it ended").select_option("failed")
    until(page, lambda: held, "the first question")
    page.get_by_label("How it ended").select_option("ok")
    rows = page.locator(".documents li")
    expect(rows).to_have_count(MANY)
    with page.expect_event("requestfinished", lambda one: one.url.endswith("status=failed")):
        held[0].continue_()
    page.evaluate("() => new Promise((drawn) => setTimeout(drawn, 500))")
    expect(rows).to_have_count(MANY)


def test_a_zip_is_a_run_and_what_failed_is_read_again(
    served: ServerProcess, visit: Visit, files: list[Path], tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "march.zip", "w") as packed:
        for file in files[-3:]:
            packed.write(file, file.name)
    page = visit(served)
    _started(page, [tmp_path / "march.zip"])
    _ended(page, 3)
    before = served.client.get("/v1/runs").json()["runs"]
    page.get_by_label("Which").select_option("failed")
    page.get_by_role("button", name="Read again").click()
    page.wait_for_url(re.compile(r"#/runs$"))
    expect(page.locator(".run")).to_have_count(len(before) + 1)
    newest = served.client.get("/v1/runs").json()["runs"][0]
    assert newest["item_count"] == 1


def test_a_run_is_canceled(served: ServerProcess, visit: Visit, tmp_path: Path) -> None:
    scans = []
    for at in range(MANY):
        scans.append(tmp_path / f"scan-{at}.pdf")
        # Each of its own: what follows the end of a PDF is not read.
        scans[-1].write_bytes(SCAN.read_bytes() + b"\n%" + str(at).encode())
    page = visit(served)
    (worker,) = served.ocr_workers()
    worker.suspend()  # so that there is something left to cancel
    run_id = _started(page, scans)
    page.get_by_role("button", name="Cancel").click()
    job = eventually(
        lambda: next(
            (
                job
                for job in served.client.get("/v1/jobs").json()["jobs"]
                if job["run_id"] == run_id and job["status"] == "canceled"
            ),
            None,
        ),
        "a canceled job",
    )
    with suppress(psutil.NoSuchProcess):  # killed with its page, unless it had got none
        worker.resume()
    assert job["progress"]["done"] < MANY


def test_a_run_is_measured(
    served: ServerProcess, visit: Visit, files: list[Path], tmp_path: Path
) -> None:
    page = visit(served)
    _started(page, files)
    _ended(page, MANY + 1)
    assert found_in(page, "run") == []
    truth = [
        {"id": file.stem, "file": file.name, "fields": {"total": "3.50", "document_number": "X"}}
        for file in files[:3]
    ]
    (tmp_path / "truth.jsonl").write_text("\n".join(json.dumps(line) for line in truth))
    page.get_by_text("Measure this run").click()
    page.get_by_label("Truth").set_input_files(str(tmp_path / "truth.jsonl"))
    # Without a run nothing is measured: the list of them comes from the server.
    expect(page.locator("#eval-run")).not_to_have_value("")
    page.get_by_role("button", name="Measure").click()
    page.wait_for_url(re.compile(r"#/quality/[^/]+$"))
    expect(page.locator(".report .big")).to_contain_text("F1")
    total = page.locator(".report tbody tr", has_text="Total").first
    expect(total).to_contain_text("1.000")
    expect(page.locator(".report")).to_contain_text("3 mistakes")
    assert found_in(page, "report") == []
