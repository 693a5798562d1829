"""The vendors that each key has met, and the documents that speak for those not yet known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "vendors_0001"
down_revision = None
branch_labels = ("vendors",)


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "vendors",
        sa.Column("vendor_id", sa.String(36), primary_key=True),
        sa.Column("owner_key_id", sa.String(12), nullable=False),
        sa.Column("name", sa.String(500), nullable=False),
        sa.Column("address", sa.String(1000), nullable=False),
        sa.Column("numbers", sa.JSON, nullable=False),
        sa.Column("currency", sa.String(3)),
        sa.Column("date_order", sa.String(3)),
        sa.Column("source", sa.String(12), nullable=False),
        sa.Column("documents", sa.Integer, nullable=False),
        sa.Column("first_seen_at", sa.DateTime, nullable=False),
        sa.Column("last_seen_at", sa.DateTime, nullable=False),
        sa.UniqueConstraint("owner_key_id", "name", "address"),
    )
    op.create_table(
        "vendor_documents",
        sa.Column(
            "vendor_id",
            sa.String(36),
            sa.ForeignKey("vendors.vendor_id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("sha256", sa.String(64), primary_key=True),
    )


def downgrade() -> None:
    """Drop both tables."""
    op.drop_table("vendor_documents")
    op.drop_table("vendors")
