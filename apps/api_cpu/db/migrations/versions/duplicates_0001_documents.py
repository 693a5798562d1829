"""Documents that were read lately, and what finds those that are alike."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "duplicates_0001"
down_revision = None
branch_labels = ("duplicates",)


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "documents",
        sa.Column("request_id", sa.String(128), primary_key=True),
        sa.Column("owner_key_id", sa.String(12), nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("number", sa.String(200)),
        sa.Column("vendor", sa.String(200)),
        sa.Column("vendor_tax_id", sa.String(200)),
        sa.Column("issue_date", sa.String(10)),
        sa.Column("total", sa.String(64)),
        sa.Column("signature", sa.LargeBinary),
    )
    op.create_index("documents_bytes", "documents", ["owner_key_id", "sha256", "request_id"])
    op.create_index("documents_number", "documents", ["owner_key_id", "number", "request_id"])
    op.create_index("documents_oldest", "documents", ["created_at"])
    op.create_table(
        "document_bands",
        sa.Column("owner_key_id", sa.String(12), primary_key=True),
        sa.Column("band", sa.BigInteger, primary_key=True),
        sa.Column("request_id", sa.String(128), primary_key=True),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("document_bands")
    op.drop_table("documents")
