"""What holds for every test: property tests have no clock; in CI the same examples each."""

import gc
import os
import re
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from peers import Peer, started
from PIL import Image
from pydantic import SecretStr

from apps.api_cpu.db.engine import Durability, Schema, open_database
from apps.api_cpu.settings import load_settings

# Nor is it a failure that a busy machine makes examples slowly.
_TIMELESS = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("everyday", _TIMELESS)
settings.register_profile("ci", _TIMELESS, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "everyday")

# What is slow on a quiet machine may take many times as long on a busy one.
_SLOW_TIMEOUT_S = 900
# `make test` hands out whole files in this order, so that no process ends alone with a long one.
_FIRST = ("e2e", "faults", "contract")


# How a file says that all of its tests are slow.
_ALL_SLOW = re.compile(r"^pytestmark = \[?pytest\.mark\.slow\b", re.MULTILINE)

# Nothing of what is imported and collected is garbage: to look for some in it takes a sixth of the
# collection, and in what is left of it a part of every test.
gc.disable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are cores: a test that waits uses none."""
    return (os.cpu_count() or 1) + 1


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """What has slow tests only is not imported in order to be left out: browsers, S3."""
    wanted = config.option.markexpr
    if "not slow" not in wanted or " or " in wanted:
        return None
    files = [collection_path]
    if collection_path.is_dir():
        files = list(collection_path.rglob("test_*.py"))
    is_slow = [_ALL_SLOW.search(file.read_text("utf-8")) for file in files if file.suffix == ".py"]
    return True if is_slow and all(is_slow) else None


def pytest_collection_finish() -> None:
    """From here on what tests leave behind is looked for, and nothing else."""
    gc.enable()
    gc.freeze()


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


@pytest.fixture
def one_day(request: pytest.FixtureRequest) -> None:
    """No midnight (UTC) within the test: just before it, the new day is waited for.

    Content that is kept again on another day is another input, and what is read on another day
    another question, since the day decides how dates are read.
    """
    now = datetime.now(UTC)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    left_s = (midnight - now).total_seconds()
    if left_s < (300 if request.node.get_closest_marker("slow") else 60):
        time.sleep(left_s)


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


@pytest.fixture(scope="session")
def new_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with every table, and nothing in them: migrated once, to be copied."""
    path = tmp_path_factory.mktemp("new_database") / "all.sqlite3"
    for schema in Schema:
        open_database(path, schema, Durability.CRASH).dispose()
    return path


@pytest.fixture(scope="session")
def new_databases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The databases that a first start makes: migrated once here, and copied for each server."""
    settings = load_settings(data_root=tmp_path_factory.mktemp("new_databases"))
    for location, schema in (
        (settings.auth_database, Schema.KEYS),
        (settings.index_database, Schema.INDEX),
        (settings.vendors_database, Schema.VENDORS),
        (settings.duplicates_database, Schema.DUPLICATES),
        (settings.jobs_database, Schema.JOBS),
    ):
        open_database(location, schema, Durability.CRASH).dispose()
    return settings.data_root


@pytest.fixture
def location(empty_location: Path | SecretStr, new_database: Path) -> Path | SecretStr:
    """A new database: a SQLite file, and one on a real PostgreSQL."""
    if isinstance(empty_location, Path):
        shutil.copyfile(new_database, empty_location)
    return empty_location


@pytest.fixture(params=["file", pytest.param("server", marks=pytest.mark.slow)])
def empty_location(request: pytest.FixtureRequest, tmp_path: Path) -> Path | SecretStr:
    """The same without tables."""
    if request.param == "file":
        return tmp_path / "database.sqlite3"
    peer: Peer = request.getfixturevalue("postgres")
    return SecretStr(peer.new_database())
