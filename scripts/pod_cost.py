"""What a sprint on a rented GPU cost, and how many pages a dollar read.

    python scripts/pod_cost.py --model Qwen/Qwen2.5-VL-7B-Instruct --hours 6.5 --pages 18250
    python scripts/pod_cost.py --model NAME --started 2026-11-21T08:00Z --metrics http://127.0.0.1:8001/metrics

The price is the model card's unless --price says otherwise. Pages come from --pages, or from
`tilt_pages_total` of the inference service's metrics; vLLM counts requests and tokens, not pages,
so for it --pages-per-request (1) is multiplied. --volume-gb adds the network volume for that time.
"""

from __future__ import annotations

import argparse
import sys
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from lib.errors import Error
from lib.kie.models.card_files import load_cards

ROOT = Path(__file__).resolve().parents[1]
# RunPod's network volumes: $0.07 a GB and month of 730 hours; --volume-price where it differs.
VOLUME_PRICE_MONTH = Decimal("0.07")
HOURS_OF_A_MONTH = Decimal(730)


@dataclass(frozen=True)
class Sprint:
    """Hours of the GPU, dollars an hour, and what was read meanwhile."""

    hours: Decimal
    price_per_hour: Decimal
    pages: int
    volume_gb: Decimal = Decimal(0)
    volume_price_month: Decimal = VOLUME_PRICE_MONTH

    @property
    def gpu_cost(self) -> Decimal:
        """Dollars for the GPU."""
        return self.hours * self.price_per_hour

    @property
    def volume_cost(self) -> Decimal:
        """Dollars for the network volume over the same hours; it costs between sprints as well."""
        return self.hours / HOURS_OF_A_MONTH * self.volume_gb * self.volume_price_month

    @property
    def cost(self) -> Decimal:
        """Dollars for both."""
        return self.gpu_cost + self.volume_cost

    def lines(self) -> list[str]:
        """The report."""
        found = [
            f"GPU      {self.hours:.2f} h x ${self.price_per_hour}/h = ${self.gpu_cost:.2f}",
            f"volume   {self.volume_gb} GB = ${self.volume_cost:.2f}",
            f"together ${self.cost:.2f} for {self.pages} pages",
        ]
        if self.cost and self.pages:
            found.append(
                f"         {self.pages / self.cost:.0f} pages a dollar, "
                f"${self.cost / self.pages * 1000:.3f} a thousand pages"
            )
        return found


def main() -> None:
    """Print the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--price", type=Decimal, help="dollars an hour; default: the model card's")
    time = parser.add_mutually_exclusive_group(required=True)
    time.add_argument("--hours", type=Decimal)
    time.add_argument("--started", type=datetime.fromisoformat, help="until now")
    read = parser.add_mutually_exclusive_group(required=True)
    read.add_argument("--pages", type=int)
    read.add_argument("--metrics", help="address or file of the server's metrics")
    parser.add_argument("--pages-per-request", type=Decimal, default=Decimal(1))
    parser.add_argument("--volume-gb", type=Decimal, default=Decimal(0))
    parser.add_argument("--volume-price", type=Decimal, default=VOLUME_PRICE_MONTH)
    options = parser.parse_args()
    pages = options.pages
    if pages is None:
        pages = pages_in(text_of(options.metrics), options.pages_per_request)
    sprint = Sprint(
        hours=options.hours if options.hours is not None else hours_since(options.started),
        price_per_hour=card_price(options.model) if options.price is None else options.price,
        pages=pages,
        volume_gb=options.volume_gb,
        volume_price_month=options.volume_price,
    )
    print("\n".join(sprint.lines()))


def card_price(model: str) -> Decimal:
    """Dollars an hour from the model's card."""
    try:
        cards = load_cards(ROOT / "configs" / "models", ROOT / "configs" / "prompts")
        return Decimal(str(cards.for_model(model).price_per_hour))
    except Error as error:
        sys.exit(error.message)


def hours_since(started: datetime) -> Decimal:
    """Hours from `started` (UTC where it names no zone) to now."""
    start = started if started.tzinfo else started.replace(tzinfo=UTC)
    return Decimal((datetime.now(UTC) - start).total_seconds()) / 3600


def text_of(source: str) -> str:
    """Prometheus' text, from an address or a file."""
    if not source.startswith(("http://", "https://")):
        return Path(source).read_text(encoding="utf-8")
    with urllib.request.urlopen(source, timeout=10) as answer:
        body: bytes = answer.read()
        return body.decode()


def pages_in(metrics: str, pages_per_request: Decimal) -> int:
    """Pages that the server has read since it started."""
    sums = {"tilt_pages_total": Decimal(0), "vllm:request_success_total": Decimal(0)}
    for line in metrics.splitlines():
        name = line.partition("{")[0].partition(" ")[0]
        if name in sums:
            sums[name] += Decimal(line.rpartition(" ")[2])
    requests = sums["vllm:request_success_total"]
    return int(sums["tilt_pages_total"] + requests * pages_per_request)


if __name__ == "__main__":
    main()
