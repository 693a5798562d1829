"""The program of an OCR worker process: loads one engine, then reads the images sent to its stdin.

Started by the pool as `python -P -m lib.ocr.worker SETTINGS` with the engine's settings as JSON.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from typing import BinaryIO

from lib.domain.document import PageImage
from lib.errors import Error, Kind
from lib.ocr.build import build_engine
from lib.ocr.engine import OcrEngine
from lib.ocr.engine_settings import EngineSettings
from lib.ocr.wire import Reply, receive_image, send_received, send_reply
from lib.processes.inside import place_of, resident_bytes


def serve(load: Callable[[], OcrEngine]) -> None:
    """Load an engine and answer images until the parent closes the pipe or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    replies = _private_stdout()
    images: queue.SimpleQueue[tuple[PageImage, int]] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(images,), daemon=True).start()
    try:
        engine = load()
    except Error as error:
        send_reply(replies, Reply(resident_bytes(), error=error))
        return
    except Exception as exc:  # noqa: BLE001 (whatever a library raises: the parent must hear of it)
        failure = Error("inference_unavailable", Kind.UNAVAILABLE, "The OCR engine cannot start.")
        send_reply(replies, Reply(resident_bytes(), error=failure, fault=place_of(exc)))
        return
    send_reply(replies, Reply(resident_bytes(), engine=engine.name))
    while True:
        image, threads = images.get()
        send_received(replies)
        send_reply(replies, _answer(engine, image, threads))


def _answer(engine: OcrEngine, image: PageImage, threads: int) -> Reply:
    try:
        reading = engine.read(image, threads)
    except Error as error:
        return Reply(resident_bytes(), error=error)
    except Exception as exc:  # noqa: BLE001 (one page's failure must not end the worker)
        failure = Error("internal_error", Kind.INTERNAL, "The OCR engine failed on this page.")
        return Reply(resident_bytes(), error=failure, fault=place_of(exc))
    return Reply(resident_bytes(), reading=reading)


def _receive(images: queue.SimpleQueue[tuple[PageImage, int]]) -> None:
    """Queue what arrives; end the process at once, busy or not, when the parent is gone."""
    try:
        while True:
            images.put(receive_image(sys.stdin.buffer))
    except (EOFError, OSError):
        os._exit(0)


def _private_stdout() -> BinaryIO:
    """The pipe to the parent, out of reach of libraries that print: their output goes to stderr."""
    pipe = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return pipe


def main() -> None:
    """Serve the engine that the only argument describes."""
    settings = EngineSettings.from_json(sys.argv[1])
    serve(lambda: build_engine(settings))


if __name__ == "__main__":
    main()
