"""A field reader whose rules do what the first word of a document says."""

import os
import re
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from lib.domain.document import Page
from lib.domain.extraction import Candidate, Hints, RawExtraction, Source
from lib.domain.task import Task
from lib.kie.extractor import Extractor
from lib.pipelines.readers.program import serve
from lib.pipelines.readers.wire import RECEIVED, Reply, framed, reply_to_json


class FakeRules:
    name = "fake"

    def __init__(self) -> None:
        self._held: list[bytes] = []

    def extract(self, pages: Sequence[Page], task: Task, hints: Hints) -> RawExtraction:
        first, *others = pages[0].words
        match first.text:
            case "explode":
                re.match(r"(a+)+$", "a" * 64 + "!")  # 2^64 steps, and the interpreter's lock held
            case "stop":
                os.kill(os.getpid(), signal.SIGSTOP)
            case "abort":
                os.abort()
            case "abort-once":
                mark = Path(others[0].text)
                if not mark.exists():
                    mark.touch()
                    os.abort()
            case "bug":
                raise KeyError("a secret of the document")
            case "grow":
                self._held.append(bytes(range(256)) * (1 << 20))
            case "sleep":
                Path(others[0].text).touch()
                time.sleep(600)
            case "nonsense":
                return misshapen(read(str(os.getpid()), pages, task))
        return read(str(os.getpid()), pages, task)


def read(text: str, pages: Sequence[Page], task: Task) -> RawExtraction:
    kind = task.document_type
    assert kind is not None
    word = pages[0].words[0]
    number = Candidate(text, 0.9, Source.OCR, 1, (word,))
    return RawExtraction(kind, 0.9, {"document_number": (number,)}, {}, task=task)


def misshapen(raw: RawExtraction) -> RawExtraction:
    return RawExtraction(raw.document_type, "much", raw.fields, {}, task=raw.task)  # type: ignore[arg-type]


def load() -> Extractor:
    if sys.argv[1:] == ["dies"]:
        os.abort()
    return FakeRules()


def leave() -> None:
    """Say that it is ready, and go."""
    with socket.socket(fileno=sys.stdin.fileno()) as parent:
        parent.recv(1)
        parent.sendall(RECEIVED + framed(reply_to_json(Reply(resident=1))))


if __name__ == "__main__":
    if sys.argv[1:] == ["leaves"]:
        leave()
    else:
        serve(load)
