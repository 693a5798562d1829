"""Tries a real bucket, as the server would use it, and says whether it can be trusted.

Usage: the server's variables (S3_BUCKET, S3_ENDPOINT_URL, AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, S3_PREFIX), then: python scripts/smoke_r2.py [--races 100] [--large-mb 64]

It writes below S3_PREFIX/smoke/ and removes what it wrote, but for one probe object. Exit status 1
when a promise does not hold.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx

from apps.api_cpu.artifacts.stores.build import bucket_of
from apps.api_cpu.artifacts.stores.s3 import Bucket, S3ArtifactStore, StoreRefused
from apps.api_cpu.settings import SettingsError, load_settings
from lib.errors import Error

Check = Callable[[], str]


class Smoke:
    """The checks, each on keys of its own."""

    def __init__(self, bucket: Bucket, races: int, large_mb: int) -> None:
        self._stores = [S3ArtifactStore(bucket, within_s=30) for _ in range(2)]
        self._store = self._stores[0]
        self._ca_bundle = os.environ.get("AWS_CA_BUNDLE")
        self._run = uuid.uuid4().hex
        self._races, self._large_mb = races, large_mb
        self._written: list[str] = []

    def checks(self) -> dict[str, Check]:
        """What is checked, by what is promised."""
        return {
            "it refuses to overwrite, and says so": self.start,
            "what is written is read": self.round_trip,
            "the same bytes again are no conflict, others are": self.conflict,
            f"of two writers at once one wins, {self._races} times": self.race,
            f"{self._large_mb} MB arrive whole": self.large,
            "a presigned upload takes its content, once": self.presigned,
            "a listing has what was written": self.listing,
            "what is deleted is gone": self.delete,
        }

    def start(self) -> str:
        for store in self._stores:
            store.check()
        return ""

    def round_trip(self) -> str:
        times = []
        for number in range(20):
            key, data = self._key(f"small-{number}"), os.urandom(20_000)
            began = time.perf_counter()
            self._store.put(key, data)
            times.append(time.perf_counter() - began)
            _expect(self._store.get(key) == data, "another content was read")
        times.sort()
        return f"median {times[10] * 1000:.0f} ms, slowest {times[-1] * 1000:.0f} ms a write"

    def conflict(self) -> str:
        key = self._key("conflict")
        self._store.put(key, b"first")
        self._stores[1].put(key, b"first")
        _expect(not _won(self._stores[1], key, b"second"), "it was overwritten")
        _expect(self._store.get(key) == b"first", "it was overwritten")
        return ""

    def race(self) -> str:
        barrier = threading.Barrier(2)
        won: list[list[bool]] = [[], []]
        keys = [self._key(f"race-{turn}") for turn in range(self._races)]

        def write(writer: int) -> None:
            for key in keys:
                barrier.wait()
                won[writer].append(_won(self._stores[writer], key, b"writer %d" % writer))

        threads = [threading.Thread(target=write, args=(writer,)) for writer in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for key, first, second in zip(keys, *won, strict=True):
            _expect(first != second, "both won, or both lost")
            winner = b"writer 0" if first else b"writer 1"
            _expect(self._store.get(key) == winner, "the loser's content is there")
        return f"{sum(won[0])} to {sum(won[1])}"

    def large(self) -> str:
        key, size = self._key("large", "inputs"), self._large_mb * 1_000_000
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "large"
            path.write_bytes(os.urandom(size))
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            began = time.perf_counter()
            self._store.put_file(key, path, sha256, size)
            took = time.perf_counter() - began
        with self._store.open(key) as stored:
            _expect(hashlib.file_digest(stored, "sha256").hexdigest() == sha256, "another content")
        return f"{size / took / 1e6:.1f} MB/s up"

    def presigned(self) -> str:
        key, data = self._key("presigned", "inputs"), b"a document"
        signed = self._store.presign_put(key, hashlib.sha256(data).hexdigest(), len(data), 300)
        url = self._store.presign_get(key, 300)
        if signed is None or url is None:
            raise AssertionError("no URL")
        headers = dict(signed.headers)
        with httpx.Client(verify=self._ca_bundle or True, timeout=30) as client:
            free = {name: value for name, value in headers.items() if name != "If-None-Match"}
            answer = client.put(signed.url, headers=free, content=data)
            _expect(answer.status_code == 403, "the condition can be left out")
            answer = client.put(signed.url, headers=headers, content=b"A DOCUMENT")
            _expect(answer.status_code == 400, f"other content: {answer.status_code}")
            answer = client.put(signed.url, headers=headers, content=data)
            _expect(answer.status_code == 200, f"refused: {answer.status_code}")
            answer = client.put(signed.url, headers=headers, content=data)
            _expect(answer.status_code == 412, f"a second time: {answer.status_code}")
            _expect(client.get(url).content == data, "another content was read")
        return ""

    def listing(self) -> str:
        listed = {
            entry.key for kind in ("extracts/", "inputs/") for entry in self._store.list(kind)
        }
        _expect(set(self._written) <= listed, "some are missing")
        return f"{len(self._written)} objects"

    def delete(self) -> str:
        for key in self._written:
            self._store.delete(key)
        _expect(not any(self._store.exists(key) for key in self._written[:20]), "some are there")
        return ""

    def _key(self, name: str, kind: str = "extracts") -> str:
        key = f"{kind}/2000-01-01/{self._run}-{name}"
        self._written.append(key)
        return key


def _won(store: S3ArtifactStore, key: str, data: bytes) -> bool:
    try:
        store.put(key, data)
    except Error as error:
        if error.code != "conflict":
            raise
        return False
    return True


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)


def main() -> int:
    """Run every check; 0 when all hold."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--races", type=int, default=100, help="rounds of two writers (100)")
    parser.add_argument("--large-mb", type=int, default=64, help="size of the large object (64)")
    asked = parser.parse_args()
    try:
        settings = load_settings()
    except SettingsError as error:
        parser.error(str(error))
    if settings.s3_bucket is None:
        parser.error("S3_BUCKET is not set")
    whole = bucket_of(settings)
    bucket = replace(whole, prefix=f"{whole.prefix}smoke/")
    failed = 0
    for promise, check in Smoke(bucket, asked.races, asked.large_mb).checks().items():
        try:
            note = check()
        except (AssertionError, StoreRefused, Error) as problem:
            failed += 1
            print(f"FAILED  {promise}: {problem}")
            if isinstance(problem, StoreRefused):
                break
        else:
            print(f"ok      {promise}{f' ({note})' if note else ''}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
