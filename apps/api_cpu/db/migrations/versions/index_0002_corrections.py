"""The corrections of an extraction, in the order in which they came."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "index_0002"
down_revision = "index_0001"
branch_labels = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "corrections",
        sa.Column("correction_id", sa.String(36), primary_key=True),
        sa.Column("request_id", sa.String(128), nullable=False, index=True),
        sa.Column("artifact_rel", sa.String(200), nullable=False),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("corrections")
