"""Memory and speed of a server while a large upload streams into it.

    .venv/bin/python scripts/bench_uploads.py --megabytes 2048 --file-megabytes 16

A server is started on a free port with a temporary DATA_ROOT and no job threads, so that only the
upload is measured: files of random bytes behind a PDF's magic, or with `--zip` one ZIP of them. The
memory is the resident set of the server process alone, looked at twenty times a second.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import psutil

OCR = Path(sys.executable).with_name("ocr")
BOUNDARY = "bench-boundary"
CHUNK = 1 << 20


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        root = Path(folder)
        parts = _archive(root, options) if options.zip else _files(options)
        server, url = _start(root / "data", options)
        try:
            _measure(server, url, parts, options)
        finally:
            server.terminate()
            server.wait(60)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=2048)
    parser.add_argument("--file-megabytes", type=int, default=16)
    parser.add_argument("--zip", action="store_true", help="one ZIP instead of many files")
    parser.add_argument("--folder", default=None, help="for temporary files; needs twice the size")
    return parser.parse_args()


def _document(number: int, megabytes: int) -> Iterator[bytes]:
    yield b"%%PDF-1.7 %d\n" % number
    block = os.urandom(CHUNK - 64)
    for _ in range(megabytes):
        yield block


def _files(options: argparse.Namespace) -> Iterator[tuple[str, Iterator[bytes]]]:
    for number in range(options.megabytes // options.file_megabytes):
        yield f"{number}.pdf", _document(number, options.file_megabytes)


def _archive(root: Path, options: argparse.Namespace) -> Iterator[tuple[str, Iterator[bytes]]]:
    path = root / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, chunks in _files(options):
            with archive.open(name, "w") as member:
                for chunk in chunks:
                    member.write(chunk)
    return iter([("all.zip", _chunks(path))])


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _start(root: Path, options: argparse.Namespace) -> tuple[subprocess.Popen[str], str]:
    root.mkdir()
    environment = os.environ | {
        "DATA_ROOT": str(root),
        "JOBS_MAX_CONCURRENCY": "0",
        "OCR_WORKERS": "1",
        "BATCH_MAX_UPLOAD_MB": str(options.megabytes + 64),
    }
    server = subprocess.Popen(
        [OCR, "serve", "--port", "0"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=(root / "server.log").open("wb"),
        text=True,
    )
    assert server.stdout is not None
    url = server.stdout.readline().split()[2]
    while json.load(urllib.request.urlopen(f"{url}/v1/health"))["status"] != "ok":
        time.sleep(0.2)
    return server, url


def _body(parts: Iterator[tuple[str, Iterator[bytes]]]) -> Iterator[bytes]:
    for name, chunks in parts:
        disposition = f'form-data; name="files"; filename="{name}"'
        yield f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n".encode()
        yield from chunks
        yield b"\r\n"
    yield f"--{BOUNDARY}--\r\n".encode()


def _measure(
    server: subprocess.Popen[str],
    url: str,
    parts: Iterator[tuple[str, Iterator[bytes]]],
    options: argparse.Namespace,
) -> None:
    process = psutil.Process(server.pid)
    before = peak = process.memory_info().rss
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.05):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.monotonic()
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=3600)
    connection.request(
        "POST",
        "/v1/batch_extract_upload_async",
        body=_body(parts),
        headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
        encode_chunked=True,
    )
    answer = connection.getresponse()
    text = answer.read()
    seconds = time.monotonic() - started
    done.set()
    watcher.join()
    if answer.status != 202:
        raise SystemExit(f"HTTP {answer.status}: {text.decode()}")
    print(
        f"{options.megabytes} MiB in {options.megabytes // options.file_megabytes} documents: "
        f"{seconds:.1f} s, {options.megabytes / seconds:.0f} MiB/s; resident before "
        f"{before >> 20} MiB, most {peak >> 20} MiB, {(peak - before) >> 20} MiB more"
    )


if __name__ == "__main__":
    main()
