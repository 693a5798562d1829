"""What `ocr batch` has done so far, a line each, so that it goes on where it was stopped."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apps.api_cpu.wire import dump, load_stored
from lib.errors import Error, Kind

Item = dict[str, Any]


@dataclass(slots=True)
class BatchState:
    """Items by content, and the runs that a server was sent. A line is written before it counts.

    A document is known by `sha256:task`: the same content is read once, whatever its name.
    """

    path: Path
    done: dict[str, list[Item]] = field(default_factory=dict)
    sent: dict[str, Sequence[str]] = field(default_factory=dict)
    """Keys of the documents of each run that has not been collected, in their order."""

    @classmethod
    def load(cls, path: Path) -> BatchState:
        """The state in a file, or an empty one. Raises `bad_request` for a file that is none.

        A last line that a crash cut off is dropped.
        """
        state = cls(path)
        if not path.exists():
            return state
        data = path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) != len(data):
            os.truncate(path, len(whole))
        try:
            for line in whole.splitlines():
                state._apply(load_stored(line))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Error(
                "bad_request", Kind.BAD_REQUEST, "The state file is not one of `ocr batch`."
            ) from None
        return state

    def note_done(self, key: str, items: Sequence[Item]) -> None:
        """A document has been read, or could not be."""
        self._write({"done": key, "items": items})

    def note_sent(self, run_id: str, keys: Sequence[str]) -> None:
        """These documents are about to be sent as a run."""
        self._write({"sent": run_id, "keys": keys})

    def note_collected(self, run_id: str) -> None:
        """All that a run has to say is noted, or it never came to be."""
        self._write({"collected": run_id})

    def _write(self, line: Mapping[str, Any]) -> None:
        with self.path.open("ab") as file:
            file.write(dump(line) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._apply(line)

    def _apply(self, line: Mapping[str, Any]) -> None:
        if "done" in line:
            self.done[line["done"]] = list(line["items"])
        elif "sent" in line:
            self.sent[line["sent"]] = list(line["keys"])
        else:
            self.sent.pop(line["collected"], None)
