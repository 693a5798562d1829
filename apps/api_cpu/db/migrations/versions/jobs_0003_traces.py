"""Jobs and webhooks: the trace that they belong to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "jobs_0003"
down_revision = "jobs_0002"
branch_labels = None

_TABLES = ("jobs", "webhook_deliveries")


def upgrade() -> None:
    """Add the columns, and an index of the webhooks that were given up."""
    for table in _TABLES:
        op.add_column(table, sa.Column("trace", sa.Text))
    undelivered = sa.text("state = 'undelivered'")
    op.create_index(
        "webhook_deliveries_undelivered",
        "webhook_deliveries",
        ["delivery_id"],
        sqlite_where=undelivered,
        postgresql_where=undelivered,
    )


def downgrade() -> None:
    """Drop both."""
    op.drop_index("webhook_deliveries_undelivered")
    for table in _TABLES:
        op.drop_column(table, "trace")
