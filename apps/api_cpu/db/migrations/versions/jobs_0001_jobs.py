"""Jobs, their items, the workers that hold them; triggers that forbid leaving a terminal state."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "jobs_0001"
down_revision = None
branch_labels = ("jobs",)

_TABLES = ("jobs", "job_items")
_LEFT = "OLD.status IN ('succeeded', 'failed', 'canceled') AND NEW.status <> OLD.status"


def upgrade() -> None:
    """Create tables, partial indexes of what is not over, and triggers."""
    _create_jobs()
    _create_items()
    op.create_table(
        "job_workers",
        sa.Column("worker_id", sa.String(36), primary_key=True),
        sa.Column("host", sa.String(100), nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("started_at", sa.Float, nullable=False),
        sa.Column("lease_until", sa.Float, nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION jobs_stay_ended() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'a terminal state is final'; END $$"
        )
        for table in _TABLES:
            op.execute(
                f"CREATE TRIGGER {table}_stay_ended BEFORE UPDATE ON {table} FOR EACH ROW "
                f"WHEN ({_LEFT}) EXECUTE FUNCTION jobs_stay_ended()"
            )
        return
    for table in _TABLES:
        op.execute(
            f"CREATE TRIGGER {table}_stay_ended BEFORE UPDATE OF status ON {table} "
            f"WHEN {_LEFT} BEGIN SELECT RAISE(ABORT, 'a terminal state is final'); END"
        )


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("job_id", sa.String(36), primary_key=True),
        sa.Column("kind", sa.String(30), nullable=False),
        sa.Column("owner_key_id", sa.String(12), nullable=False),
        sa.Column("owner_role", sa.String(20), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("started_at", sa.Float),
        sa.Column("finished_at", sa.Float),
        sa.Column("cancel_requested_at", sa.Float),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("run_id", sa.String(128)),
        sa.Column("task_id", sa.String(100), nullable=False),
        sa.Column("options", sa.Text, nullable=False),
        sa.Column("concurrency", sa.Integer),
        sa.Column("callback_url", sa.String(2000)),
        sa.Column("persist_inputs", sa.Boolean, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("ok", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("canceled", sa.Integer, nullable=False),
        sa.Column("needs_review", sa.Integer, nullable=False),
        sa.Column("stage", sa.String(12), nullable=False),
        sa.Column("current", sa.String(255)),
        sa.Column("finisher", sa.String(36)),
        sa.Column("finish_after", sa.Float, nullable=False),
        sa.Column("result_rel", sa.String(200)),
        sa.Column("error", sa.Text),
        sa.Column("version", sa.Integer, nullable=False),
    )
    _partial_index("jobs_active", "jobs", ["owner_key_id", "job_id"], "finished_at IS NULL")
    op.create_index("jobs_of_owner", "jobs", ["owner_key_id", "job_id"])


def _create_items() -> None:
    op.create_table(
        "job_items",
        sa.Column("job_id", sa.String(36), sa.ForeignKey("jobs.job_id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("owner_key_id", sa.String(12), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("file", sa.String(255)),
        sa.Column("input_ref", sa.String(200)),
        sa.Column("request_id", sa.String(128), nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("run_after", sa.Float, nullable=False),
        sa.Column("started_at", sa.Float),
        sa.Column("finished_at", sa.Float),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("deaths", sa.Integer, nullable=False),
        sa.Column("worker_id", sa.String(36)),
        sa.Column("history", sa.Text),
        sa.Column("outcome", sa.Text),
        sa.Column("ended", sa.Integer),
    )
    queued = ["job_id", "run_after", "number"]
    _partial_index("job_items_queued", "job_items", queued, "status = 'queued'")
    running = ["owner_key_id", "job_id", "number"]
    _partial_index("job_items_running", "job_items", running, "status = 'running'")
    _partial_index("job_items_ended", "job_items", ["job_id", "ended"], "ended IS NOT NULL")


def _partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)


def downgrade() -> None:
    """Drop the tables; their triggers go with them."""
    op.drop_table("job_workers")
    op.drop_table("job_items")
    op.drop_table("jobs")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION jobs_stay_ended()")
