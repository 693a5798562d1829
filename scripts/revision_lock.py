"""The revisions that were looked up once for models that nothing else pins: a file on the volume.

A JSON object: `{"<model>": {"revision": "<commit>", "looked_up_at": "2026-11-21T08:00:00Z"}}`.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path


def locked_revision(lock: Path, model: str) -> str | None:
    """The commit that was written down for a model; ValueError for a file of another kind."""
    if not lock.is_file():
        return None
    entry = json.loads(lock.read_text(encoding="utf-8")).get(model)
    return None if entry is None else str(entry["revision"])


def write_down(lock: Path, model: str, revision: str) -> None:
    """Keep a model's commit beside those of others; whoever reads meanwhile finds the old file."""
    entries = json.loads(lock.read_text(encoding="utf-8")) if lock.is_file() else {}
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    entries[model] = {"revision": revision, "looked_up_at": moment}
    lock.parent.mkdir(parents=True, exist_ok=True)
    new = lock.with_name(f"{lock.name}.new")
    new.write_text(json.dumps(entries, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    new.replace(lock)
