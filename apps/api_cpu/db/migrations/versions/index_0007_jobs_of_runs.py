"""Runs are jobs: which one, and how many of its documents were given up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "index_0007"
down_revision = "index_0006"
branch_labels = None


def upgrade() -> None:
    """Add the columns; runs of before have no job."""
    op.add_column("runs", sa.Column("job_id", sa.String(36)))
    op.add_column("runs", sa.Column("canceled_count", sa.Integer))


def downgrade() -> None:
    """Drop them."""
    op.drop_column("runs", "canceled_count")
    op.drop_column("runs", "job_id")
