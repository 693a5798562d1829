"""The tables, as SQLAlchemy Core sees them; the migrations make them."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, Float, LargeBinary, MetaData, String, Table

metadata = MetaData()

api_keys = Table(
    "api_keys",
    metadata,
    Column("key_id", String(12), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("role", String(20), nullable=False),
    Column("mac", LargeBinary(32), nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("expires_at", DateTime),
    Column("last_used_at", DateTime),
    Column("revoked_at", DateTime),
    Column("previous_mac", LargeBinary(32)),
    Column("previous_expires_at", DateTime),
)

# One row a request id, inserted before work starts; `lease_until` is in Unix seconds.
extracts = Table(
    "extracts",
    metadata,
    Column("request_id", String(128), primary_key=True),
    Column("owner_key_id", String(12), nullable=False),
    Column("artifact_rel", String(200), nullable=False),
    Column("lease_until", Float, nullable=False),
)

# Who may name a stored input: content is stored once, but may have been sent by several keys.
inputs = Table(
    "inputs",
    metadata,
    Column("input_ref", String(200), primary_key=True),
    Column("owner_key_id", String(12), primary_key=True),
)
