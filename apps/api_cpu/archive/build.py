"""What looks after everything that is kept, put together for a server and for the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apps.api_cpu.archive.erasure import Eraser, ErasureService
from apps.api_cpu.archive.indexes import Indexes
from apps.api_cpu.archive.reindex import Reindexer
from apps.api_cpu.archive.retention import Days, Retention
from apps.api_cpu.artifacts.store import ArtifactStore
from apps.api_cpu.inputs.service import InputStore
from apps.api_cpu.vendors.service import VendorService


@dataclass(frozen=True, slots=True)
class Archive:
    """Erasing, purging, and making the index again."""

    erasures: ErasureService
    retention: Retention
    reindexer: Reindexer


def build_archive(
    store: ArtifactStore,
    indexes: Indexes,
    inputs: InputStore,
    vendors: VendorService,
    days: Days,
    others: Sequence[Eraser] = (),
) -> Archive:
    """`others`: see `ErasureService`."""
    return Archive(
        ErasureService(store, indexes, inputs, vendors, others),
        Retention(days, store, indexes, inputs),
        Reindexer(store, indexes, inputs),
    )
