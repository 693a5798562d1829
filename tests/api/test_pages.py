"""Pages of kept documents as images, and their words."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_place import PEPPER, FakePipeline, Place
from PIL import Image

from apps.api_cpu.auth.roles import Role
from apps.api_cpu.settings import load_settings
from apps.api_cpu.stations import build_document_loader

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


@pytest.fixture
def opening(tmp_path: Path) -> Iterator[Place]:
    """A server that asks for keys, and opens documents truly."""
    settings = load_settings(
        data_root=tmp_path / "data", ocr_workers=1, auth_enabled=True, api_key_pepper=PEPPER
    )
    place = Place(settings, FakePipeline(), build_document_loader(settings))
    with place.client:
        yield place


def _keep(place: Place, data: bytes, headers: dict[str, str], request_id: str = "p-1") -> None:
    body = {
        "image_base64": base64.b64encode(data).decode(),
        "persist_inputs": True,
        "request_id": request_id,
    }
    assert place.client.post("/v1/extract", json=body, headers=headers).status_code == 200


def _get(place: Place, path: str, headers: dict[str, str]) -> Any:
    return place.client.get(f"/v1/extracts/{path}", headers=headers)


def test_a_page_is_drawn_for_its_owner_in_the_width_asked_for(opening: Place) -> None:
    headers = opening.headers()
    _keep(opening, (SAMPLES / "invoice_digital.pdf").read_bytes(), headers)
    found = _get(opening, "p-1/pages/1.png?width=300", headers)
    assert found.status_code == 200
    assert found.headers["content-type"] == "image/png"
    assert found.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in found.headers["content-security-policy"]
    assert found.headers["cache-control"].startswith("private")
    picture = Image.open(io.BytesIO(found.content))
    assert picture.width == 300
    assert picture.height == pytest.approx(300 * 297 / 210, abs=3)
    assert _get(opening, "p-1/pages/1.png?width=300", headers).content == found.content
    assert _get(opening, "p-1/pages/1.png", opening.headers(Role.ADMIN)).status_code == 200


def test_what_is_not_there_or_not_theirs_is_not_found(opening: Place) -> None:
    headers = opening.headers()
    _keep(opening, (SAMPLES / "receipt_photo.jpg").read_bytes(), headers)
    for path, whose in (
        ("p-1/pages/2.png", headers),
        ("unknown/pages/1.png", headers),
        ("p-1/pages/1.png", opening.headers()),
        ("p-1/words?page=2", headers),
        ("p-1/words", opening.headers()),
    ):
        assert _get(opening, path, whose).json()["error"]["code"] == "not_found", path
    for path in ("p-1/pages/0.png", "p-1/pages/1.png?width=10", "p-1/pages/1.png?width=9999"):
        assert _get(opening, path, headers).json()["error"]["code"] == "validation_error", path


def test_a_document_that_was_not_kept_has_words_and_no_image(opening: Place) -> None:
    headers = opening.headers()
    body = {"image_base64": base64.b64encode(b"a document").decode(), "request_id": "p-2"}
    assert opening.client.post("/v1/extract", json=body, headers=headers).status_code == 200
    missing = _get(opening, "p-2/pages/1.png", headers)
    assert missing.status_code == 409
    assert missing.json()["error"]["code"] == "input_not_persisted"
    words = _get(opening, "p-2/words?page=1", headers).json()
    assert words["request_id"] == "p-2"
    assert (words["width"], words["height"]) == (1240, 1754)
    assert [word["text"] for word in words["words"]] == ["Corner", "Shop"]
    assert len(words["words"][0]["polygon"]) == 4


def test_a_hostile_document_harms_the_decoder_only(opening: Place) -> None:
    headers = opening.headers()
    _keep(opening, b"%PDF-1.7\nnothing that follows is a document", headers)
    found = _get(opening, "p-1/pages/1.png", headers)
    assert found.json()["error"]["code"] == "unreadable_document"
