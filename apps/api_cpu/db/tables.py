"""The tables, as SQLAlchemy Core sees them; the migrations make them."""

from __future__ import annotations

import re

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy import String as _String

# PostgreSQL keeps no NUL, and neither keeps half of a surrogate pair.
_NOT_KEPT = re.compile("[\x00\ud800-\udfff]")


class String(TypeDecorator[str]):
    """Text, which may come from outside, ids that are looked for included: what a database cannot
    hold becomes U+FFFD, which no id has.
    """

    impl = _String
    cache_ok = True

    def process_bind_param(self, value: str | None, _dialect: Dialect) -> str | None:
        """As it is written and looked for."""
        return None if value is None else _NOT_KEPT.sub("\ufffd", value)


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

# One row a stored input; times are in Unix seconds. `stored_at` is null until the object is there.
# From `removing_at` on its key is never written again; `removed_at`: the object is gone.
inputs = Table(
    "inputs",
    metadata,
    Column("input_ref", String(200), primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("size_bytes", BigInteger),
    Column("touched_at", Float, nullable=False),
    Column("stored_at", Float),
    Column("removing_at", Float),
    Column("removed_at", Float),
)

# Why an input is kept, and who may name it: content is stored once, but sent by several keys.
input_holds = Table(
    "input_holds",
    metadata,
    Column("input_ref", String(200), primary_key=True),
    Column("holder", String(64), primary_key=True),
    Column("owner_key_id", String(12), primary_key=True),
    Column("created_at", Float, nullable=False),
)

# In the order of their ids, which are UUIDs version 7.
corrections = Table(
    "corrections",
    metadata,
    Column("correction_id", String(36), primary_key=True),
    Column("request_id", String(128), nullable=False, index=True),
    Column("artifact_rel", String(200), nullable=False),
)

# What was read of documents lately, as far as a duplicate is known by it; texts are folded.
documents = Table(
    "documents",
    metadata,
    Column("request_id", String(128), primary_key=True),
    Column("owner_key_id", String(12), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("number", String(200)),
    Column("vendor", String(200)),
    Column("vendor_tax_id", String(200)),
    Column("issue_date", String(10)),
    Column("total", String(64)),
    Column("signature", LargeBinary),
)

# Two texts that are alike share a band; bands are computed of the row of `documents`.
document_bands = Table(
    "document_bands",
    metadata,
    Column("owner_key_id", String(12), primary_key=True),
    Column("band", BigInteger, primary_key=True),
    Column("request_id", String(128), primary_key=True),
)

# One row per spelling of a vendor's name and address; `source` says what speaks for it.
vendors = Table(
    "vendors",
    metadata,
    Column("vendor_id", String(36), primary_key=True),
    Column("owner_key_id", String(12), nullable=False),
    Column("name", String(500), nullable=False),
    Column("address", String(1000), nullable=False),
    Column("numbers", JSON, nullable=False),
    Column("currency", String(3)),
    Column("date_order", String(3)),
    Column("source", String(12), nullable=False),
    Column("documents", Integer, nullable=False),
    Column("first_seen_at", DateTime, nullable=False),
    Column("last_seen_at", DateTime, nullable=False),
)

# Which documents were counted, as long as there are few of them.
vendor_documents = Table(
    "vendor_documents",
    metadata,
    Column("vendor_id", String(36), ForeignKey("vendors.vendor_id"), primary_key=True),
    Column("sha256", String(64), primary_key=True),
)

# Per key, how often what it knows of vendors has changed; kept when its vendors are erased.
vendor_books = Table(
    "vendor_books",
    metadata,
    Column("owner_key_id", String(12), primary_key=True),
    Column("revision", Integer, nullable=False),
)

# One row a run id, inserted before work starts; the counts are there once the artifact is written.
# Times are in Unix seconds.
runs = Table(
    "runs",
    metadata,
    Column("run_id", String(128), primary_key=True),
    Column("owner_key_id", String(12), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("lease_until", Float, nullable=False),
    Column("artifact_rel", String(200), nullable=False),
    Column("task_id", String(100), nullable=False),
    Column("item_count", Integer),
    Column("ok_count", Integer),
    Column("failed_count", Integer),
    Column("needs_review_count", Integer),
    Column("job_id", String(36)),
    Column("canceled_count", Integer),
)

# One row a key that a caller sent with a request that starts work; see apps/api_cpu/idempotency.
# Times are in Unix seconds; `status` is null while the first request runs.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("owner_key_id", String(12), primary_key=True),
    Column("idempotency_key", String(255), primary_key=True),
    Column("route", String(100), nullable=False),
    Column("resource_id", String(128), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("lease_until", Float, nullable=False),
    Column("fingerprint", String(64)),
    Column("status", Integer),
    Column("body", LargeBinary),
    Column("media_type", String(100)),
    Column("location", String(300)),
)

# One row a job: accepted work, and how far it is. Times are in Unix seconds, JSON is text as
# `wire.dump` writes it, so that money keeps its decimals. `version` counts the changes of a row.
jobs = Table(
    "jobs",
    metadata,
    Column("job_id", String(36), primary_key=True),
    Column("kind", String(30), nullable=False),
    Column("owner_key_id", String(12), nullable=False),
    Column("owner_role", String(20), nullable=False),
    Column("status", String(10), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("started_at", Float),
    Column("finished_at", Float),
    Column("cancel_requested_at", Float),
    Column("attempts", Integer, nullable=False),
    Column("run_id", String(128)),
    Column("task_id", String(100), nullable=False),
    Column("options", Text, nullable=False),
    Column("concurrency", Integer),
    Column("callback_url", String(2000)),
    Column("persist_inputs", Boolean, nullable=False),
    Column("total", Integer, nullable=False),
    Column("done", Integer, nullable=False),
    Column("ok", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("canceled", Integer, nullable=False),
    Column("needs_review", Integer, nullable=False),
    Column("stage", String(12), nullable=False),
    Column("current", String(255)),
    Column("finisher", String(36)),
    Column("finish_after", Float, nullable=False),
    Column("result_rel", String(200)),
    Column("error", Text),
    Column("version", Integer, nullable=False),
    Column("trace", Text),
)

# One row a document of a job. `ended` is the how-manieth of its job it was to succeed or fail;
# `history` lists the attempts that did not count, each with its error.
job_items = Table(
    "job_items",
    metadata,
    Column("job_id", String(36), ForeignKey("jobs.job_id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("owner_key_id", String(12), nullable=False),
    Column("status", String(10), nullable=False),
    Column("file", String(255)),
    Column("input_ref", String(200)),
    Column("request_id", String(128), nullable=False),
    Column("error", Text),
    Column("run_after", Float, nullable=False),
    Column("started_at", Float),
    Column("finished_at", Float),
    Column("attempts", Integer, nullable=False),
    Column("deaths", Integer, nullable=False),
    Column("worker_id", String(36)),
    Column("history", Text),
    Column("outcome", Text),
    Column("ended", Integer),
)

# One row a process that works on items: what it holds is its own until `lease_until`.
job_workers = Table(
    "job_workers",
    metadata,
    Column("worker_id", String(36), primary_key=True),
    Column("host", String(100), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("lease_until", Float, nullable=False),
)

# One row a webhook: written in the transaction that ends its job, sent by whoever has its lease.
# Times are in Unix seconds; `failed` counts since the delivery began or was asked for again.
webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("delivery_id", String(36), primary_key=True),
    Column("owner_key_id", String(12), nullable=False),
    Column("job_id", String(36), nullable=False, unique=True),
    Column("event", String(30), nullable=False),
    Column("url", String(2000), nullable=False),
    Column("host", String(260), nullable=False),
    Column("state", String(12), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("next_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("lease_until", Float, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("last_at", Float),
    Column("last_problem", String(20)),
    Column("last_status", Integer),
    Column("finished_at", Float),
    Column("trace", Text),
)

# Which version of a key's signing secret is in use; the secrets themselves are stored nowhere.
webhook_secrets = Table(
    "webhook_secrets",
    metadata,
    Column("owner_key_id", String(12), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("previous_until", Float),
)

# One row an artifact, noted when it is written; it can be made again from the artifacts themselves.
# `day` is the one in its key, YYYY-MM-DD; `created_at` is in Unix seconds.
artifacts = Table(
    "artifacts",
    metadata,
    Column("artifact_rel", String(200), primary_key=True),
    Column("kind", String(12), nullable=False),
    Column("artifact_id", String(160), nullable=False),
    Column("request_id", String(128)),
    Column("owner_key_id", String(12), nullable=False),
    Column("day", String(10), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("status", Integer),
    Column("error_code", String(40)),
    Column("sha256", String(64)),
    Column("input_ref", String(200)),
)

# Which extractions an artifact of many repeats: the items of a run, the documents of an evaluation.
artifact_items = Table(
    "artifact_items",
    metadata,
    Column("artifact_rel", String(200), primary_key=True),
    Column("request_id", String(128), primary_key=True),
)

# What was erased, when and by whom; times in Unix seconds. Not done yet while `done_at` is null.
erasures = Table(
    "erasures",
    metadata,
    Column("request_id", String(128), primary_key=True),
    Column("owner_key_id", String(12), nullable=False),
    Column("artifact_rel", String(200), nullable=False),
    Column("erased_by", String(12), nullable=False),
    Column("erased_at", Float, nullable=False),
    Column("done_at", Float),
)

# One row an upload that a client may send to this server; `expires_at` in Unix seconds.
uploads = Table(
    "uploads",
    metadata,
    Column("upload_id", String(32), primary_key=True),
    Column("input_ref", String(200), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("token_sha256", String(64), nullable=False),
    Column("expires_at", Float, nullable=False),
)

# Which extraction has answered which question, `cache_key`; the answer itself is in its artifact.
# `created_at` in Unix seconds.
cached_answers = Table(
    "cached_answers",
    metadata,
    Column("cache_key", String(64), primary_key=True),
    Column("owner_key_id", String(12), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("request_id", String(128), nullable=False),
    Column("artifact_rel", String(200), nullable=False),
    Column("created_at", Float, nullable=False),
)
