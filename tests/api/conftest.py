"""Servers in this process, made by their settings."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from api_place import PEPPER, FakePipeline, Place

from apps.api_cpu.settings import load_settings


@contextmanager
def _shared(folder: Path, new_databases: Path, **settings: Any) -> Iterator[Place]:
    shutil.copytree(new_databases, folder / "data")
    given = {"data_root": folder / "data", "ocr_workers": 1} | settings
    place = Place(load_settings(**given), FakePipeline())
    with place.client:
        yield place


@pytest.fixture(scope="module")
def shared_place(tmp_path_factory: pytest.TempPathFactory, new_databases: Path) -> Iterator[Place]:
    """One server without keys for the tests of a module that leave each other alone."""
    with _shared(tmp_path_factory.mktemp("shared"), new_databases) as place:
        yield place


@pytest.fixture(scope="module")
def shared_locked(tmp_path_factory: pytest.TempPathFactory, new_databases: Path) -> Iterator[Place]:
    """The same with keys."""
    folder = tmp_path_factory.mktemp("locked")
    with _shared(folder, new_databases, auth_enabled=True, api_key_pepper=PEPPER) as place:
        yield place


@pytest.fixture
def make_place(tmp_path: Path, new_databases: Path) -> Iterator[Callable[..., Place]]:
    """Builds servers: keyword arguments are settings."""
    pipeline = FakePipeline()
    entered: list[Place] = []

    def make(**settings: Any) -> Place:
        given = {"data_root": tmp_path / "data", "ocr_workers": 1} | settings
        place = Place(load_settings(**given), pipeline)
        if not place.settings.data_root.exists():
            shutil.copytree(new_databases, place.settings.data_root)
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
