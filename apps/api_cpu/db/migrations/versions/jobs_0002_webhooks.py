"""Webhooks: what is to be sent, and which signing secrets are in use."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "jobs_0002"
down_revision = "jobs_0001"
branch_labels = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "webhook_deliveries",
        sa.Column("delivery_id", sa.String(36), primary_key=True),
        sa.Column("owner_key_id", sa.String(12), nullable=False),
        sa.Column("job_id", sa.String(36), nullable=False, unique=True),
        sa.Column("event", sa.String(30), nullable=False),
        sa.Column("url", sa.String(2000), nullable=False),
        sa.Column("host", sa.String(260), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("next_at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
        sa.Column("lease_until", sa.Float, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("last_at", sa.Float),
        sa.Column("last_problem", sa.String(20)),
        sa.Column("last_status", sa.Integer),
        sa.Column("finished_at", sa.Float),
    )
    pending = sa.text("state = 'pending'")
    op.create_index(
        "webhook_deliveries_due",
        "webhook_deliveries",
        ["next_at"],
        sqlite_where=pending,
        postgresql_where=pending,
    )
    op.create_index(
        "webhook_deliveries_of_owner", "webhook_deliveries", ["owner_key_id", "delivery_id"]
    )
    op.create_table(
        "webhook_secrets",
        sa.Column("owner_key_id", sa.String(12), primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("previous_until", sa.Float),
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("webhook_secrets")
    op.drop_table("webhook_deliveries")
