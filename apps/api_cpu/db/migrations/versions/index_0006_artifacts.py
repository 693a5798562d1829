"""The index of all artifacts, and what was erased."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "index_0006"
down_revision = "index_0005"
branch_labels = None


def upgrade() -> None:
    """Make the tables. `ocr artifacts reindex` fills the first with what was written before."""
    op.create_table(
        "artifacts",
        sa.Column("artifact_rel", sa.String(200), primary_key=True),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("artifact_id", sa.String(160), nullable=False),
        sa.Column("request_id", sa.String(128)),
        sa.Column("owner_key_id", sa.String(12), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("error_code", sa.String(40)),
        sa.Column("sha256", sa.String(64)),
        sa.Column("input_ref", sa.String(200)),
    )
    op.create_index("artifacts_newest", "artifacts", ["created_at", "artifact_rel"])
    op.create_index("artifacts_day", "artifacts", ["kind", "day"])
    op.create_index("artifacts_id", "artifacts", ["artifact_id"])
    op.create_index("artifacts_request", "artifacts", ["request_id"])
    op.create_index("artifacts_owner", "artifacts", ["owner_key_id", "created_at"])
    op.create_index("artifacts_input", "artifacts", ["input_ref"])
    op.create_table(
        "artifact_items",
        sa.Column("artifact_rel", sa.String(200), primary_key=True),
        sa.Column("request_id", sa.String(128), primary_key=True),
    )
    op.create_index("artifact_items_request", "artifact_items", ["request_id"])
    op.create_table(
        "erasures",
        sa.Column("request_id", sa.String(128), primary_key=True),
        sa.Column("owner_key_id", sa.String(12), nullable=False),
        sa.Column("artifact_rel", sa.String(200), nullable=False),
        sa.Column("erased_by", sa.String(12), nullable=False),
        sa.Column("erased_at", sa.Float, nullable=False),
        sa.Column("done_at", sa.Float),
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("erasures")
    op.drop_table("artifact_items")
    op.drop_table("artifacts")
