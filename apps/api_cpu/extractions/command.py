"""`ocr extract`: reads files with the embedded pipeline, no server needed."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from apps.api_cpu import console
from apps.api_cpu.errors import envelope
from apps.api_cpu.extractions.einvoice_files import EInvoiceFiles
from apps.api_cpu.extractions.response import CSV_COLUMNS, csv_rows, shown
from apps.api_cpu.extractions.tables import tables
from apps.api_cpu.stations import build_reader
from apps.api_cpu.wire import dump, file_name
from lib.domain.deadline import Deadline
from lib.domain.extraction import Hints
from lib.domain.task import Task
from lib.einvoice.writer import Syntax
from lib.errors import Error, Kind
from lib.pipelines.extract import Stations, extract


class Output(StrEnum):
    """How results are written to stdout."""

    JSON = "json"
    CSV = "csv"
    TABLE = "table"
    UBL = "ubl"
    CII = "cii"


_HIGHEST_ERROR_RATE = 0.5

Outcome = Mapping[str, Any]
"""A response's part from `shown`, an e-invoice as `xml`, or `{"error": ...}`; `file` names the
document in each."""


def extract_command(  # noqa: PLR0913, PLR0917 (a parameter for each option)
    files: Annotated[list[Path], typer.Argument(help="Documents: PDF, images, XML e-invoices.")],
    task: Annotated[str, typer.Option(help="Task id.")] = "auto",
    pages: Annotated[str | None, typer.Option(help="Pages, such as 1-3,5; default all.")] = None,
    max_error_rate: Annotated[
        float | None,
        typer.Option(help="Share of what needs no review that may be wrong, above 0 up to 0.5."),
    ] = None,
    compare: Annotated[
        bool, typer.Option(help="Hold the pages of e-invoices against their XML.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="A line a field.")] = False,
    as_table: Annotated[bool, typer.Option("--table", help="Tables for people (default).")] = False,
    as_ubl: Annotated[bool, typer.Option("--ubl", help="Invoices as UBL 2.1.")] = False,
    as_cii: Annotated[bool, typer.Option("--cii", help="Invoices as CII XML.")] = False,
    country: Annotated[
        str | None,
        typer.Option(help="Of --ubl and --cii: country of parties whose address names none (DE)."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Of --ubl and --cii: folder for a file each."),
    ] = None,
    parallel: Annotated[
        int | None, typer.Option("-j", min=1, max=256, help="Documents at once; default: cores.")
    ] = None,
) -> None:
    """Read documents here and now. Exits with 1 when any of them failed.

    Of an e-invoice stderr says what EN 16931 demands and the document does not say.
    """
    output = _chosen(
        {
            Output.JSON: as_json,
            Output.CSV: as_csv,
            Output.TABLE: as_table,
            Output.UBL: as_ubl,
            Output.CII: as_cii,
        }
    )
    einvoices = _einvoices(output, country, out, files)
    if max_error_rate is not None and not 0 < max_error_rate <= _HIGHEST_ERROR_RATE:
        raise console.stopped(f"--max-error-rate must be above 0 and at most {_HIGHEST_ERROR_RATE}")
    settings = console.settings_or_exit(
        auth_enabled=False, ocr_workers=parallel, log_level="WARNING"
    )
    try:
        reader = build_reader(settings)
    except Error as error:
        raise console.stopped(error, code=1) from None
    failed = 0
    with closing(reader):
        wanted = reader.stations.tasks.get(task)
        if wanted is None:
            known = ", ".join(sorted(reader.stations.tasks))
            raise console.stopped(f"there is no task {task}; there are: {known}")

        def read(path: Path) -> Outcome:
            deadline = Deadline.after(settings.sync_deadline_s)
            hints = Hints(datetime.now(UTC).date(), max_error_rate=max_error_rate)
            outcome = _read(path, wanted, reader.stations, hints, deadline, pages, compare=compare)
            return outcome if einvoices is None else _exported(outcome, einvoices)

        write = _writer(output) if einvoices is None else partial(_write_einvoice, einvoices)

        def count_and_write(outcome: Outcome) -> None:
            nonlocal failed
            failed += "error" in outcome
            write(outcome)

        _in_parallel(read, files, settings.worker_count, count_and_write)
    if failed:
        raise typer.Exit(1)


def _chosen(asked: Mapping[Output, bool]) -> Output:
    chosen = [output for output, is_asked in asked.items() if is_asked]
    if len(chosen) > 1:
        raise console.stopped("give one of --json, --csv, --table, --ubl and --cii")
    return chosen[0] if chosen else Output.TABLE


def _einvoices(
    output: Output, country: str | None, folder: Path | None, files: Sequence[Path]
) -> EInvoiceFiles | None:
    if output not in {Output.UBL, Output.CII}:
        if country is not None or folder is not None:
            raise console.stopped("--country and --out belong to --ubl and --cii")
        return None
    einvoices = EInvoiceFiles(Syntax(output.value), country, folder)
    einvoices.require(files)
    return einvoices


def _in_parallel(
    read: Callable[[Path], Outcome],
    files: Sequence[Path],
    parallel: int,
    write: Callable[[Outcome], None],
) -> None:
    """Write the outcomes in the order of the files; a progress bar on stderr meanwhile."""
    progress = Progress(
        TextColumn("reading"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console.err,
        transient=True,
        # Else what is written to stdout meanwhile would go to stderr too.
        redirect_stdout=False,
        redirect_stderr=False,
        disable=not console.err.is_terminal,
    )
    with ThreadPoolExecutor(parallel) as threads, progress as bar:
        row = bar.add_task("reading", total=len(files))
        try:
            for outcome in threads.map(read, files):
                bar.stop()
                write(outcome)
                bar.start()
                bar.advance(row)
        finally:
            threads.shutdown(wait=False, cancel_futures=True)


def _read(
    path: Path,
    task: Task,
    stations: Stations,
    hints: Hints,
    deadline: Deadline,
    pages: str | None,
    *,
    compare: bool,
) -> Outcome:
    name = file_name(str(path))
    try:
        data = path.read_bytes()
    except IsADirectoryError:
        error = Error("not_found", Kind.NOT_FOUND, "This is a folder; name the files in it.")
        return {"file": name, **_failure(error)}
    except OSError:
        error = Error("not_found", Kind.NOT_FOUND, "The file cannot be read.")
        return {"file": name, **_failure(error)}
    try:
        extraction = extract(data, task, stations, hints, deadline, pages, compare=compare)
    except Error as error:
        return {"file": name, **_failure(error)}
    return {"file": name, **shown(extraction), "timings_ms": dict(extraction.timings_ms)}


def _exported(outcome: Outcome, einvoices: EInvoiceFiles) -> Outcome:
    if "error" in outcome:
        return outcome
    try:
        return {"file": outcome["file"], "xml": einvoices.written(outcome)}
    except Error as error:
        return {"file": outcome["file"], **_failure(error)}


def _failure(error: Error) -> dict[str, Any]:
    body = envelope(error, request_id="")["error"]
    return {"error": {name: body[name] for name in ("code", "message", "details")}}


def _writer(output: Output) -> Callable[[Outcome], None]:
    if output is Output.JSON:
        return _write_json
    if output is Output.CSV:
        rows = csv.writer(sys.stdout, lineterminator="\n")
        rows.writerow(("file", *CSV_COLUMNS))

        def write_csv(outcome: Outcome) -> None:
            if "error" in outcome:
                _write_failure(outcome)
                return
            rows.writerows([outcome["file"], *row] for row in csv_rows(outcome))

        return write_csv
    return _write_table


def _write_einvoice(einvoices: EInvoiceFiles, outcome: Outcome) -> None:
    if "error" in outcome:
        _write_failure(outcome)
    else:
        einvoices.keep(outcome["file"], outcome["xml"])


def _write_json(outcome: Outcome) -> None:
    sys.stdout.write(dump(outcome).decode("utf-8") + "\n")
    sys.stdout.flush()


def _write_table(outcome: Outcome) -> None:
    if "error" in outcome:
        _write_failure(outcome)
        return
    console.out.print(tables(outcome), soft_wrap=False)


def _write_failure(outcome: Outcome) -> None:
    error = outcome["error"]
    text = f"{outcome['file']}: {error['message']} ({error['code']})"
    console.err.print(text, markup=False, soft_wrap=True)
