"""The index of artifacts: one row each, noted when it is written, so that nobody lists a store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Engine, Row, and_, delete, func, or_, select

from apps.api_cpu.artifacts.store import is_key
from apps.api_cpu.db.engine import insert_new, insert_new_row, reading, writing
from apps.api_cpu.db.tables import artifact_items, artifacts, erasures


class ArtifactKind(StrEnum):
    """What an artifact is about: the folder that its key begins with."""

    EXTRACTS = "extracts"
    CORRECTIONS = "corrections"
    BATCHES = "batches"
    EVALS = "evals"
    ERASURES = "erasures"


@dataclass(frozen=True, slots=True)
class ArtifactEntry:
    """A row. `created_at` in Unix seconds; `day` is the key's, YYYY-MM-DD.

    `artifact_id` is the run's, the evaluation's, the correction's or the extraction's id;
    `request_id` the extraction that it is about. `items`: the extractions that it repeats.
    """

    artifact_rel: str
    kind: ArtifactKind
    artifact_id: str
    request_id: str | None
    owner_key_id: str
    day: str
    created_at: float
    status: int | None = None
    error_code: str | None = None
    sha256: str | None = None
    input_ref: str | None = None
    items: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class ArtifactFilter:
    """Which artifacts; None is any. Days are inclusive."""

    kind: ArtifactKind | None = None
    owner_key_id: str | None = None
    first_day: str | None = None
    last_day: str | None = None
    status: int | None = None
    error_code: str | None = None


_ID_NAMES: Mapping[ArtifactKind, str] = {
    ArtifactKind.CORRECTIONS: "correction_id",
    ArtifactKind.BATCHES: "run_id",
    ArtifactKind.EVALS: "eval_id",
}
_NAMES = tuple(name for name in ArtifactEntry.__dataclass_fields__ if name != "items")
_COLUMNS = [artifacts.c[name] for name in _NAMES]
_IDS_AT_ONCE = 500


class ArtifactIndex:
    """Reads and writes both tables. Safe to share between threads and processes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def note(self, *entries: ArtifactEntry) -> None:
        """Note artifacts that have been written; what was noted before stays as it was."""
        rows = [{name: getattr(each, name) for name in _NAMES} for each in entries]
        items = [
            {"artifact_rel": each.artifact_rel, "request_id": request_id}
            for each in entries
            for request_id in dict.fromkeys(each.items)
        ]
        with writing(self._engine) as connection:
            if len(rows) == 1:
                insert_new_row(connection, artifacts, rows[0])
            elif rows:
                connection.execute(insert_new(connection, artifacts), rows)
            if items:
                connection.execute(insert_new(connection, artifact_items), items)

    def forget(self, artifact_rel: str) -> None:
        """Drop the row of an artifact that is gone."""
        with writing(self._engine) as connection:
            for table in (artifacts, artifact_items):
                connection.execute(delete(table).where(table.c.artifact_rel == artifact_rel))

    def known(self, artifact_rels: Sequence[str]) -> frozenset[str]:
        """Those of the keys that have a row."""
        found: set[str] = set()
        with reading(self._engine) as connection:
            for first in range(0, len(artifact_rels), _IDS_AT_ONCE):
                these = artifacts.c.artifact_rel.in_(artifact_rels[first : first + _IDS_AT_ONCE])
                found.update(connection.scalars(select(artifacts.c.artifact_rel).where(these)))
        return frozenset(found)

    def page(
        self, wanted: ArtifactFilter, before: tuple[float, str] | None, limit: int
    ) -> Sequence[ArtifactEntry]:
        """The newest first. `before`: time and key of the last artifact of the page before."""
        query = select(*_COLUMNS).where(*_conditions(wanted))
        if before is not None:
            moment, rel = before
            same = and_(artifacts.c.created_at == moment, artifacts.c.artifact_rel < rel)
            query = query.where(or_(artifacts.c.created_at < moment, same))
        newest = query.order_by(artifacts.c.created_at.desc(), artifacts.c.artifact_rel.desc())
        return self._entries(newest.limit(limit))

    def in_order(
        self, wanted: ArtifactFilter, after: tuple[str, str], limit: int
    ) -> Sequence[ArtifactEntry]:
        """By day and key, after the given ones: to walk through all of them."""
        day, rel = after
        same = and_(artifacts.c.day == day, artifacts.c.artifact_rel > rel)
        query = select(*_COLUMNS).where(*_conditions(wanted))
        query = query.where(or_(artifacts.c.day > day, same))
        ordered = query.order_by(artifacts.c.day, artifacts.c.artifact_rel)
        return self._entries(ordered.limit(limit))

    def count(self, wanted: ArtifactFilter) -> int:
        """How many there are."""
        query = select(func.count()).select_from(artifacts).where(*_conditions(wanted))
        with reading(self._engine) as connection:
            return connection.scalar(query) or 0

    def of_id(self, kind: ArtifactKind, artifact_id: str) -> ArtifactEntry | None:
        """The artifact of an id; of several, which only failures and revisions make, the newest."""
        query = select(*_COLUMNS).where(
            artifacts.c.artifact_id == artifact_id, artifacts.c.kind == kind.value
        )
        newest = query.order_by(artifacts.c.created_at.desc(), artifacts.c.artifact_rel.desc())
        found = self._entries(newest.limit(1))
        return found[0] if found else None

    def about(self, request_id: str, owner_key_id: str) -> Sequence[ArtifactEntry]:
        """An owner's artifacts about an extraction, the oldest first."""
        mine = (artifacts.c.request_id == request_id, artifacts.c.owner_key_id == owner_key_id)
        return self._entries(select(*_COLUMNS).where(*mine).order_by(artifacts.c.created_at))

    def all_about(self, request_id: str) -> Sequence[ArtifactEntry]:
        """Every owner's artifacts about a request, the oldest first."""
        about = artifacts.c.request_id == request_id
        return self._entries(select(*_COLUMNS).where(about).order_by(artifacts.c.created_at))

    def is_read_from(
        self, owner_key_id: str, *, sha256: str | None = None, input_ref: str | None = None
    ) -> bool:
        """Whether an extraction of the owner that is not erased was read from a document."""
        same = (
            artifacts.c.sha256 == sha256
            if input_ref is None
            else (artifacts.c.input_ref == input_ref)
        )
        query = (
            select(artifacts.c.artifact_rel)
            .join_from(
                artifacts, erasures, erasures.c.request_id == artifacts.c.request_id, isouter=True
            )
            .where(same, artifacts.c.owner_key_id == owner_key_id)
            .where(artifacts.c.kind == ArtifactKind.EXTRACTS, erasures.c.request_id.is_(None))
            .limit(1)
        )
        with reading(self._engine) as connection:
            return connection.execute(query).first() is not None

    def _entries(self, query: Any) -> Sequence[ArtifactEntry]:
        with reading(self._engine) as connection:
            return [_from_row(row) for row in connection.execute(query)]


