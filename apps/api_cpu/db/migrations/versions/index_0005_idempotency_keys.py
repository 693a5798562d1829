"""The keys of requests that may be sent again, and their first answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "index_0005"
down_revision = "index_0004"
branch_labels = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "idempotency_keys",
        sa.Column("owner_key_id", sa.String(12), primary_key=True),
        sa.Column("idempotency_key", sa.String(255), primary_key=True),
        sa.Column("route", sa.String(100), nullable=False),
        sa.Column("resource_id", sa.String(128), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("lease_until", sa.Float, nullable=False),
        sa.Column("fingerprint", sa.String(64)),
        sa.Column("status", sa.Integer),
        sa.Column("body", sa.LargeBinary),
        sa.Column("media_type", sa.String(100)),
        sa.Column("location", sa.String(300)),
    )
    op.create_index("idempotency_keys_oldest", "idempotency_keys", ["created_at"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("idempotency_keys")
