"""Who reads the documents of `ocr batch`: a server, a run at a time, or this process."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from apps.api_cpu.auth.roles import LOCAL_ADMIN
from apps.api_cpu.batches.server_client import BatchServer
from apps.api_cpu.batches.state import BatchState
from apps.api_cpu.batches.upload import printable_name
from apps.api_cpu.extractions.draft import Draft
from apps.api_cpu.extractions.item import Item, item_of
from apps.api_cpu.extractions.response import shown
from apps.api_cpu.request_context import RequestContext, new_request_id
from lib.domain.deadline import Deadline
from lib.domain.extraction import Hints
from lib.domain.task import Task
from lib.errors import Error, Kind
from lib.loading.archives import Archive, ArchiveLimits, is_archive
from lib.pipelines.extract import Stations, extract

_MOST_FILES, _MOST_BYTES = 100, 256 * 1024 * 1024
_LOOK_EVERY_S = 1.0
_GOING_ON = frozenset({"queued", "running"})
_CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Document:
    """A file of the folder. `key` is its content and its task: what is done is done under it."""

    name: str
    path: Path
    key: str
    size: int
    is_archive: bool


Ended = Callable[[int], None]
"""Told how many more documents have ended."""


class FolderReader(Protocol):
    """Reads documents and notes what came of each in the state."""

    def read(self, documents: Sequence[Document], state: BatchState, ended: Ended) -> None:
        """Raises `bad_request` for a server that refuses, `inference_unavailable` without one."""
        ...


def document_of(path: Path, name: str, task_id: str) -> Document:
    """The document in a file, hashed piece by piece. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(0)
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
        size = file.tell()
    return Document(name, path, f"{digest.hexdigest()}:{task_id}", size, is_archive(head))


class ServerFolderReader:
    """Sends runs of some documents each, the next one while the last one is read."""

    def __init__(
        self,
        server: BatchServer,
        options: Mapping[str, str],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`options`: form fields of each upload."""
        self._server = server
        self._options = options
        self._sleep = sleep

    def read(self, documents: Sequence[Document], state: BatchState, ended: Ended) -> None:
        """See `FolderReader.read`. Runs that were sent before are collected first."""
        for run_id in list(state.sent):
            self._collect(run_id, state, ended)
        waiting: str | None = None
        for chunk in _chunks([each for each in documents if each.key not in state.done]):
            run_id = new_request_id()
            state.note_sent(run_id, [each.key for each in chunk])
            files = [(each.name, each.path) for each in chunk]
            self._server.send(run_id, files, self._options)
            if waiting is not None:
                self._collect(waiting, state, ended)
            waiting = run_id
        if waiting is not None:
            self._collect(waiting, state, ended)

    def _collect(self, run_id: str, state: BatchState, ended: Ended) -> None:
        told = 0
        while (run := self._server.run(run_id)) is not None:
            over = run["ok_count"] + run["failed_count"] + run["canceled_count"]
            ended(over - told)
            told = over
            if run["status"] not in _GOING_ON:
                keys = state.sent[run_id]
                for key, items in _by_key(keys, list(self._server.items(run_id))):
                    state.note_done(key, items)
                break
            self._sleep(_LOOK_EVERY_S)
        state.note_collected(run_id)


class EmbeddedFolderReader:
    """Reads here and now, some documents at once; of a ZIP each member is one."""

    def __init__(
        self,
        stations: Stations,
        task: Task,
        parallel: int,
        deadline_s: float,
        of_archive: ArchiveLimits,
    ) -> None:
        self._stations = stations
        self._task = task
        self._parallel = parallel
        self._deadline_s = deadline_s
        self._of_archive = of_archive

    def read(self, documents: Sequence[Document], state: BatchState, ended: Ended) -> None:
        """See `FolderReader.read`."""
        left = {each.key: each for each in documents if each.key not in state.done}
        with ThreadPoolExecutor(self._parallel) as threads:
            parts = {
                key: [threads.submit(self._item, *part) for part in self._parts(document)]
                for key, document in left.items()
            }
            key_of = {future: key for key, futures in parts.items() for future in futures}
            waiting = Counter(key_of.values())
            try:
                for future in as_completed(key_of):
                    key = key_of[future]
                    waiting[key] -= 1
                    if not waiting[key]:
                        state.note_done(key, [each.result() for each in parts[key]])
                        ended(1)
            finally:
                threads.shutdown(wait=False, cancel_futures=True)

    def _parts(self, document: Document) -> list[tuple[str, Callable[[], bytes]]]:
        """The documents in a file: names, and what reads their bytes when their turn has come."""
        if not document.is_archive:
            return [(document.name, document.path.read_bytes)]
        try:
            with document.path.open("rb") as file, Archive(file, self._of_archive) as archive:
                names = [f"{document.name}/{printable_name(each.name)}" for each in archive]
        except (Error, OSError) as failure:
            return [(document.name, partial(_fail, failure))]
        if not names:
            empty = Error("empty_document", Kind.UNPROCESSABLE, "The archive holds no document.")
            return [(document.name, partial(_fail, empty))]
        return [(name, partial(self._member, document, place)) for place, name in enumerate(names)]

    def _member(self, document: Document, place: int) -> bytes:
        """Raises `Error`, OSError."""
        with document.path.open("rb") as file, Archive(file, self._of_archive) as archive:
            member = list(archive)[place]
            if member.error is not None:
                raise member.error
            unpacked = bytearray()
            archive.unpack(member, unpacked.extend)
        return bytes(unpacked)

    def _item(self, name: str, load: Callable[[], bytes]) -> Item:
        draft = Draft(RequestContext(new_request_id()), LOCAL_ADMIN)
        try:
            data = load()
            hints = Hints(datetime.now(UTC).date())
            deadline = Deadline.after(self._deadline_s)
            extraction = extract(
                data, self._task, self._stations, hints, deadline, stopwatch=draft.stopwatch
            )
        except Error as error:
            return item_of(name, draft, error)
        except OSError:
            gone = Error("not_found", Kind.NOT_FOUND, "The file cannot be read.")
            return item_of(name, draft, gone)
        return item_of(name, draft, {**shown(extraction), "artifact_rel": None})


def _fail(failure: Exception) -> bytes:
    raise failure


def _chunks(documents: Iterable[Document]) -> Iterator[list[Document]]:
    """Some documents that are sent together; a ZIP alone, since its items are not known here.

    Of several with one content only the first is sent.
    """
    chunk: list[Document] = []
    size = 0
    for document in {each.key: each for each in reversed(list(documents))}.values():
        if document.is_archive:
            yield [document]
            continue
        if chunk and (len(chunk) == _MOST_FILES or size + document.size > _MOST_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(document)
        size += document.size
    if chunk:
        yield chunk


def _by_key(keys: Sequence[str], items: list[Item]) -> Iterator[tuple[str, list[Item]]]:
    """Items are in the order of the files; all of one file's are those of a ZIP's members."""
    if len(keys) == 1:
        yield keys[0], items
        return
    for key, item in zip(keys, items, strict=True):
        yield key, [item]
