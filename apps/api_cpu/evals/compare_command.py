"""`ocr evals`: what is done with evaluations that were kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from apps.api_cpu import console
from apps.api_cpu.evals.html_report import comparison_page
from apps.api_cpu.wire import load_stored
from lib.evaluation.comparison import Compared, Comparison, Outcomes, compare
from lib.evaluation.outcome import Outcome

evals_commands = typer.Typer(
    help="Evaluations that were kept.", no_args_is_help=True, add_completion=False
)
_COLUMNS = ("field", "n", "F1 A", "F1 B", "B - A", "from", "to", "only A", "only B", "p")


@evals_commands.callback()
def evals() -> None:
    """Evaluations that were kept."""


@evals_commands.command("compare")
def compare_command(
    a: Annotated[Path, typer.Argument(help="The evaluation before: `evals/.../<eval_id>.json`.")],
    b: Annotated[Path, typer.Argument(help="The evaluation after.")],
    relaxed: Annotated[bool, typer.Option(help="Letters and digits only.")] = False,
    html: Annotated[Path | None, typer.Option(help="Also write a page with the changes.")] = None,
) -> None:
    """Compare two evaluations of the same documents, field by field, with significance."""
    before, after = _load(a), _load(b)
    comparison = compare(_outcomes(before, a), _outcomes(after, b), relaxed=relaxed)
    if not comparison.documents:
        raise console.stopped("the two evaluations have no document in common")
    if before.get("truth_sha256") != after.get("truth_sha256"):
        console.err.print("the truth files differ: fields that both judge are compared")
    console.out.print(_table(comparison))
    console.out.print(f"{comparison.documents} documents, {len(comparison.changes)} changes")
    if html is not None:
        rule = "letters and digits (relaxed)" if relaxed else "exact"
        page = comparison_page(comparison, before, after, rule)
        try:
            html.write_text(page, "utf-8")
        except OSError:
            raise console.stopped(f"{html} cannot be written") from None
        console.out.print(f"written to {html}", markup=False)


def _load(path: Path) -> Mapping[str, Any]:
    try:
        content = load_stored(path.read_bytes())
    except (OSError, ValueError):
        raise console.stopped(f"{path} is no evaluation that can be read") from None
    if not isinstance(content, dict) or "eval_id" not in content:
        raise console.stopped(f"{path} is no evaluation")
    return content


def _outcomes(content: Mapping[str, Any], path: Path) -> Outcomes:
    """How each judged field ended, by document id."""
    try:
        return {
            item["id"]: {name: Outcome(found) for name, found in item["outcomes"].items()}
            for item in content["items"]
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        raise console.stopped(
            f"{path} was made by a version that kept no outcomes: evaluate again"
        ) from None


def _table(comparison: Comparison) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in _COLUMNS:
        table.add_column(name, justify="left" if name == "field" else "right", no_wrap=True)
    for one in (*comparison.fields, comparison.micro):
        table.add_row(*_cells(one))
    return table


def _cells(one: Compared) -> list[str]:
    found = one.difference
    figures = (found.value, *found.interval) if found else (None, None, None)
    return [
        one.name,
        str(one.a.judged),
        *("-" if tally.f1 is None else f"{tally.f1:.3f}" for tally in (one.a, one.b)),
        *("-" if figure is None else f"{figure:+.3f}" for figure in figures),
        str(one.only_a),
        str(one.only_b),
        f"{one.p:.3f}",
    ]
