"""`ocr eval`: measures against ground truth, with the embedded pipeline or a running server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from apps.api_cpu import console
from apps.api_cpu.artifacts.stores.local import LocalArtifactStore
from apps.api_cpu.evals.gallery import ShownMistake, gallery
from apps.api_cpu.evals.html_report import evaluation_page
from apps.api_cpu.evals.pipeline_reader import PipelineReader
from apps.api_cpu.evals.reader import DocumentReader
from apps.api_cpu.evals.report import artifact, tables
from apps.api_cpu.evals.server_reader import ServerReader
from apps.api_cpu.evals.service import EvaluationRun, TruthSet, load_truth, run_evaluation
from apps.api_cpu.request_context import new_request_id
from apps.api_cpu.settings import CONFIGS, Settings
from apps.api_cpu.stations import build_document_loader, build_reader
from apps.api_cpu.wire import dump
from lib.domain.source import DocumentLoader
from lib.domain.task import Task
from lib.errors import Error
from lib.evaluation.evaluate import field_types
from lib.pipelines.tasks import load_tasks


def eval_command(
    truth: Annotated[Path, typer.Option(help="Ground truth, JSON lines: docs/evaluation.md.")],
    task: Annotated[str, typer.Option(help="Task id for every document.")] = "auto",
    out: Annotated[
        Path | None, typer.Option(help="Folder for `evals/...`; default: the artifacts folder.")
    ] = None,
    server: Annotated[
        str | None, typer.Option(help="URL of a running server; default: read here and now.")
    ] = None,
    api_key_env: Annotated[
        str | None, typer.Option(help="Environment variable that holds the server's key.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first documents.")] = None,
    report: Annotated[
        bool, typer.Option("--report", help="Also an HTML page, with pictures of the mistakes.")
    ] = False,
    parallel: Annotated[
        int, typer.Option("-j", min=1, max=256, help="Documents at once; times are true at 1.")
    ] = 1,
) -> None:
    """Read documents whose answers are known, compare, and print a table per field."""
    settings = console.settings_or_exit(auth_enabled=False, log_level="WARNING")
    try:
        loaded = load_tasks(CONFIGS / "tasks")
        if server is None and task not in loaded:
            raise console.stopped(
                f"there is no task {task}; there are: {', '.join(sorted(loaded))}"
            )
        tasks = tuple(loaded.values())
        documents = load_truth(truth, tasks, limit)
        key = _api_key(api_key_env)
        with _reader(settings, task, server, key) as (reader, loader):
            run = _run(documents, reader, tasks, parallel)
            shown = gallery(run, field_types(tasks), loader) if report else None
        saved = _save(run, out or settings.artifacts_folder, task, shown)
    except Error as error:
        raise console.stopped(error, code=1) from None
    console.out.print(tables(run))
    for path in saved:
        console.out.print(f"written to {path}", markup=False)


def _api_key(variable: str | None) -> str | None:
    if variable is None:
        return None
    key = console.key_in(variable)
    if not key:
        raise console.stopped(f"the environment variable {variable} is not set")
    return key


@contextmanager
def _reader(
    settings: Settings, task_id: str, server: str | None, api_key: str | None
) -> Iterator[tuple[DocumentReader, DocumentLoader]]:
    """Who answers, and what opens the documents to show them."""
    if server is not None:
        timeout_s = settings.sync_deadline_s * 2
        with (
            ServerReader(server, task_id, api_key, timeout_s) as asking,
            closing(build_document_loader(settings)) as loader,
        ):
            yield asking, loader
        return
    with closing(build_reader(settings)) as embedded:
        stations = embedded.stations
        reader = PipelineReader(stations, stations.tasks[task_id], settings.sync_deadline_s)
        yield reader, stations.loader


def _run(
    truth: TruthSet, reader: DocumentReader, tasks: tuple[Task, ...], parallel: int
) -> EvaluationRun:
    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console.err, transient=True) as bar:
        row = bar.add_task("evaluating", total=len(truth.documents))
        return run_evaluation(truth, reader, tasks, parallel, lambda _: bar.advance(row))


def _save(
    run: EvaluationRun,
    folder: Path,
    task_id: str,
    shown: Mapping[str, Sequence[ShownMistake]] | None,
) -> list[Path]:
    """Write the artifact, and with `shown` the page beside it; returns their paths."""
    moment, eval_id, built = datetime.now(UTC), new_request_id(), version("ocr-service")
    key = f"evals/{moment:%Y-%m-%d}/{eval_id}"
    content = artifact(run, eval_id, moment, built, task_id)
    LocalArtifactStore(folder).put(f"{key}.json", dump(content, indent=True))
    saved = [folder / f"{key}.json"]
    if shown is not None:
        page = folder / f"{key}.html"
        page.write_text(evaluation_page(run, eval_id, moment, built, shown), "utf-8")
        saved.append(page)
    return saved
