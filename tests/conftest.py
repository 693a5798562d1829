"""What holds for every test: property tests have no clock; in CI the same examples each."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from peers import Peer, started
from PIL import Image
from pydantic import SecretStr

settings.register_profile("everyday", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "everyday")

# What is slow on a quiet machine may take many times as long on a busy one.
_SLOW_TIMEOUT_S = 480
# `make test` hands out whole files in this order, so that no process ends alone with a long one.
_FIRST = ("e2e", "faults", "contract")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; slow tests have more time, unless they say how much."""
    tests = Path(__file__).parent
    items.sort(key=lambda item: _turn(item.path.relative_to(tests).parts[0]))
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(_SLOW_TIMEOUT_S))


def _turn(folder: str) -> int:
    return _FIRST.index(folder) if folder in _FIRST else len(_FIRST)


@pytest.fixture(autouse=True)
def _pixel_limit_of_one_test() -> Iterator[None]:
    """A decoder sets Pillow's limit for its process; here many tests share one."""
    before = Image.MAX_IMAGE_PIXELS
    yield
    Image.MAX_IMAGE_PIXELS = before


@pytest.fixture(scope="session")
def redis() -> Iterator[Peer]:
    """A real Redis."""
    peer = started("redis")
    yield peer
    peer.close()


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[Peer]:
    """A real RabbitMQ."""
    peer = started("rabbitmq")
    yield peer
    peer.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Peer]:
    """A real PostgreSQL; `new_database` for each test."""
    peer = started("postgres")
    yield peer
    peer.close()


@pytest.fixture(params=["file", pytest.param("server", marks=pytest.mark.slow)])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Path | SecretStr:
    """An empty database: a SQLite file, and one on a real PostgreSQL."""
    if request.param == "file":
        return tmp_path / "database.sqlite3"
    peer: Peer = request.getfixturevalue("postgres")
    return SecretStr(peer.new_database())
