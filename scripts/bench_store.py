"""Measures the artifact store: a write's time, what the spool adds, and an outage under load.

    python scripts/bench_store.py latency [--count 300] [--kilobytes 60]
    python scripts/bench_store.py outage [--cut-for-s 300] [--writers 4] [--each-s 0.2]

The bucket is the server's: S3_BUCKET, S3_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY.
`outage` goes through a forwarder that is cut, so the endpoint must be http:// there. What it wrote
stays below S3_PREFIX/bench/: measure in a bucket that can be emptied.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import socket
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from statistics import quantiles
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from apps.api_cpu.artifacts.stores.build import bucket_of
from apps.api_cpu.artifacts.stores.local import LocalArtifactStore
from apps.api_cpu.artifacts.stores.s3 import Bucket, S3ArtifactStore
from apps.api_cpu.artifacts.stores.spool import Limits, Spool
from apps.api_cpu.artifacts.stores.spooling import SpoolingStore
from apps.api_cpu.settings import SettingsError, load_settings
from lib.errors import Error

LIMITS = Limits(10_000_000_000, 1_000_000)
# The server's, for writers and for the spool's uploads.
WITHIN_S, PATIENT_WITHIN_S = 5.0, 60.0
console = Console()


class Forwarder:
    """Passes TCP connections on to an address, until it is cut, and again when it is mended."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._open: set[socket.socket] = set()
        self._is_cut = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def cut(self) -> None:
        """End every connection in the middle of whatever it is doing, and refuse new ones."""
        self._is_cut = True
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self._is_cut = False

    def _accept(self) -> None:
        while True:
            near, _ = self._listener.accept()
            if self._is_cut:
                near.close()
                continue
            far = socket.create_connection(self._target)
            self._open |= {near, far}
            for pair in ((near, far), (far, near)):
                threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for side in (source, target):
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
        source.close()
        self._open.discard(source)


def latency(bucket: Bucket, folder: Path, count: int, size: int) -> None:
    """Write times of each store, in turns, so that all meet the same machine."""
    away = replace(bucket, endpoint_url="http://127.0.0.1:9")
    remote = S3ArtifactStore(bucket, within_s=WITHIN_S)
    remote.check()
    spool = Spool(folder / "spool", LIMITS)
    in_outage = SpoolingStore(S3ArtifactStore(away, within_s=0.2), Spool(folder / "outage", LIMITS))
    stores = {
        "local": LocalArtifactStore(folder / "local"),
        "s3": remote,
        "s3 behind the spool": SpoolingStore(remote, spool),
        "the spool, in an outage": in_outage,
    }
    in_outage.put(_key("first"), b"so that the store is known to be away")
    times: dict[str, list[float]] = {name: [] for name in stores}
    for number in range(count):
        data = os.urandom(size)
        for name, store in stores.items():
            key = _key(f"{name.replace(' ', '-').replace(',', '')}-{number}")
            began = time.perf_counter()
            store.put(key, data)
            times[name].append(time.perf_counter() - began)
    _show(f"a write of {size // 1000} kB, {count} each", times)


def outage(bucket: Bucket, folder: Path, cut_for_s: float, writers: int, each_s: float) -> bool:
    """Writers that do not stop while the store is cut off; whether each artifact arrived once."""
    parts = urlsplit(bucket.endpoint_url)
    forwarder = Forwarder(parts.hostname or "", parts.port or 80)
    there = replace(bucket, endpoint_url=forwarder.url)
    spool = Spool(folder / "spool", LIMITS)
    store = SpoolingStore(
        S3ArtifactStore(there, within_s=WITHIN_S),
        spool,
        S3ArtifactStore(there, within_s=PATIENT_WITHIN_S),
    )
    store.start()
    done = threading.Event()
    acknowledged: dict[str, str] = {}
    times: dict[str, list[float]] = {"before and after": [], "in the outage": []}
    phase = ["before and after"]
    failed: list[str] = []

    def write(writer: int) -> None:
        number = 0
        while not done.wait(each_s):
            number += 1
            key, data = _key(f"{writer}-{number}"), os.urandom(20_000)
            now, began = phase[0], time.perf_counter()
            try:
                store.put(key, data)
            except Error as error:
                failed.append(error.code)
                continue
            times[now].append(time.perf_counter() - began)
            acknowledged[key] = hashlib.sha256(data).hexdigest()

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(writers)]
    for thread in threads:
        thread.start()
    time.sleep(5)
    phase[0] = "in the outage"
    forwarder.cut()
    time.sleep(cut_for_s)
    waited = store.spooled.count
    forwarder.mend()
    mended = time.monotonic()
    phase[0] = "before and after"
    time.sleep(5)
    done.set()
    for thread in threads:
        thread.join()
    while spool.in_order():
        time.sleep(0.2)
    drained = time.monotonic() - mended
    store.stop()
    direct = S3ArtifactStore(bucket, within_s=PATIENT_WITHIN_S)
    stored = {entry.key for entry in direct.list("extracts/")}
    lost = [key for key in acknowledged if key not in stored]
    other = [
        key for key, sha in acknowledged.items() if key in stored and direct.stat(key).sha256 != sha
    ]
    _show(f"a write of 20 kB by {writers} writers, cut off for {cut_for_s:.0f} s", times)
    console.print(
        f"acknowledged {len(acknowledged)}, failed {len(failed)}, spooled at the end of the outage "
        f"{waited}; lost {len(lost)}, overwritten {len(other)}, conflicts {spool.conflicts()}; "
        f"the spool was empty {drained:.1f} s after the outage"
    )
    return not (lost or other or failed or spool.conflicts())


def _key(name: str) -> str:
    return f"extracts/2000-01-01/{name}.json"


def _show(title: str, times: Mapping[str, Sequence[float]]) -> None:
    table = Table("", "writes", "p50 ms", "p99 ms", "slowest ms", title=title)
    for name, seconds in times.items():
        cuts = quantiles(seconds, n=100)
        table.add_row(
            name,
            str(len(seconds)),
            *(f"{value * 1000:.1f}" for value in (cuts[49], cuts[98], max(seconds))),
        )
    console.print(table)


def main() -> int:
    """0 unless an artifact was lost or overwritten."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("mode", choices=("latency", "outage"))
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--kilobytes", type=int, default=60)
    parser.add_argument("--cut-for-s", type=float, default=300)
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--each-s", type=float, default=0.2)
    asked = parser.parse_args()
    try:
        settings = load_settings()
    except SettingsError as error:
        parser.error(str(error))
    if settings.s3_bucket is None:
        parser.error("S3_BUCKET is not set")
    whole = bucket_of(settings)
    bucket = replace(whole, prefix=f"{whole.prefix}bench/{uuid.uuid4().hex}/")
    with tempfile.TemporaryDirectory() as folder:
        if asked.mode == "latency":
            latency(bucket, Path(folder), asked.count, asked.kilobytes * 1000)
            return 0
        held = outage(bucket, Path(folder), asked.cut_for_s, asked.writers, asked.each_s)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
