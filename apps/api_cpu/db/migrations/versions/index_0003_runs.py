"""The batch runs: their counts, and where each one's artifact is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "index_0003"
down_revision = "index_0002"
branch_labels = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "runs",
        sa.Column("run_id", sa.String(128), primary_key=True),
        sa.Column("owner_key_id", sa.String(12), nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("lease_until", sa.Float, nullable=False),
        sa.Column("artifact_rel", sa.String(200), nullable=False),
        sa.Column("task_id", sa.String(100), nullable=False),
        sa.Column("item_count", sa.Integer),
        sa.Column("ok_count", sa.Integer),
        sa.Column("failed_count", sa.Integer),
        sa.Column("needs_review_count", sa.Integer),
    )
    op.create_index("runs_newest", "runs", ["created_at", "run_id"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("runs")
