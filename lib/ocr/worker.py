"""The program of an OCR worker process: loads one engine, then reads the images sent to its stdin.

Started by the pool as `python -P -m lib.ocr.worker SETTINGS` with the engine's settings as JSON.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import psutil

from lib.domain.document import PageImage
from lib.errors import Error, Kind
from lib.ocr.build import build_engine
from lib.ocr.engine import OcrEngine
from lib.ocr.engine_settings import EngineSettings
from lib.ocr.wire import Reply, receive_image, send_reply


def serve(load: Callable[[], OcrEngine]) -> None:
    """Load an engine and answer images until the parent closes the pipe or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    replies = _private_stdout()
    images: queue.SimpleQueue[PageImage] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(images,), daemon=True).start()
    try:
        engine = load()
    except Error as error:
        send_reply(replies, Reply(_resident(), error=error))
        return
    except Exception as exc:  # noqa: BLE001 (whatever a library raises: the parent must hear of it)
        failure = Error("inference_unavailable", Kind.UNAVAILABLE, "The OCR engine cannot start.")
        send_reply(replies, Reply(_resident(), error=failure, fault=_fault(exc)))
        return
    send_reply(replies, Reply(_resident(), engine=engine.name))
    while True:
        send_reply(replies, _answer(engine, images.get()))


def _answer(engine: OcrEngine, image: PageImage) -> Reply:
    try:
        reading = engine.read(image)
    except Error as error:
        return Reply(_resident(), error=error)
    except Exception as exc:  # noqa: BLE001 (one page's failure must not end the worker)
        failure = Error("internal_error", Kind.INTERNAL, "The OCR engine failed on this page.")
        return Reply(_resident(), error=failure, fault=_fault(exc))
    return Reply(_resident(), reading=reading)


def _fault(exc: Exception) -> str:
    """Type and place of an exception. Its text may quote the page."""
    frames = traceback.extract_tb(exc.__traceback__)[-6:]
    places = (f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
    return f"{type(exc).__name__} at {' < '.join(places)}"


def _receive(images: queue.SimpleQueue[PageImage]) -> None:
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


def _resident() -> int:
    return int(psutil.Process().memory_info().rss)


def main() -> None:
    """Serve the engine that the only argument describes."""
    settings = EngineSettings.from_json(sys.argv[1])
    serve(lambda: build_engine(settings))


if __name__ == "__main__":
    main()
