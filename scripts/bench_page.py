"""Speed of the page in headless Chromium: its start, what it transfers, frames of a long document.

    scripts/bench_page.py [--url http://127.0.0.1:8000] [--runs 5]

Without --url it starts a server of its own. Figures: milliseconds from the start of the navigation
until the page takes a document (median, most), bytes transferred until then with an empty cache,
and for an invoice of 60 lines the times between frames while pages and panel are scrolled and
fields lit, with the longest task of the main thread out of the browser's trace.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fpdf import FPDF
from playwright.sync_api import Browser, Page, expect, sync_playwright

LINES = 60
_TASK = "RunTask"
_SCROLL_AND_LIGHT = """async () => {
  const frames = [];
  const pages = document.querySelector(".pages"), panel = document.querySelector(".panel");
  const fields = [...document.querySelectorAll("[data-field]")];
  let last = await new Promise(requestAnimationFrame);
  for (let step = 0; step < 240; step++) {
    pages.scrollTop = (step / 240) * pages.scrollHeight;
    panel.scrollTop = (step / 240) * panel.scrollHeight;
    fields[step % fields.length].dispatchEvent(new MouseEvent("mouseover", { bubbles: true }));
    const now = await new Promise(requestAnimationFrame);
    frames.push(now - last);
    last = now;
  }
  return frames;
}"""


@contextmanager
def own_server() -> Iterator[str]:
    """A server on a free port with a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("ocr"), "serve", "--port", "0"],
            env={"DATA_ROOT": folder, "PATH": "/usr/bin:/bin", "HOME": folder},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[2]
        finally:
            process.terminate()
            process.wait(60)


def long_invoice(path: Path) -> Path:
    """An invoice of `LINES` lines with five cells each."""
    pdf = FPDF()
    pdf.set_font("Helvetica", size=10)
    pdf.add_page()
    for text in ("Invoice", "Long Works Ltd", "Invoice No: LW-60", "Invoice date: 2026-03-17"):
        pdf.cell(0, 7, text, new_x="LMARGIN", new_y="NEXT")
    widths = (20, 70, 20, 30, 30)
    rows = [("Pos", "Description", "Qty", "Unit price", "Amount")]
    rows += [(str(at), f"Part of kind {at}", "2", "10.00", "20.00") for at in range(1, LINES + 1)]
    for row in rows:
        for width, text in zip(widths, row, strict=True):
            pdf.cell(width, 7, text)
        pdf.ln()
    for text in (f"Subtotal EUR {LINES * 20}.00", "VAT 0 % 0.00", f"Total EUR {LINES * 20}.00"):
        pdf.cell(0, 7, text, new_x="LMARGIN", new_y="NEXT")
    pdf.output(str(path))
    return path


def start(browser: Browser, url: str) -> tuple[float, int]:
    """Milliseconds until it is interactive, and bytes transferred, with an empty cache."""
    context = browser.new_context()
    page = context.new_page()
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    sizes: list[int] = []
    network.on("Network.loadingFinished", lambda one: sizes.append(int(one["encodedDataLength"])))
    page.goto(url)
    page.locator(".drop").wait_for()
    page.wait_for_load_state("networkidle")
    taken = page.evaluate("() => performance.getEntriesByName('interactive')[0].startTime")
    context.close()
    return float(taken), sum(sizes)


def frames(browser: Browser, page: Page, folder: Path) -> tuple[list[float], float, int]:
    """Milliseconds between frames, the longest task of the trace, and how many boxes are lit."""
    trace = folder / "trace.json"
    browser.start_tracing(page=page, path=trace, categories=["toplevel", "devtools.timeline"])
    times: list[float] = page.evaluate(_SCROLL_AND_LIGHT)
    browser.stop_tracing()
    events: list[dict[str, Any]] = json.loads(trace.read_text())["traceEvents"]
    # The thread that runs the page's tasks is the one that lays it out.
    threads = {one["tid"] for one in events if one["name"] == "UpdateLayoutTree"}
    tasks = [
        one.get("dur", 0) for one in events if one["name"].endswith(_TASK) and one["tid"] in threads
    ]
    return times, max(tasks, default=0) / 1000, page.locator(".overlay .box").count()


def open_document(page: Page, url: str, folder: Path) -> None:
    """Have the long invoice read and show it."""
    page.goto(url)
    page.locator(".drop").wait_for()
    page.set_input_files("#files", str(long_invoice(folder / "long.pdf")))
    expect(page.locator(".documents li:is(.fine, .open)")).to_have_count(1, timeout=120_000)
    page.locator(".documents a.whole").click()
    page.locator(".sheet img").first.wait_for()
    time.sleep(1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url")
    parser.add_argument("--runs", type=int, default=5)
    asked = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as place:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        if asked.url:
            measure(browser, asked.url, Path(place), asked.runs)
        else:
            with own_server() as url:
                measure(browser, url, Path(place), asked.runs)
        browser.close()


def measure(browser: Browser, url: str, folder: Path, runs: int) -> None:
    """All figures of one server."""
    start(browser, url)
    starts = [start(browser, url) for _ in range(runs)]
    times = [taken for taken, _ in starts]
    print(
        f"interactive after {statistics.median(times):.0f} ms (median of {runs}), "
        f"{max(times):.0f} ms at most"
    )
    print(f"transferred before the first document: {starts[0][1] / 1000:.0f} kB")
    page = browser.new_page(viewport={"width": 1360, "height": 850})
    open_document(page, url, folder)
    taken, longest, boxes = frames(browser, page, folder)
    cuts = statistics.quantiles(taken, n=100)
    print(
        f"document with {boxes} boxes: frames p50 {cuts[49]:.1f} ms, p95 {cuts[94]:.1f} ms, "
        f"longest {max(taken):.1f} ms; longest task of the main thread {longest:.1f} ms"
    )


if __name__ == "__main__":
    main()