def entry_of(key: str, artifact: Mapping[str, Any]) -> ArtifactEntry:
    """What an artifact says of itself: the same when it is written and when it is found again."""
    folder, day, name = key.split("/")
    kind = ArtifactKind(folder)
    about = artifact.get("input") or {}
    stem = name.removesuffix(".json")
    error = artifact.get("error") or {}
    ref = about.get("input_ref") or about.get("image_ref")
    return ArtifactEntry(
        artifact_rel=key,
        kind=kind,
        artifact_id=str(artifact.get(_ID_NAMES.get(kind, ""), stem))[:160],
        request_id=artifact.get("request_id"),
        owner_key_id=str(artifact.get("owner_key_id", ""))[:12],
        day=day,
        created_at=_moment(artifact.get("created_at"), day),
        status=artifact.get("status"),
        error_code=error.get("code"),
        sha256=about.get("sha256"),
        # A refused request may have named anything.
        input_ref=ref if ref is not None and is_key(ref) else None,
        items=tuple(_items(artifact)),
    )


def _items(artifact: Mapping[str, Any]) -> Iterable[str]:
    """The extractions whose results the artifact repeats, but for those erased from it."""
    for item in artifact.get("items") or ():
        request_id = item.get("request_id")
        if request_id and not item.get("erased"):
            yield request_id


def _moment(written: object, day: str) -> float:
    for text in (written, day):
        try:
            moment = datetime.fromisoformat(str(text))
        except ValueError:
            continue
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    return 0.0


def _conditions(wanted: ArtifactFilter) -> list[Any]:
    columns, given = artifacts.c, []
    for column in (columns.kind, columns.owner_key_id, columns.status, columns.error_code):
        value = getattr(wanted, column.name)
        if value is not None:
            given.append(column == value)
    if wanted.first_day is not None:
        given.append(columns.day >= wanted.first_day)
    if wanted.last_day is not None:
        given.append(columns.day <= wanted.last_day)
    return given


def _from_row(row: Row[Any]) -> ArtifactEntry:
    values = dict(row._mapping)
    return ArtifactEntry(**values | {"kind": ArtifactKind(values["kind"])})
