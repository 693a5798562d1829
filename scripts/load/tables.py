"""Measurements as Markdown tables, and their places in a page."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Report = Mapping[str, Any]
_NOT_MEASURED = "Not measured yet."
_PLACE = re.compile(r"(<!-- measured: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(page: str, reports: Mapping[str, Report]) -> str:
    """The page with each place between `<!-- measured: what -->` and `<!-- end -->` filled."""

    def place(found: re.Match[str]) -> str:
        what = found[2]
        if what not in reports:
            return f"{found[1]}{_NOT_MEASURED}\n{found[3]}"
        picture = f"![{PICTURES[what]}](images/performance_{what}.svg)"
        return f"{found[1]}{TABLES[what](reports[what])}\n\n{picture}\n{found[3]}"

    return _PLACE.sub(place, page)


def overhead(report: Report) -> str:
    """Quantiles of both ways and of what lies between them."""
    direct, through, parts = report["direct"], report["through"], report["stations"]
    rows = [
        ("straight to the upstream", *_both(direct)),
        ("through the orchestrator", *_both(through)),
        ("difference, all of it", *_with_interval(report["whole_overhead"])),
        ("of it reading the document", *_both(parts["reading"])),
        ("**the orchestrator's own**", *_with_interval(report["own_overhead"])),
        ("of it storing the artifact (`timings_ms.store`)", *_both(parts["store"])),
        ("two disk syncs and nothing else, one at a time", *_both(report["syncs"])),
    ]
    said = (
        f"{through['n']} requests each way at {report['asked']['rate']:g} a second "
        f"(sent at most {report['late_ms_p99']:g} ms late, p99)."
    )
    return "\n\n".join((_ran_on(report, said), _table(("milliseconds", "p50", "p99"), rows)))


def saturation(report: Report) -> str:
    """What was offered, kept and refused."""
    accepted, refused, alone = (report[name] for name in ("accepted", "refused", "alone"))
    rows = [
        ("capacity (clients that never pause)", f"{report['capacity_per_s']:g} a second"),
        ("offered", f"{report['offered_per_s']:g} a second"),
        ("answered", f"{report['answered_per_s']:g} a second"),
        ("throughput kept", f"{report['throughput_kept']:.2f} of the capacity"),
        ("one client alone, p50 / p99", _p50_p99(alone)),
        ("accepted, p50 / p99", _p50_p99(accepted)),
        ("refused", f"{report['refused_share']:.1%} of the requests"),
        ("a refusal, p50 / p99", _p50_p99(refused)),
        ("refusals without `Retry-After`", str(report["refused_without_retry_after"])),
        ("statuses", ", ".join(f"{k}: {v}" for k, v in report["statuses"].items())),
        ("accepted without their artifact", str(report["accepted_without_artifact"])),
    ]
    return "\n\n".join((_ran_on(report), _table(("what", "figure"), rows)))


def throughput(report: Report) -> str:
    """A row an upstream and number of clients."""
    rows = [
        (
            way["upstream"],
            row["clients"],
            row["direct_per_s"],
            row["through_per_s"],
            "{value:.3f} ({low:.3f} to {high:.3f})".format(**row["kept"]),
            row["direct"]["n"] + row["through"]["n"],
        )
        for way in report["ways"]
        for row in way["rows"]
    ]
    head = ("upstream", "clients", "straight, a second", "through", "kept (95 %)", "answers")
    return "\n\n".join((_ran_on(report), _table(head, rows)))


def soak(report: Report) -> str:
    """Memory and its slope."""
    rows = [
        (
            name,
            f"{report[key]['first']:.0f} MB",
            f"{report[key]['last']:.0f} MB",
            _interval(report[f"{key}_per_1000"]),
        )
        for name, key in (
            ("the server", "server_mb"),
            ("its OCR workers and field readers", "workers_mb"),
        )
    ]
    said = (
        f"{report['documents']} documents in {report['seconds']:.0f} s, "
        f"{report['artifacts']} artifacts; slopes from document {report['after_documents']} on."
    )
    head = ("memory", "at first", "at the end", "MB for 1,000 documents")
    return "\n\n".join((_ran_on(report, said), _table(head, rows)))


def growth(report: Report) -> str:
    """A row a number of pages, and one a number of clients."""
    pages = [
        (
            row["pages"],
            _ms(row["p50"]),
            _ms(row["ms_a_page"]),
            f"{row['lines_found']}/{row['lines']}",
        )
        for row in report["pages"]
    ]
    clients = [
        (
            row["clients"],
            row["answered_per_s"],
            _ms(row["p50"]),
            _ms(row["p99"]),
            row["not_answered"],
        )
        for row in report["clients"]
    ]
    return "\n\n".join(
        (
            _ran_on(report),
            _table(("pages", "ms, median", "ms a page", "lines found"), pages),
            _table(("clients", "answers a second", "p50, ms", "p99, ms", "not answered"), clients),
        )
    )


def peers(report: Report) -> str:
    """A row an engine."""
    rows = [
        (
            name,
            f"{row['exact']:.3f}",
            f"{row['relaxed']:.3f}",
            _f1_interval(row["exact_beside_first"]),
            f"{row['ocr_s']:.2f}",
            f"{row['ocr_cpu_s']:.2f}",
        )
        for name, row in report["engines"].items()
    ]
    head = ("engine", "exact F1", "relaxed", "less ours (95 %)", "s an image", "CPU s an image")
    said = f"{report['documents']} documents."
    return "\n\n".join((_ran_on(report, said), _table(head, rows)))


TABLES: Mapping[str, Callable[[Report], str]] = {
    "overhead": overhead,
    "throughput": throughput,
    "saturation": saturation,
    "soak": soak,
    "growth": growth,
    "peers": peers,
}


PICTURES: Mapping[str, str] = {
    "overhead": "Latency of the same question, straight and through the orchestrator",
    "throughput": "Answers a second through the orchestrator as a share of those asked straight",
    "saturation": "Latency of accepted and of refused requests at twice the capacity",
    "soak": "Memory of the server and of its other processes over the documents",
    "growth": "Time by pages; latency and throughput by clients",
    "peers": "F1 and seconds an image of each engine",
}


def _ran_on(report: Report, said: str = "") -> str:
    machine = report["machine"]
    place = f"{machine['processor']}, {machine['cores']} cores, Python {machine['python']}"
    at = f"at {machine['commit']}, load {machine['load_before']:g} before the run"
    stolen = machine.get("stolen_share")  # not measured in reports of before
    others = "" if stolen is None else f", {stolen:.1%} of the time wanted taken by other machines"
    return f"{said} {place}; {at}{others}.".strip()


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _ms(value: float) -> str:
    return f"{value:.1f}"


def _both(found: Report) -> tuple[str, str]:
    return _ms(found["p50"]), _ms(found["p99"])


def _p50_p99(found: Report) -> str:
    return f"{_ms(found['p50'])} / {_ms(found['p99'])} ms" if found["n"] else "none"


def _interval(found: Report) -> str:
    return f"{found['value']:.2f} ({found['low']:.2f} to {found['high']:.2f})"


def _with_interval(found: Report) -> tuple[str, str]:
    return _interval(found["p50"]), _interval(found["p99"])


def _f1_interval(found: Sequence[float] | None) -> str:
    return "" if found is None else "{:+.3f} ({:+.3f} to {:+.3f})".format(*found)
