"""How often what a key knows of vendors has changed, so that its book is made again only then."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "vendors_0002"
down_revision = "vendors_0001"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "vendor_books",
        sa.Column("owner_key_id", sa.String(12), primary_key=True),
        sa.Column("revision", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("vendor_books")
