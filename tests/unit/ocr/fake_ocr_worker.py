"""A worker program with an engine that does what the first pixel of an image says."""

import os
import sys
import time
from pathlib import Path

from lib.domain.document import Line, PageImage, Word
from lib.domain.geometry import Polygon
from lib.errors import Error, Kind
from lib.ocr.engine import OrientedReading
from lib.ocr.wire import Reply, send_reply
from lib.ocr.worker import serve


class FakeEngine:
    name = "fake"

    def __init__(self) -> None:
        self._held: list[bytes] = []

    def recognize(self, image: PageImage) -> tuple[Line, ...]:
        return self.read(image).lines

    def read(self, image: PageImage, threads: int = 1) -> OrientedReading:
        text = str(os.getpid())
        match image.pixels[0]:
            case 1:
                os.abort()
            case 2:
                time.sleep(600)
            case 3:
                raise ValueError("a bug")
            case 4:
                raise Error("page_too_large", Kind.UNPROCESSABLE, "Too large.", {"limit": 3})
            case 5:
                self._held.append(bytes(range(256)) * (1 << 20))
            case 6:
                print("noise on stdout")  # noqa: T201 (what the test is about)
            case 7:
                # It has the worker's end of the pipe, and goes on when the worker is killed.
                os.fork()
                time.sleep(600)
            case 8:
                text = str(threads)
        word = Word(text, Polygon.from_box(0.1, 0.2, 0.3, 0.4), 0.5)
        return OrientedReading((Line((word,)),), 90, image.height, image.width)


def load() -> FakeEngine:
    match sys.argv[1:]:
        case ["broken"]:
            raise Error("inference_unavailable", Kind.UNAVAILABLE, "No models.")
        case ["dies"]:
            os.abort()
        case [told] if told.startswith("log:"):
            with Path(told.removeprefix("log:")).open("a") as log:
                log.write(f"{os.getpid()} begins\n")
                log.flush()
                log.write(f"{os.getpid()} has loaded\n")
        case ["bug"]:
            raise KeyError("secret")
    return FakeEngine()


if __name__ == "__main__":
    if sys.argv[1:] == ["leaves"]:
        send_reply(sys.stdout.buffer, Reply(resident=1, engine="fake"))
    else:
        serve(load)
