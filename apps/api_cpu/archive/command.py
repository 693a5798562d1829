"""`ocr artifacts`: reindex, purge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Annotated

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from apps.api_cpu import console
from apps.api_cpu.archive.build import Archive, build_archive
from apps.api_cpu.archive.indexes import Indexes
from apps.api_cpu.archive.reindex import Reindexed
from apps.api_cpu.archive.retention import INPUTS
from apps.api_cpu.archive.store import ErasureIndex
from apps.api_cpu.artifacts.index import ArtifactIndex, ArtifactKind
from apps.api_cpu.artifacts.indexed import IndexedStore
from apps.api_cpu.artifacts.stores.build import build_artifact_store
from apps.api_cpu.corrections.store import CorrectionIndex
from apps.api_cpu.db.engine import Durability, Schema, open_database
from apps.api_cpu.extractions.store import ExtractIndex
from apps.api_cpu.inputs.service import InputStore
from apps.api_cpu.inputs.store import InputIndex
from apps.api_cpu.runs.store import RunIndex
from apps.api_cpu.settings import Settings
from apps.api_cpu.vendors.service import VendorService
from apps.api_cpu.vendors.store import VendorStore
from lib.errors import Error

artifacts_commands = typer.Typer(
    help="What is kept: its index, and how long.", no_args_is_help=True, add_completion=False
)

_DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"


@artifacts_commands.command()
def reindex(
    since: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="Only artifacts from this day on.")
    ] = None,
) -> None:
    """Make the index again from the store. May be ended and started again at any time."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with _archive() as archive, Progress(*columns, console=console.err, transient=True) as bar:
        row = bar.add_task("reading the store")

        def show(so_far: Reindexed) -> None:
            bar.update(row, description=f"{so_far.seen} seen, {so_far.noted} noted")

        found = archive.reindexer.run(since, show)
    console.out.print(
        f"{found.seen} artifacts: {found.noted} were missing in the index, {found.gone} of its "
        f"rows had no artifact, {found.unreadable} could not be read."
    )


@artifacts_commands.command()
def purge(
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete; without it only say what would go.")
    ] = False,
) -> None:
    """Delete what is older than RETENTION_DAYS_... allow; the server does so by itself too."""
    with _archive() as archive:
        retention = archive.retention
        for kind in [kind.value for kind in ArtifactKind] + [INPUTS]:
            first = retention.first_day(kind)
            if first is not None:
                console.out.print(f"{kind}: kept from {first} on")
        old = sum(retention.count(kind) for kind in ArtifactKind)
        if not delete:
            console.out.print(f"{old} artifacts would go; `--delete` deletes them.")
            return
        done = 0
        while batch := retention.purge():
            done += batch
    console.out.print(f"{done} artifacts and inputs went.")


@contextmanager
def _archive() -> Iterator[Archive]:
    settings = console.settings_or_exit(auth_enabled=False)
    try:
        with ExitStack() as opened:
            yield _opened(settings, opened)
    except Error as error:
        raise console.stopped(error, code=1) from None


def _opened(settings: Settings, opened: ExitStack) -> Archive:
    engine = open_database(settings.index_database, Schema.INDEX, Durability.POWER_LOSS)
    opened.callback(engine.dispose)
    vendors = open_database(settings.vendors_database, Schema.VENDORS, Durability.CRASH)
    opened.callback(vendors.dispose)
    indexes = Indexes(
        ArtifactIndex(engine),
        ExtractIndex(engine, settings.sync_deadline_s),
        CorrectionIndex(engine),
        RunIndex(engine),
        ErasureIndex(engine),
    )
    store = IndexedStore(build_artifact_store(settings, opened), indexes.artifacts)
    inputs = InputStore(store, InputIndex(engine))
    memory = VendorService(VendorStore(vendors))
    return build_archive(store, indexes, inputs, memory, settings.retention_days)
