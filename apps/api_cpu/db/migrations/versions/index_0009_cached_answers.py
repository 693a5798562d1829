"""Which extraction has answered which question, for answers that are given again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "index_0009"
down_revision = "index_0008"
branch_labels = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "cached_answers",
        sa.Column("cache_key", sa.String(64), primary_key=True),
        sa.Column("owner_key_id", sa.String(12), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("request_id", sa.String(128), nullable=False),
        sa.Column("artifact_rel", sa.String(200), nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
    )
    op.create_index("cached_answers_request", "cached_answers", ["request_id"])
    op.create_index("cached_answers_document", "cached_answers", ["sha256", "owner_key_id"])
    op.create_index("cached_answers_age", "cached_answers", ["created_at"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("cached_answers")
