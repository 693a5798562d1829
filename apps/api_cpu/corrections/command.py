"""`ocr corrections export`: what persons corrected as a truth file, with its documents."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from apps.api_cpu import console
from apps.api_cpu.artifacts.index import ArtifactIndex
from apps.api_cpu.artifacts.stores.build import build_artifact_store
from apps.api_cpu.auth.roles import LOCAL_ADMIN
from apps.api_cpu.corrections.store import CorrectionIndex
from apps.api_cpu.corrections.truth import CorrectedDocument, CorrectedDocuments
from apps.api_cpu.db.engine import Durability, Schema, open_database
from apps.api_cpu.extractions.store import ExtractIndex
from apps.api_cpu.inputs.service import InputStore
from apps.api_cpu.inputs.store import InputIndex
from apps.api_cpu.settings import Settings
from apps.api_cpu.wire import dump
from lib.errors import Error

corrections_commands = typer.Typer(
    help="What persons corrected.", no_args_is_help=True, add_completion=False
)


@corrections_commands.callback()
def corrections() -> None:
    """What persons corrected."""


@corrections_commands.command()
def export(
    out: Annotated[
        Path, typer.Option(help="The truth file; documents go into `documents` beside.")
    ],
    owner: Annotated[str | None, typer.Option(help="Only those of this key id.")] = None,
    documents: Annotated[
        bool, typer.Option(help="Also the documents, and only what has one that was kept.")
    ] = True,
) -> None:
    """Write ground truth for `ocr eval --truth` and for training."""
    settings = console.settings_or_exit(auth_enabled=False)
    try:
        with ExitStack() as opened:
            corrected, inputs = _opened(settings, opened)
            written, left_out = _write(corrected, inputs if documents else None, out, owner)
    except Error as error:
        raise console.stopped(error, code=1) from None
    except OSError:
        raise console.stopped(f"{out} cannot be written", code=1) from None
    console.out.print(f"{written} documents written to {out}", markup=False)
    if left_out:
        console.err.print(f"{left_out} were left out: their document was not kept")


def _opened(settings: Settings, opened: ExitStack) -> tuple[CorrectedDocuments, InputStore]:
    engine = open_database(settings.index_database, Schema.INDEX, Durability.POWER_LOSS)
    opened.callback(engine.dispose)
    store = build_artifact_store(settings, opened)
    extracts = ExtractIndex(engine, settings.sync_deadline_s)
    corrected = CorrectedDocuments(store, ArtifactIndex(engine), extracts, CorrectionIndex(engine))
    return corrected, InputStore(store, InputIndex(engine))


def _write(
    corrected: CorrectedDocuments, inputs: InputStore | None, out: Path, owner: str | None
) -> tuple[int, int]:
    """How many lines were written, and how many left out for want of their document."""
    written = left_out = 0
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("wb") as lines:
        for document in corrected.all(owner):
            file = document.input_ref or document.request_id
            if inputs is not None:
                copied = _copy(document, inputs, out.parent / "documents")
                if copied is None:
                    left_out += 1
                    continue
                file = copied.relative_to(out.parent).as_posix()
            lines.write(dump(document.line(file)) + b"\n")
            written += 1
    return written, left_out


def _copy(document: CorrectedDocument, inputs: InputStore, folder: Path) -> Path | None:
    ref = document.input_ref or ""
    if not inputs.may_read(ref, LOCAL_ADMIN):
        return None
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{document.request_id}.{ref.rpartition('.')[2]}"
    path.write_bytes(inputs.read(ref, LOCAL_ADMIN))
    return path
