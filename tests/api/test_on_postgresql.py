"""Servers on one PostgreSQL: they share keys, ids, runs, corrections and vendors."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from api_place import PEPPER, RECEIPT, Place
from peers import Peer
from pydantic import SecretStr

from apps.api_cpu.auth.roles import Role
from apps.api_cpu.auth.service import KeyService
from apps.api_cpu.auth.store import KeyStore
from apps.api_cpu.db.engine import Durability, Schema, open_database

pytestmark = pytest.mark.slow


def test_two_servers_answer_as_one(make_place: Callable[..., Place], postgres: Peer) -> None:
    url = SecretStr(postgres.new_database())
    keys = KeyService(KeyStore(open_database(url, Schema.KEYS, Durability.CRASH)), PEPPER)
    mine = {"Authorization": f"Bearer {keys.create('mine', Role.CLIENT).text}"}
    other = {"Authorization": f"Bearer {keys.create('other', Role.CLIENT).text}"}
    shared: dict[str, Any] = {
        "jobs_db_path": url, "auth_db_path": url, "auth_enabled": True, "api_key_pepper": PEPPER
    }  # fmt: skip
    first, second = (make_place(**shared).client for _ in range(2))

    body = {"image_base64": base64.b64encode(RECEIPT).decode()}
    kept = body | {"request_id": "one", "persist_inputs": True}
    ref = first.post("/v1/extract", json=kept, headers=mine).json()["input_ref"]
    assert second.get("/v1/extracts/one", headers=mine).status_code == 200
    assert second.get("/v1/extracts/one", headers=other).status_code == 404
    again = second.post("/v1/extract", json=body | {"request_id": "one"}, headers=mine)
    assert again.json()["error"]["code"] == "conflict"

    batch = {"items": [{"image_ref": ref}], "run_id": "march"}
    assert second.post("/v1/batch_extract", json=batch, headers=mine).json()["ok_count"] == 1
    assert first.post("/v1/batch_extract", json=batch, headers=mine).status_code == 409
    listed = first.get("/v1/runs", headers=mine).json()
    assert [run["run_id"] for run in listed["runs"]] == ["march"]
    assert first.get("/v1/runs", headers=other).json()["runs"] == []

    correction = {"fields": {"vendor_name": "Corner Shop \U0001f9fe"}}
    corrected = second.post("/v1/extracts/one/corrections", json=correction, headers=mine)
    assert corrected.status_code == 201, corrected.text
    found = first.get("/v1/extracts/one/corrections", headers=mine).json()
    assert len(found["corrections"]) == 1
    assert len(first.get("/v1/vendors", headers=mine).json()["vendors"]) == 1


def test_a_database_that_is_gone_is_a_named_error_and_passes(
    make_place: Callable[..., Place], postgres: Peer
) -> None:
    place = make_place(jobs_db_path=SecretStr(postgres.new_database()))
    body = {"image_base64": base64.b64encode(RECEIPT).decode(), "request_id": "late"}
    assert place.client.post("/v1/extract", json=body | {"request_id": "a"}).status_code == 200
    postgres.kill()
    answer = place.client.post("/v1/extract", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "storage_unavailable")
    assert answer.headers["retry-after"]
    postgres.start()
    assert place.client.post("/v1/extract", json=body).status_code == 200
