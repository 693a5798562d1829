"""S3 servers to talk to: moto's in this process, and a peer that was started before.

Its fixtures are for `pytest_plugins`, after its names have been imported: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
import trustme
from botocore.config import Config
from s3_front import Credentials, Front, front

from apps.api_cpu.artifacts.stores.s3 import Bucket, S3ArtifactStore

BUCKET = "artifacts"
# For an answer that comes, on a machine that is busy with other things.
PATIENCE_S = 100.0


@dataclass
class Place:
    """A bucket behind a front; each test has a prefix of its own in it."""

    front: Front
    bucket: Bucket
    prefix: str = field(default_factory=lambda: f"{uuid.uuid4().hex}/")

    def store(self, **options: Any) -> S3ArtifactStore:
        """A store on this place, as another process would open it; patient by default."""
        changes = {
            name: options.pop(name) for name in ("secret_access_key", "name") if name in options
        }
        bucket = Bucket(**{**_fields(self.bucket), "prefix": self.prefix, **changes})
        return S3ArtifactStore(bucket, **{"within_s": PATIENCE_S, **options})


def _fields(bucket: Bucket) -> dict[str, Any]:
    return {name: getattr(bucket, name) for name in Bucket.__dataclass_fields__}


class Places:
    """Opens places, `moto` or `peer`, `http` or `tls`."""

    def __init__(self, folder: Path, opened: ExitStack) -> None:
        self._opened = opened
        self._authority = trustme.CA()
        self._ca_file = folder / "authority.pem"
        self._authority.cert_pem.write_to_path(str(self._ca_file))
        self._upstreams: dict[str, tuple[tuple[str, int], Credentials]] = {}

    def open(self, which: str, over: str) -> tuple[Place, Callable[[], None]]:
        """A place and what closes it again."""
        upstream, credentials = self._upstream(which)
        stack = ExitStack()
        served = stack.enter_context(
            front(
                upstream,
                credentials,
                authority=self._authority if over == "tls" else None,
                # moto looks whether a key is there and then writes it, with nothing in between.
                serialised=which == "moto",
            )
        )
        bucket = Bucket(
            BUCKET,
            served.url,
            credentials.access_key_id,
            credentials.secret,
            ca_bundle=str(self._ca_file) if over == "tls" else None,
        )
        return Place(served, bucket), stack.close

    def _upstream(self, which: str) -> tuple[tuple[str, int], Credentials]:
        if which not in self._upstreams:
            self._upstreams[which] = self._moto() if which == "moto" else _peer()
            host, port = self._upstreams[which][0]
            _make_bucket(f"http://{host}:{port}", self._upstreams[which][1])
        return self._upstreams[which]

    def _moto(self) -> tuple[tuple[str, int], Credentials]:
        from moto.server import ThreadedMotoServer  # noqa: PLC0415  # takes seconds

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        self._opened.callback(server.stop)
        host, port = server.get_host_and_port()
        return (host, port), Credentials()


def _peer() -> tuple[tuple[str, int], Credentials]:
    host, _, port = os.environ["S3_PEER_URL"].removeprefix("http://").partition(":")
    # It checks signatures of presigned requests, against these.
    return (host, int(port)), Credentials("test", "test")


def _make_bucket(url: str, credentials: Credentials) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret,
        config=Config(s3={"addressing_style": "path"}),
    )
    if BUCKET not in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
        client.create_bucket(Bucket=BUCKET)


S3_PLACES = [
    # The two differ in how a request is signed and framed; over TLS is how it is used.
    pytest.param("s3-moto-http", marks=pytest.mark.slow),
    "s3-moto-tls",
    pytest.param("s3-peer-http", marks=pytest.mark.s3_peer),
    pytest.param("s3-peer-tls", marks=pytest.mark.s3_peer),
]


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
