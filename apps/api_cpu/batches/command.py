"""`ocr batch`: reads a folder, by a server or here and now, and goes on where it was stopped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from apps.api_cpu import console
from apps.api_cpu.batches.folder_readers import (
    Document,
    EmbeddedFolderReader,
    FolderReader,
    ServerFolderReader,
    document_of,
)
from apps.api_cpu.batches.server_client import BatchServer
from apps.api_cpu.batches.state import BatchState
from apps.api_cpu.extractions.item import Item
from apps.api_cpu.runs.export import items_as
from apps.api_cpu.runs.filters import Status, status_of
from apps.api_cpu.runs.formats import Format
from apps.api_cpu.runs.rows import ITEMS
from apps.api_cpu.settings import CONFIGS
from apps.api_cpu.stations import build_reader
from apps.api_cpu.wire import file_name
from lib.domain.task import Task
from lib.errors import Error
from lib.loading.archives import ArchiveLimits
from lib.pipelines.tasks import load_tasks

_FORMATS = {f".{form.value}": form for form in (Format.CSV, Format.XLSX, Format.JSONL)}
_INTERRUPTED = 130


def batch_command(  # noqa: PLR0913, PLR0917 (a parameter for each option)
    folder: Annotated[Path, typer.Argument(help="Folder with documents, and with ZIPs of them.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Results: .csv, .xlsx or .jsonl; default FOLDER.csv."),
    ] = None,
    task: Annotated[str, typer.Option(help="Task id.")] = "auto",
    glob: Annotated[str, typer.Option(help="Which files of the folder.")] = "**/*",
    server: Annotated[
        str | None,
        typer.Option(envvar="SERVER_URL", help="URL of a running server; default: here and now."),
    ] = None,
    api_key_env: Annotated[
        str, typer.Option(help="Environment variable that holds the server's key.")
    ] = "API_KEY",
    persist_inputs: Annotated[
        bool, typer.Option("--persist-inputs", help="Have the server keep the documents.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Read again what failed before.")
    ] = False,
    patience: Annotated[
        float, typer.Option(min=0, help="Seconds that the server may be away.")
    ] = 300.0,
    parallel: Annotated[
        int | None, typer.Option("-j", min=1, max=256, help="Documents at once; default: cores.")
    ] = None,
) -> None:
    """Read a folder into one table. The same command again goes on where it was stopped.

    What has been read is known by its content, in a file beside the results (.state). Exits with 1
    when a document failed.
    """
    results = out or Path(f"{folder.resolve().name}.csv")
    if results.suffix not in _FORMATS:
        raise console.stopped("--out must end in .csv, .xlsx or .jsonl")
    documents = _documents(folder, glob, task, results)
    try:
        tasks = load_tasks(CONFIGS / "tasks")
        state = BatchState.load(results.with_name(f"{results.name}.state"))
        if retry_failed:
            _forget_failed(state)
        options = {"task_id": task} | ({"persist_inputs": "true"} if persist_inputs else {})
        if parallel is not None:
            options["concurrency"] = str(parallel)
        with _reader(tasks, task, server, api_key_env, options, patience, parallel) as reader:
            _read(reader, documents, state)
        items = list(_items(documents, state))
        _write(results, items, tasks.get(task))
    except OSError:
        raise console.stopped(f"{results} cannot be written", code=1) from None
    except Error as error:
        raise console.stopped(
            f"{error.message} What has been read is kept; the same command goes on.", code=1
        ) from None
    except KeyboardInterrupt:
        raise console.stopped("interrupted; the same command goes on", code=_INTERRUPTED) from None
    if _report(results, items):
        raise typer.Exit(1)


def _documents(folder: Path, glob: str, task_id: str, results: Path) -> list[Document]:
    if not folder.is_dir():
        raise console.stopped("there is no such folder")
    if not results.parent.is_dir():
        raise console.stopped(f"{results.parent} is no folder to write to")
    try:
        paths = sorted(folder.glob(glob))
    except (ValueError, NotImplementedError):
        raise console.stopped("--glob is not a pattern of files below the folder") from None
    ours = {results.resolve(), results.with_name(f"{results.name}.state").resolve()}
    found = []
    for path in paths:
        name = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in name.parts)
        if path.is_file() and not hidden and path.resolve() not in ours:
            try:
                shown = file_name(name.as_posix())
                found.append(document_of(path, shown, task_id))
            except OSError:
                raise console.stopped(f"{name} cannot be read", code=1) from None
    if not found:
        raise console.stopped("no file of the folder matches")
    return found


@contextmanager
def _reader(
    tasks: Mapping[str, Task],
    task_id: str,
    server: str | None,
    api_key_env: str,
    options: Mapping[str, str],
    patience_s: float,
    parallel: int | None,
) -> Iterator[FolderReader]:
    if server is not None:
        with BatchServer(server, console.key_in(api_key_env), patience_s) as asked:
            yield ServerFolderReader(asked, options)
        return
    if task_id not in tasks:
        raise console.stopped(f"there is no task {task_id}; there are: {', '.join(sorted(tasks))}")
    settings = console.settings_or_exit(
        auth_enabled=False, ocr_workers=parallel, log_level="WARNING"
    )
    with closing(build_reader(settings)) as embedded:
        task = embedded.stations.tasks[task_id]
        of_archive = ArchiveLimits(
            settings.batch_max_zip_members, settings.max_upload_bytes, settings.batch_max_zip_ratio
        )
        yield EmbeddedFolderReader(
            embedded.stations, task, settings.concurrency, settings.sync_deadline_s, of_archive
        )


def _read(reader: FolderReader, documents: Sequence[Document], state: BatchState) -> None:
    columns = (
        TextColumn("reading"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TimeRemainingColumn(),
    )  # fmt: skip
    keys = {document.key for document in documents}
    with Progress(
        *columns, console=console.err, transient=True, disable=not console.err.is_terminal
    ) as bar:
        row = bar.add_task("reading", total=len(keys), completed=len(keys & state.done.keys()))
        reader.read(documents, state, lambda count: bar.advance(row, count))


def _forget_failed(state: BatchState) -> None:
    for key, items in list(state.done.items()):
        if not all(item["ok"] for item in items):
            del state.done[key]


def _items(documents: Sequence[Document], state: BatchState) -> Iterator[Item]:
    """In the order of the folder, each under the name that its file has there."""
    for document in documents:
        for item in state.done.get(document.key, ()):
            yield {**item, "file": _shown_name(document, item["file"])}


def _shown_name(document: Document, file: str) -> str:
    """The file's name here; of a ZIP's member, with the member's behind it."""
    folders = document.name.count("/") + 1
    is_member = document.is_archive and file.count("/") >= folders
    return f"{document.name}/{file.split('/', folders)[-1]}" if is_member else document.name


def _write(path: Path, items: Sequence[Item], task: Task | None) -> None:
    """The results; a reader sees all of them or those of before. Raises `validation_error`."""
    unfinished = path.with_name(f"{path.name}.part")
    with unfinished.open("wb") as file:
        file.writelines(items_as(_FORMATS[path.suffix], items, task, ITEMS))
    unfinished.replace(path)


def _report(path: Path, items: Sequence[Item]) -> int:
    """One line for people; returns how many failed."""
    count = {status: sum(status_of(item) is status for item in items) for status in Status}
    console.err.print(
        f"{len(items)} documents: {count[Status.OK]} ok, {count[Status.NEEDS_REVIEW]} to review, "
        f"{count[Status.FAILED]} failed; written to {path}",
        markup=False,
    )
    return count[Status.FAILED]
