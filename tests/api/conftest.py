"""Servers in this process, made by their settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from api_place import PEPPER, FakePipeline, Place

from apps.api_cpu.settings import load_settings


@pytest.fixture
def make_place(tmp_path: Path) -> Iterator[Callable[..., Place]]:
    """Builds servers: keyword arguments are settings."""
    pipeline = FakePipeline()
    entered: list[Place] = []

    def make(**settings: Any) -> Place:
        given = {"data_root": tmp_path / "data", "ocr_workers": 1} | settings
        place = Place(load_settings(**given), pipeline)
        place.client.__enter__()
        entered.append(place)
        return place

    yield make
    pipeline.release.set()
    for place in entered:
        place.client.__exit__(None, None, None)


@pytest.fixture
def place(make_place: Callable[..., Place]) -> Place:
    """A server that asks for no keys."""
    return make_place()


@pytest.fixture
def locked(make_place: Callable[..., Place]) -> Place:
    """A server that asks for keys."""
    return make_place(auth_enabled=True, api_key_pepper=PEPPER)
