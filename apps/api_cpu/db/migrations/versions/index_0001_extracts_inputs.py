"""The index of extractions by request id, and of stored inputs by owner."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "index_0001"
down_revision = None
branch_labels = ("index",)


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "extracts",
        sa.Column("request_id", sa.String(128), primary_key=True),
        sa.Column("owner_key_id", sa.String(12), nullable=False),
        sa.Column("artifact_rel", sa.String(200), nullable=False),
        sa.Column("lease_until", sa.Float, nullable=False),
    )
    op.create_table(
        "inputs",
        sa.Column("input_ref", sa.String(200), primary_key=True),
        sa.Column("owner_key_id", sa.String(12), primary_key=True),
    )


def downgrade() -> None:
    """Drop both tables."""
    op.drop_table("inputs")
    op.drop_table("extracts")
