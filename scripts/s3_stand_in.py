"""A bucket in memory for development: moto's server on port 9000, with S3_BUCKET made in it."""

from __future__ import annotations

import os
import threading
import urllib.request

from moto.server import ThreadedMotoServer

PORT = 9000


def main() -> None:
    """Serve until the process is ended."""
    server = ThreadedMotoServer(ip_address="0.0.0.0", port=PORT)
    server.start()
    bucket = os.environ.get("S3_BUCKET") or "ocr"
    made = urllib.request.Request(f"http://127.0.0.1:{PORT}/{bucket}", method="PUT")
    urllib.request.urlopen(made, timeout=10).close()
    threading.Event().wait()


if __name__ == "__main__":
    main()
