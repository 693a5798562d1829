"""Load on a real server process: overhead, saturation, memory over thousands, growth.

    python scripts/bench_load.py overhead --seconds 60     # over an upstream of 50 ms
    python scripts/bench_load.py beside --other FOLDER       # another version, by turns
    python scripts/bench_load.py saturation --seconds 60     # twice what it can carry
    python scripts/bench_load.py throughput                  # beside no orchestrator
    python scripts/bench_load.py recovery                    # SIGKILL of the model server
    python scripts/bench_load.py soak --documents 5000       # megabytes for 1,000 documents
    python scripts/bench_load.py growth                      # 1 to 200 pages, 1 to 64 clients

Each starts its servers on free ports with a data folder of their own, prints its figures as JSON
and writes them to `--out FOLDER` as `<what>.json`; `scripts/plot_performance.py` draws and tables
them.
Artifacts are written and synced as always: `--data-folder` says on which disk (default: that of the
temporary folder). Overhead and saturation are open loops: requests come when they are due, whether
or not others were answered, and a latency counts from that moment. Everything else on the machine
should rest.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import psutil
import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from load import beside, growth, overhead, recovery, saturation, soak, throughput
from load.servers import SAMPLES, machine, stolen_share

_MEASURES = {
    "overhead": overhead.measure,
    "beside": beside.measure,
    "saturation": saturation.measure,
    "throughput": throughput.measure,
    "recovery": recovery.measure,
    "soak": soak.measure,
    "growth": growth.measure,
}
_CURVES = frozenset({"curves", "looks"})


def main() -> None:
    """Measure what is asked for."""
    options = _parser().parse_args()
    on, before = machine(), psutil.cpu_times()
    found = uvloop.run(_MEASURES[options.what](options))
    # A path's last part: where it lay on the machine is nobody's business.
    asked = {k: v.name if isinstance(v, Path) else v for k, v in vars(options).items()}
    on["stolen_share"] = stolen_share(before, psutil.cpu_times())
    report = {"asked": asked, "machine": on, **found}
    print(json.dumps({k: v for k, v in report.items() if k not in _CURVES}, indent=1))
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        written = json.dumps(report, indent=None, separators=(",", ":"))
        (options.out / f"{options.what}.json").write_text(written + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = parser.add_subparsers(dest="what", required=True)
    every = argparse.ArgumentParser(add_help=False)
    every.add_argument("--out", type=Path, help="folder for the JSON")
    every.add_argument("--data-folder", type=Path, help="below which DATA_ROOT is made")

    over = kinds.add_parser("overhead", parents=[every])
    over.add_argument("--document", type=Path, help="default: a page of two lines")
    over.add_argument("--rate", type=float, default=30.0, help="requests a second")
    over.add_argument("--seconds", type=float, default=60.0, help="of each of the two ways")
    over.add_argument("--block", type=float, default=5.0, help="seconds of one way at a time")
    over.add_argument("--latency-ms", type=float, default=50.0, help="of the upstream")
    over.add_argument("--even", action="store_true", help="evenly spaced, not by chance")

    turns = kinds.add_parser("beside", parents=[every])
    turns.add_argument("--other", type=Path, help="checkout whose code the other one runs")
    turns.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="for it")
    turns.add_argument("--document", type=Path, help="default: a page of two lines")
    turns.add_argument("--rate", type=float, default=30.0, help="requests a second")
    turns.add_argument("--clients", type=int, help="that never pause, in place of the rate")
    turns.add_argument("--rounds", type=int, default=12, help="pairs of blocks")
    turns.add_argument("--block", type=float, default=4.0, help="seconds of one at a time")
    turns.add_argument("--latency-ms", type=float, default=50.0, help="of the upstream")

    full = kinds.add_parser("saturation", parents=[every])
    full.add_argument("--document", type=Path, default=SAMPLES / "invoice_digital.pdf")
    full.add_argument("--times", type=float, default=2.0, help="the capacity that is offered")
    full.add_argument("--seconds", type=float, default=60.0)
    full.add_argument("--calibrate", type=float, default=10.0, help="seconds to find the capacity")

    kept = kinds.add_parser("throughput", parents=[every])
    kept.add_argument("--document", type=Path, default=SAMPLES / "invoice_digital.pdf")
    kept.add_argument("--latency-ms", type=float, default=5000.0, help="of the mock; 0: without")
    kept.add_argument("--url", default="", help="a real server, measured after the mock")
    kept.add_argument("--key", default="test")
    kept.add_argument("--model", default="small", help="as the real server names it")
    kept.add_argument("--name", default="vLLM on this CPU", help="of the real server, in the table")
    kept.add_argument("--context-tokens", type=int, default=4096, help="of the real server")
    kept.add_argument("--answer-tokens", type=int, default=256, help="of the real server, at most")
    kept.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    kept.add_argument("--seconds", type=float, default=120.0, help="of each way and clients")
    kept.add_argument("--block", type=float, default=40.0, help="seconds of one way at a time")
    kept.add_argument("--concurrency", type=int, help="EXTRACT_CONCURRENCY, if not the default")

    back = kinds.add_parser("recovery", parents=[every])
    back.add_argument("--document", type=Path, help="default: a page of two lines")
    back.add_argument("--rate", type=float, default=5.0, help="documents a second")
    back.add_argument("--down", type=float, default=5.0, help="seconds before it is started again")
    back.add_argument("--rounds", type=int, default=7, help="of each setting")

    long = kinds.add_parser("soak", parents=[every])
    long.add_argument("--documents", type=int, default=5000)

    grow = kinds.add_parser("growth", parents=[every])
    grow.add_argument("--document", type=Path, default=SAMPLES / "invoice_digital.pdf")
    grow.add_argument("--pages", type=int, nargs="+", default=[1, 2, 5, 10, 20, 50, 100, 200])
    grow.add_argument("--runs", type=int, default=3, help="of each number of pages")
    grow.add_argument("--clients", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32, 64])
    grow.add_argument("--seconds", type=float, default=8.0, help="of each number of clients")
    return parser


if __name__ == "__main__":
    main()
