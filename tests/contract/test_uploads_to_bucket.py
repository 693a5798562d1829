"""Uploads that go to the bucket itself, and addresses of inputs in it."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from s3_places import Place

from apps.api_cpu.artifacts.stores.s3 import S3ArtifactStore
from apps.api_cpu.auth.roles import Caller, Role
from apps.api_cpu.db.engine import Durability, Schema, open_database
from apps.api_cpu.inputs.service import InputStore
from apps.api_cpu.inputs.store import InputIndex
from apps.api_cpu.inputs.upload_store import UploadIndex
from apps.api_cpu.inputs.uploads import Announced, UploadService
from lib.errors import Error

pytestmark = pytest.mark.slow

pytest_plugins = ["s3_places"]

ANN, BEN = Caller("ann", Role.CLIENT), Caller("ben", Role.CLIENT)
DOCUMENT = b"%PDF-1.7 " + bytes(range(256)) * 1000


class Uploads:
    """The services on a bucket."""

    def __init__(self, place: Place, folder: Path) -> None:
        self.now = time.time()
        self.place = place
        self._engine = open_database(folder / "index.sqlite3", Schema.INDEX, Durability.CRASH)
        self.store = place.store()
        self.inputs = self.inputs_in(self.store)
        self.service = UploadService(
            self.store, UploadIndex(self._engine), self.inputs, folder / "incoming", 10_000_000, 3
        )

    def inputs_in(self, store: S3ArtifactStore) -> InputStore:
        """The same inputs by another way to the bucket."""
        return InputStore(store, InputIndex(self._engine), grace_s=-1.0, clock=lambda: self.now)

    def announce(self, data: bytes = DOCUMENT) -> dict[str, Any]:
        announced = Announced(hashlib.sha256(data).hexdigest(), len(data), "application/pdf")
        return self.service.announce(announced, ANN)


@pytest.fixture
def uploads(moto_place: Place, tmp_path: Path) -> Uploads:
    return Uploads(moto_place, tmp_path)


def _send(announced: dict[str, Any], data: bytes = DOCUMENT) -> int:
    sent = announced["headers"] | {"Content-Length": str(len(data))}
    return httpx.put(announced["url"], content=data, headers=sent, timeout=100).status_code


def _code(uploads: Uploads, ref: str, caller: Caller = ANN) -> str:
    with pytest.raises(Error) as caught:
        uploads.inputs.read(ref, caller)
    return caught.value.code


def test_the_bucket_takes_it_and_it_is_read(uploads: Uploads) -> None:
    announced = uploads.announce()
    ref = announced["image_ref"]
    assert announced["url"].startswith("http")
    assert _code(uploads, ref) == "not_found"
    assert _send(announced) == 200
    assert uploads.inputs.read(ref, ANN) == DOCUMENT
    assert _code(uploads, ref, BEN) == "not_found"
    address = uploads.inputs.address(ref, ANN)
    assert address is not None
    assert httpx.get(address, timeout=100).content == DOCUMENT


def test_what_was_not_used_yet_counts_as_announced(uploads: Uploads) -> None:
    first, *_ = [uploads.announce(), uploads.announce(), uploads.announce()]
    assert _send(first) == 200
    with pytest.raises(Error) as caught:
        uploads.announce()
    assert (caught.value.code, caught.value.details["limit"]) == ("rate_limited", 3)
    uploads.inputs.read(first["image_ref"], ANN)
    uploads.announce()


def test_what_was_not_announced_is_never_read(uploads: Uploads) -> None:
    announced = uploads.announce()
    forged = DOCUMENT[:-1] + b"!"
    # A store that checks refuses it; of one that does not, the bytes are found out when read.
    refused = _send(announced, forged) != 200
    wanted = {"not_found"} if refused else {"validation_error", "storage_unavailable"}
    # What arrives damaged is asked for again for as long as the store has patience.
    uploads.inputs = uploads.inputs_in(uploads.place.store(within_s=2.0))
    assert _code(uploads, announced["image_ref"]) in wanted


def test_what_was_uploaded_and_never_kept_goes(uploads: Uploads) -> None:
    announced = uploads.announce()
    _send(announced)
    ref = announced["image_ref"]
    uploads.inputs.read(ref, ANN)
    uploads.now += 2 * 86400
    uploads.inputs.sweep()
    assert not uploads.store.exists(ref)
