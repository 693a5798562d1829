"""What jobs hold of an extraction that is erased: the outcome of its item."""

from __future__ import annotations

from sqlalchemy import Engine, update

from apps.api_cpu.db.engine import writing
from apps.api_cpu.db.tables import job_items
from apps.api_cpu.jobs.rows import as_text


class JobEraser:
    """Takes results out of the jobs' tables. Safe to share between threads and processes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def forget(self, request_id: str) -> None:
        """Items that have ended keep their state and lose what was read; safe to repeat."""
        ended = job_items.c.outcome.is_not(None)
        its = (job_items.c.request_id == request_id, ended)
        outcome = {
            "file": "",
            "request_id": request_id,
            "input_ref": None,
            "artifact_rel": None,
            "ok": False,
            "result": None,
            "needs_review": False,
            "error": {
                "code": "not_found",
                "message": "This extraction was erased.",
                "request_id": request_id,
                "details": {"reason": "erased"},
            },
            "timings_ms": {},
        }
        with writing(self._engine) as connection:
            connection.execute(
                update(job_items)
                .where(*its)
                .values(outcome=as_text(outcome), file=None, input_ref=None)
            )
