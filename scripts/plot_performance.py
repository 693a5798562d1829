"""Draws what `scripts/bench_load.py` and `scripts/bench_peers.py` have measured, and tables it.

    python scripts/plot_performance.py docs/measurements docs

Each `<what>.json` of the first folder becomes `images/performance_<what>.svg` in the second, and
the table at its place in `performance.md`. The same figures give the same bytes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from load.tables import filled
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter

Report = Mapping[str, Any]
_WIDTH_IN, _HEIGHT_IN = 8.0, 3.0
# Legible on both themes of a page, and apart for those who do not tell red from green (Okabe, Ito).
_COLOURS = {"blue": "#0072b2", "orange": "#d55e00", "green": "#009e73", "grey": "#767676"}
_STYLE = {
    "svg.hashsalt": "performance",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "path.simplify": True,
    "path.simplify_threshold": 0.5,
    "legend.frameon": False,
}
# Of the axis that stretches the tail: each step of a decade halves what is left.
_TICKS = (50, 90, 99, 99.9)


def overhead(report: Report, figure: Figure) -> None:
    """The distributions of the same question asked straight, and through the orchestrator."""
    axes = figure.subplots()
    names = {
        "direct": ("straight to the upstream", "grey"),
        "own": ("through the orchestrator, reading of the document taken off", "blue"),
        "through": ("through the orchestrator", "orange"),
    }
    for name, (label, colour) in names.items():
        _tail(axes, report["curves"][name], label, colour)
    axes.set_xlabel("percentile of requests")
    axes.set_ylabel("milliseconds")
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper left")


def throughput(report: Report, figure: Figure) -> None:
    """The share of the throughput that is kept, by clients, of each upstream."""
    axes = figure.subplots()
    for way, colour in zip(report["ways"], ("blue", "orange"), strict=False):
        kept = [row["kept"]["value"] for row in way["rows"]]
        places = range(len(kept))
        axes.plot(places, kept, "o-", color=_COLOURS[colour], label=way["upstream"])
    clients = [row["clients"] for row in report["ways"][0]["rows"]]
    axes.set_xticks(range(len(clients)), [str(number) for number in clients])
    axes.axhline(0.95, color=_COLOURS["grey"], linestyle="--", label="wanted")
    axes.set_xlabel("clients that never pause")
    axes.set_ylim(0, 1.1)
    axes.legend(loc="lower left")


def saturation(report: Report, figure: Figure) -> None:
    """Latencies of what was accepted and of what was refused, beside those of an idle server."""
    axes = figure.subplots()
    names = {
        "alone": ("one client alone", "grey"),
        "accepted": ("accepted at twice the capacity", "blue"),
        "refused": ("refused", "orange"),
    }
    for name, (label, colour) in names.items():
        if name in report["curves"]:
            _tail(axes, report["curves"][name], label, colour)
    axes.set_xlabel("percentile of requests")
    axes.set_ylabel("milliseconds")
    axes.set_yscale("log")
    axes.legend(loc="upper left")


def soak(report: Report, figure: Figure) -> None:
    """Memory of the server and of its other processes over the documents."""
    own, workers = figure.subplots(1, 2)
    at = [look[0] for look in report["looks"]]
    own.plot(at, [look[1] for look in report["looks"]], color=_COLOURS["blue"])
    own.set_title("the server, MB")
    workers.plot(at, [look[2] for look in report["looks"]], color=_COLOURS["green"])
    workers.set_title("its OCR workers and field readers, MB")
    for axes in (own, workers):
        axes.set_ylim(bottom=0)
        axes.set_xlabel("documents")


def growth(report: Report, figure: Figure) -> None:
    """Time by the pages of a document; throughput and latency by clients."""
    by_pages, by_clients = figure.subplots(1, 2)
    pages = [row["pages"] for row in report["pages"]]
    by_pages.plot(pages, [row["p50"] for row in report["pages"]], "o-", color=_COLOURS["blue"])
    by_pages.set_xscale("log")
    by_pages.set_yscale("log")
    by_pages.set_xlabel("pages of a born-digital invoice")
    by_pages.set_ylabel("milliseconds")
    _plain(by_pages, pages)
    clients = [row["clients"] for row in report["clients"]]
    for quantile, colour in (("p50", "blue"), ("p99", "orange")):
        values = [row[quantile] for row in report["clients"]]
        by_clients.plot(clients, values, "o-", color=_COLOURS[colour], label=f"{quantile}, ms")
    rates = [row["answered_per_s"] for row in report["clients"]]
    by_clients.plot(clients, rates, "s--", color=_COLOURS["green"], label="answers a second")
    by_clients.set_xscale("log")
    by_clients.set_yscale("log")
    by_clients.set_xlabel("clients that never pause")
    by_clients.legend()
    _plain(by_clients, clients)


def peers(report: Report, figure: Figure) -> None:
    """F1 and seconds of each engine."""
    accuracy, speed = figure.subplots(1, 2)
    names = [name.partition(" ")[0] for name in report["engines"]]
    rows = list(report["engines"].values())
    places = range(len(names))
    accuracy.barh(places, [row["exact"] for row in rows], color=_COLOURS["blue"])
    accuracy.set_xlabel("exact micro-F1 after the same rules")
    accuracy.set_xlim(0, 1)
    speed.barh(places, [row["ocr_s"] for row in rows], color=_COLOURS["orange"])
    speed.set_xlabel("seconds an image, median")
    for axes in (accuracy, speed):
        axes.set_yticks(places, names)
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)


PLOTS: Mapping[str, Callable[[Report, Figure], None]] = {
    "overhead": overhead,
    "throughput": throughput,
    "saturation": saturation,
    "soak": soak,
    "growth": growth,
    "peers": peers,
}


def draw(what: str, report: Report, target: Path) -> None:
    """Write one plot."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH_IN, _HEIGHT_IN), layout="constrained")
        PLOTS[what](report, figure)
        figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})


def _tail(axes: Axes, curve: list[list[float]], label: str, colour: str) -> None:
    """A distribution over 1 / (1 - p), on which 90, 99 and 99.9 stand equally far apart."""
    shown = [(percentile, value) for percentile, value in curve if percentile <= _TICKS[-1]]
    at = [1 / (1 - percentile / 100) for percentile, _ in shown]
    axes.plot(at, [value for _, value in shown], color=_COLOURS[colour], label=label)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator([1 / (1 - tick / 100) for tick in _TICKS]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"p{tick:g}" for tick in _TICKS])


def _plain(axes: Axes, ticks: list[int]) -> None:
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(ScalarFormatter())


def main() -> None:
    """Draw everything that is there, and fill the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("measurements", type=Path)
    parser.add_argument("docs", type=Path)
    options = parser.parse_args()
    reports = {
        file.stem: json.loads(file.read_text(encoding="utf-8"))
        for file in sorted(options.measurements.glob("*.json"))
    }
    for what in PLOTS.keys() & reports.keys():
        draw(what, reports[what], options.docs / "images" / f"performance_{what}.svg")
    page = options.docs / "performance.md"
    page.write_text(filled(page.read_text(encoding="utf-8"), reports), encoding="utf-8")


if __name__ == "__main__":
    main()
