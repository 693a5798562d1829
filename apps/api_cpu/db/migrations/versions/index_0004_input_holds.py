"""Stored inputs get a row each, and a hold for every reason to keep one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "index_0004"
down_revision = "index_0003"
branch_labels = None


def upgrade() -> None:
    """Make both tables; what was known so far was kept by its owners."""
    op.create_table(
        "input_holds",
        sa.Column("input_ref", sa.String(200), primary_key=True),
        sa.Column("holder", sa.String(64), primary_key=True),
        sa.Column("owner_key_id", sa.String(12), primary_key=True),
        sa.Column("created_at", sa.Float, nullable=False),
    )
    op.create_index("input_holds_holder", "input_holds", ["holder"])
    op.execute(
        "INSERT INTO input_holds (input_ref, holder, owner_key_id, created_at) "
        "SELECT input_ref, 'kept', owner_key_id, 0 FROM inputs"
    )
    op.drop_table("inputs")
    op.create_table(
        "inputs",
        sa.Column("input_ref", sa.String(200), primary_key=True),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger),
        sa.Column("touched_at", sa.Float, nullable=False),
        sa.Column("stored_at", sa.Float),
        sa.Column("removing_at", sa.Float),
        sa.Column("removed_at", sa.Float),
    )
    op.create_index("inputs_touched", "inputs", ["touched_at"])
    op.create_index("inputs_sha256", "inputs", ["sha256"])
    # A reference is `inputs/YYYY-MM-DD/<sha256>.<ext>`.
    op.execute(
        "INSERT INTO inputs (input_ref, sha256, touched_at, stored_at) "
        "SELECT DISTINCT input_ref, substr(input_ref, 19, 64), 0, 0 FROM input_holds"
    )


def downgrade() -> None:
    """Back to one row an owner."""
    op.drop_table("inputs")
    op.create_table(
        "inputs",
        sa.Column("input_ref", sa.String(200), primary_key=True),
        sa.Column("owner_key_id", sa.String(12), primary_key=True),
    )
    op.execute(
        "INSERT INTO inputs (input_ref, owner_key_id) "
        "SELECT DISTINCT input_ref, owner_key_id FROM input_holds"
    )
    op.drop_table("input_holds")
