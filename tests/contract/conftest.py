"""S3 servers for the tests that need one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from s3_places import S3_PLACES, Place, Places


@pytest.fixture(scope="session")
def s3_places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    """All S3 servers of the session."""
    with ExitStack() as opened:
        yield Places(tmp_path_factory.mktemp("s3"), opened)


@pytest.fixture(params=S3_PLACES)
def s3_place(request: pytest.FixtureRequest, s3_places: Places) -> Iterator[Place]:
    """Each S3 server, over http and over TLS."""
    _, which, over = request.param.split("-")
    place, close = s3_places.open(which, over)
    yield place
    close()


@pytest.fixture
def moto_place(s3_places: Places) -> Iterator[Place]:
    """moto over http: for what depends on the front alone."""
    place, close = s3_places.open("moto", "http")
    yield place
    close()
