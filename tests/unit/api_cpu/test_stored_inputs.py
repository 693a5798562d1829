"""Stored inputs: who may read them, how long they stay, and that content is stored once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from apps.api_cpu.artifacts.stores.local import LocalArtifactStore
from apps.api_cpu.auth.roles import Caller, Role
from apps.api_cpu.db.engine import Durability, Schema, open_database
from apps.api_cpu.inputs.content import Content, extension_of, media_type_of
from apps.api_cpu.inputs.service import KEPT, InputStore
from apps.api_cpu.inputs.store import InputIndex
from lib.errors import Error

GRACE_S = 100.0
DAY = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
PDF = b"%PDF-1.7 a document"
ANN, BEN = Caller("ann", Role.CLIENT), Caller("ben", Role.CLIENT)
ADMIN = Caller("root", Role.ADMIN)


class Clock:
    """A clock that is set by hand."""

    now = 10_000.0

    def __call__(self) -> float:
        return self.now


class Place:
    """An input store and what it stands on."""

    def __init__(self, folder: Path, location: Path | SecretStr) -> None:
        self.folder = folder / "artifacts"
        self.store = LocalArtifactStore(self.folder)
        engine = open_database(location, Schema.INDEX, Durability.CRASH)
        self.clock = Clock()
        self.inputs = InputStore(self.store, InputIndex(engine), grace_s=GRACE_S, clock=self.clock)

    def hold(self, owner: Caller = ANN, holder: str = KEPT, data: bytes = PDF) -> str:
        return self.inputs.hold(Content.of_bytes(data), owner.key_id, DAY, holder)

    def later(self) -> None:
        self.clock.now += GRACE_S + 1


@pytest.fixture
def place(tmp_path: Path, location: Path | SecretStr) -> Place:
    return Place(tmp_path, location)


def _code(place: Place, ref: str, caller: Caller) -> str:
    with pytest.raises(Error) as caught:
        place.inputs.read(ref, caller)
    return caught.value.code


def test_what_is_kept_is_read_by_its_owner_and_admins(place: Place) -> None:
    ref = place.hold()
    assert ref == f"inputs/2026-11-20/{Content.of_bytes(PDF).sha256}.pdf"
    assert place.inputs.read(ref, ANN) == PDF
    assert place.inputs.read(ref, ADMIN) == PDF
    assert _code(place, ref, BEN) == "not_found"
    assert _code(place, "inputs/2026-11-20/none.pdf", ADMIN) == "not_found"
    assert _code(place, "extracts/2026-11-20/a.json", ADMIN) == "not_found"
    assert _code(place, "../secret", ADMIN) == "not_found"


def test_content_is_stored_once_and_each_owner_may_read_it(place: Place) -> None:
    assert place.hold(ANN) == place.hold(BEN) == place.hold(BEN)
    assert len(list(place.folder.rglob("*.pdf"))) == 1
    ref = place.hold()
    assert place.inputs.read(ref, ANN) == place.inputs.read(ref, BEN) == PDF


def test_a_file_is_stored_like_bytes(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(PDF)
    content = Content.of_file(path, Content.of_bytes(PDF).sha256, len(PDF))
    ref = place.inputs.hold(content, "ann", DAY, "job-1")
    assert ref == place.hold()
    assert place.inputs.read(ref, ANN) == PDF


def test_it_goes_when_its_last_holder_has_released_it_and_the_grace_is_over(place: Place) -> None:
    ref = place.hold(holder="job-1")
    place.hold(holder="job-2")
    place.inputs.release("job-1")
    place.later()
    assert place.inputs.sweep() == 0
    place.inputs.release("job-2")
    assert place.inputs.sweep() == 0, "the grace has just begun"
    assert _code(place, ref, ANN) == "not_found", "but nobody may name it any more"
    place.later()
    assert place.inputs.sweep() == 1
    assert not place.store.exists(ref)
    assert place.inputs.sweep() == 0


def test_what_a_job_held_is_kept_when_its_owner_asked_for_that(place: Place) -> None:
    ref = place.hold(holder="job-1")
    place.inputs.keep(ref, ANN)
    place.inputs.release("job-1")
    place.later()
    assert place.inputs.sweep() == 0
    assert place.inputs.read(ref, ANN) == PDF


def test_a_job_holds_what_its_owner_may_name_and_nothing_else(place: Place) -> None:
    ref = place.hold()
    place.inputs.hold_stored(ref, ANN, "job-1")
    with pytest.raises(Error) as caught:
        place.inputs.hold_stored(ref, BEN, "job-2")
    assert caught.value.code == "not_found"
    assert not place.inputs.erase(ref, "ann"), "the job still reads it"
    assert place.inputs.read(ref, ANN) == PDF
    place.inputs.release("job-1")
    place.later()
    assert place.inputs.sweep() == 1


def test_erasing_takes_it_from_one_owner_and_the_object_with_the_last(place: Place) -> None:
    ref = place.hold(ANN)
    place.hold(BEN)
    assert not place.inputs.erase(ref, "ann")
    assert _code(place, ref, ANN) == "not_found"
    assert place.inputs.read(ref, BEN) == PDF
    assert place.inputs.erase(ref, "ben")
    assert not place.store.exists(ref)


def test_content_that_was_removed_comes_back_under_another_key(place: Place) -> None:
    first = place.hold()
    place.inputs.erase(first, "ann")
    second = place.hold()
    assert second == first.replace(".pdf", ".2.pdf")
    assert place.inputs.read(second, ANN) == PDF
    assert place.hold(BEN) == second
    place.inputs.erase(second, "ann")
    place.inputs.erase(second, "ben")
    assert place.hold() == first.replace(".pdf", ".3.pdf")


def test_jobs_whose_holds_are_old_can_be_asked_for(place: Place) -> None:
    place.hold(holder="job-1")
    place.hold(holder=KEPT)
    assert place.inputs.holders() == []
    place.later()
    assert place.inputs.holders() == ["job-1"]


def test_an_object_that_got_lost_is_written_again(place: Place) -> None:
    ref = place.hold()
    place.store.delete(ref)
    assert place.hold(BEN) == ref
    assert place.inputs.read(ref, ANN) == PDF


@pytest.mark.parametrize(
    ("head", "extension", "media_type"),
    [
        (b"%PDF-1.4", "pdf", "application/pdf"),
        (b"\xff\xd8\xff\xe0", "jpg", "image/jpeg"),
        (b"<?xml version='1.0'?>", "xml", "application/xml"),
        (b"hello", "bin", "application/octet-stream"),
        (b"", "bin", "application/octet-stream"),
    ],
)
def test_the_extension_is_what_the_bytes_say(head: bytes, extension: str, media_type: str) -> None:
    assert extension_of(head) == extension
    assert media_type_of(f"inputs/2026-11-20/abc.{extension}") == media_type
