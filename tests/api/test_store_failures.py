"""A store that fails before, while and after a document is read."""

from __future__ import annotations

import base64
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from api_place import RECEIPT, Place

BODY = {"image_base64": base64.b64encode(RECEIPT).decode(), "request_id": "one"}
WAITING = {"image_base64": base64.b64encode(b"wait").decode(), "request_id": "one"}


@contextmanager
def _being_read(place: Place, body: dict[str, Any]) -> Iterator[list[Any]]:
    """A request whose document is being read, and answered when this ends."""
    answers: list[Any] = []
    thread = threading.Thread(
        target=lambda: answers.append(place.client.post("/v1/extract", json=body))
    )
    thread.start()
    assert place.pipeline.entered.wait(60)
    yield answers
    place.pipeline.release.set()
    thread.join()


def _break(place: Place) -> None:
    incoming = place.settings.artifacts_folder / ".incoming"
    incoming.rename(incoming.with_name(".away"))  # with the server's probe in it, perhaps
    incoming.write_text("in the way")


def _mend(place: Place) -> None:
    incoming = place.settings.artifacts_folder / ".incoming"
    incoming.unlink()
    incoming.with_name(".away").rename(incoming)


def test_a_store_that_is_broken_before_the_work_refuses_it(place: Place) -> None:
    _break(place)
    answer = place.client.post("/v1/extract", json=BODY)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "storage_unavailable")
    assert place.pipeline.calls == []


def test_an_answer_is_not_thrown_away_when_the_store_breaks_under_it(place: Place) -> None:
    with _being_read(place, WAITING) as answers:
        _break(place)
    (answer,) = answers
    assert answer.status_code == 200
    assert answer.json()["result"]["total"] == 19.9
    assert [text.partition(":")[0] for text in answer.json()["warnings"]] == ["artifact_not_kept"]


def test_an_input_that_cannot_be_kept_is_a_warning_and_kept_in_the_artifact(place: Place) -> None:
    inputs = place.settings.artifacts_folder / "inputs"
    with _being_read(place, WAITING | {"persist_inputs": True}) as answers:
        inputs.write_text("in the way")
    (answer,) = answers
    assert answer.status_code == 200
    body = answer.json()
    assert body["input_ref"] is None
    assert [text.partition(":")[0] for text in body["warnings"]] == ["input_not_kept"]
    artifact = json.loads((place.settings.artifacts_folder / body["artifact_rel"]).read_text())
    assert artifact["response"]["warnings"] == body["warnings"]


def test_no_room_is_said_before_the_work_and_spends_neither_id_nor_disk(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(place.settings.artifacts_folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage._replace(free=1000))
    answer = place.client.post("/v1/extract", json=BODY)
    assert answer.status_code == 503
    assert answer.json()["error"]["details"] == {"reason": "no_room"}
    assert place.pipeline.calls == []
    assert place.artifact_files() == []
    monkeypatch.undo()
    assert place.client.get("/v1/extracts/one").status_code == 404


def test_a_store_that_is_mended_is_used_again(place: Place) -> None:
    _break(place)
    assert place.client.post("/v1/extract", json=BODY).status_code == 503
    _mend(place)
    assert place.client.post("/v1/extract", json=BODY | {"request_id": "two"}).status_code == 200
