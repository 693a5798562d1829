"""A crash storm: kills and stops server, workers and broker at random under work, then counts.

    python -m scripts.crash_storm --backend local --items 1000
    python -m scripts.crash_storm --backend redis --items 1000 --seed 7      # with PostgreSQL
    python -m scripts.crash_storm --backend rabbitmq --items 1000

Each item is a small e-invoice with a number of its own. Most are sent as one ZIP to
`batch_extract_upload_async`, the others one by one to `extract_async`, each until it has been
answered 202. A trigger in the database notes every change of a state. It passes (status 0) when
every job that was answered 202 is there and has succeeded, every item has one artifact with its own
number in it, no item ended twice, and nothing left a terminal state.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr
from sqlalchemy import Engine, text

from apps.api_cpu.db.engine import Durability, Schema, open_database, reading, writing
from apps.api_cpu.settings import variable_names
from scripts.service_processes import Peer, free_port

ROOT = Path(__file__).resolve().parents[1]
INVOICE = (ROOT / "samples" / "invoice_xrechnung.xml").read_bytes()
OCR = Path(sys.executable).with_name("ocr")
ENDED = ("succeeded", "failed", "canceled")
# Of a worker's lease; the longest stop is longer, so that a stopped worker loses what it holds.
_LONGEST_STOP = 1.5
_PATIENCE_S = 600.0

_NOTE_ON_FILE = """
CREATE TRIGGER storm_{table} AFTER UPDATE OF status ON {table} WHEN OLD.status <> NEW.status BEGIN
INSERT INTO storm_changes VALUES
((julianday('now') - 2440587.5) * 86400.0, NEW.job_id, {number}, OLD.status, NEW.status); END
"""
_NOTE_ON_SERVER = """
CREATE FUNCTION storm_{table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
INSERT INTO storm_changes VALUES
(extract(epoch from clock_timestamp()), NEW.job_id, {number}, OLD.status, NEW.status);
RETURN NEW; END $$;
CREATE TRIGGER storm_{table} AFTER UPDATE OF status ON {table} FOR EACH ROW
WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION storm_{table}()
"""


@dataclass
class Program:
    """`ocr serve` or `ocr worker`: one process after the other with the same settings."""

    name: str
    arguments: list[str]
    environment: dict[str, str]
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it is ready some time later."""
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [OCR, *self.arguments],
                env=self.environment,
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it, and to none of the processes that it started."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it as the system does when memory is short."""
        self.signal(signal.SIGKILL)
        assert self.process is not None
        self.process.wait()


@dataclass
class Storm:
    """What is struck, and the record of it.

    Strikes are dealt like cards: each victim has been killed and stopped once before any is for the
    second time, so that so many strikes as there are cards hold one of each.
    """

    victims: list[Program | Peer]
    lease_s: float
    chance: random.Random
    strikes: list[tuple[str, str]] = field(default_factory=list)

    def rage(self, strikes: int) -> None:
        """Strike so often, one after the other; then everything runs again."""
        for victim, what in islice(self._dealt(), strikes):
            time.sleep(self.chance.uniform(1.0, 6.0))
            if what == "kill":
                victim.kill()
                pause = self.chance.uniform(0.0, 3.0)
                time.sleep(pause)
                victim.start()
            else:
                victim.signal(signal.SIGSTOP)
                pause = self.chance.uniform(0.5, _LONGEST_STOP * self.lease_s)
                time.sleep(pause)
                victim.signal(signal.SIGCONT)
            self.strikes.append((victim.name, what))
            print(f"  {what} {victim.name} for {pause:.1f} s", flush=True)

    def _dealt(self) -> Iterator[tuple[Program | Peer, str]]:
        cards = [(victim, what) for victim in self.victims for what in ("kill", "stop")]
        while True:
            self.chance.shuffle(cards)
            yield from cards


class Sender:
    """Sends documents until each has been answered 202; safe to share between threads."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.accepted: list[str] = []
        self.tries = 0

    def send_one(self, number: str) -> None:
        """Send the document of that number by itself."""
        self._send("extract_async", "file", f"{number}.xml", _document(number))

    def send_batch(self, numbers: list[str]) -> None:
        """Send documents as one ZIP."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in numbers:
                archive.writestr(f"{number}.xml", _document(number))
        self._send("batch_extract_upload_async", "files", "storm.zip", packed.getvalue())

    def _send(self, what: str, field_name: str, name: str, content: bytes) -> None:
        end = time.monotonic() + _PATIENCE_S
        while time.monotonic() < end:
            self.tries += 1
            try:
                answer = httpx.post(
                    f"{self._url}/v1/{what}", files={field_name: (name, content)}, timeout=120
                )
            except httpx.HTTPError:
                time.sleep(0.5)
                continue
            if answer.status_code == 202:
                self.accepted.append(answer.json()["job_id"])
                return
            if answer.status_code < 429:
                raise SystemExit(f"{name} was refused: {answer.text}")
            time.sleep(0.5)
        raise SystemExit(f"{name} was not accepted within {_PATIENCE_S:.0f} s")


def _document(number: str) -> bytes:
    return INVOICE.replace(b"<cbc:ID>", f"<cbc:ID>{number}-".encode(), 1)


def main() -> None:
    """Storm, then count."""
    options = _options()
    chance = random.Random(options.seed)
    folder = Path(tempfile.mkdtemp(prefix="crash-storm-"))
    peers: list[Peer] = []
    programs: list[Program] = []
    try:
        settings = _settings(options, folder, peers)
        location = SecretStr(settings["JOBS_DB_PATH"]) if peers else folder / "jobs.sqlite3"
        engine = open_database(location, Schema.JOBS, Durability.CRASH)
        _note_changes(engine)
        port = free_port()
        environment = _environment(settings)
        serve = ["serve", "--port", str(port)]
        programs.append(Program("server", serve, environment, folder))
        programs += [
            Program(f"worker-{number}", ["worker"], environment, folder)
            for number in range(options.workers)
        ]
        for program in programs:
            program.start()
        print(f"{options.backend}, seed {options.seed}, in {folder}", flush=True)
        sender = Sender(f"http://127.0.0.1:{port}")
        sender.send_batch([f"batch-{n}" for n in range(options.items - options.singles)])
        storm = Storm([*programs, *peers[:1]], float(settings["JOBS_LEASE_S"]), chance)
        raging = threading.Thread(target=storm.rage, args=(options.strikes,))
        raging.start()
        started = time.monotonic()
        with ThreadPoolExecutor(options.senders) as senders:
            list(senders.map(sender.send_one, (f"single-{n}" for n in range(options.singles))))
        accepted_s = time.monotonic() - started
        raging.join()
        ended_s = _wait_for_the_end(engine, started)
        wrong = _count(engine, sender, folder)
        _report(options, storm, sender, engine, (accepted_s, ended_s))
    finally:
        for program in programs:
            if program.process is not None:
                program.kill()
        for peer in peers:
            peer.close()
    if wrong:
        raise SystemExit("\n".join(wrong))
    print("passed: nothing lost, nothing doubled, no terminal state left")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", choices=["local", "redis", "rabbitmq"], default="local")
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--singles", type=int, default=50, help="items that are sent one by one")
    parser.add_argument("--workers", type=int, default=2, help="`ocr worker`s beside the server")
    parser.add_argument("--senders", type=int, default=4, help="clients at once")
    parser.add_argument("--strikes", type=int, default=30, help="kills and stops")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def _settings(options: argparse.Namespace, folder: Path, peers: list[Peer]) -> dict[str, str]:
    settings = {"DATA_ROOT": str(folder), "OCR_WORKERS": "1", "LOG_FORMAT": "json"}
    if options.backend == "local":
        return settings | {"JOBS_LEASE_S": "5"}
    for name in (options.backend, "postgres"):
        peer = Peer(name)
        peers.append(peer)
        peer.start()
    return settings | {
        "JOBS_LEASE_S": "8",
        "JOBS_BACKEND": "celery",
        "CELERY_BROKER_URL": peers[0].url,
        "JOBS_DB_PATH": peers[1].new_database(),
    }


def _environment(settings: dict[str, str]) -> dict[str, str]:
    ours = variable_names()
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return kept | settings


def _note_changes(engine: Engine) -> None:
    note = _NOTE_ON_FILE if engine.dialect.name == "sqlite" else _NOTE_ON_SERVER
    with writing(engine) as connection:
        connection.exec_driver_sql(
            "CREATE TABLE storm_changes (moment DOUBLE PRECISION, job_id TEXT, number INTEGER, "
            "before TEXT, after TEXT)"
        )
        connection.exec_driver_sql(note.format(table="jobs", number="-1"))
        connection.exec_driver_sql(note.format(table="job_items", number="NEW.number"))


def _rows(engine: Engine, query: str) -> list[Any]:
    with reading(engine) as connection:
        return list(connection.execute(text(query)))


def _wait_for_the_end(engine: Engine, started: float) -> float:
    """Seconds from `started` until no job is left; gives up in the end, and the count says why."""
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        if not _rows(engine, "SELECT 1 FROM jobs WHERE finished_at IS NULL LIMIT 1"):
            break
        time.sleep(0.2)
    return time.monotonic() - started


def _count(engine: Engine, sender: Sender, folder: Path) -> list[str]:
    """What is wrong, a line each."""
    wrong = []
    jobs = {row.job_id: row.status for row in _rows(engine, "SELECT job_id, status FROM jobs")}
    items = _rows(engine, "SELECT job_id, number, status, request_id, file FROM job_items")
    wrong += [f"item: {tuple(item)}" for item in items if item.status != "succeeded"]
    wrong += [f"lost: {job_id}" for job_id in sender.accepted if job_id not in jobs]
    wrong += [f"not succeeded: {job_id} {s}" for job_id, s in jobs.items() if s != "succeeded"]
    written = Counter(path.stem for path in (folder / "artifacts" / "extracts").rglob("*.json"))
    for item in items:
        if written.pop(item.request_id, 0) != 1:
            wrong.append(f"not one artifact: {item.request_id}")
    wrong += [f"an artifact of no item: {request_id}" for request_id in written]
    wrong += _wrong_numbers(items, folder)
    changes = _rows(engine, "SELECT job_id, number, before, after FROM storm_changes")
    wrong += [f"left a terminal state: {tuple(row)}" for row in changes if row.before in ENDED]
    ends = Counter((row.job_id, row.number) for row in changes if row.after in ENDED)
    wrong += [f"ended {count} times: {which}" for which, count in ends.items() if count != 1]
    return wrong


def _wrong_numbers(items: list[Any], folder: Path) -> list[str]:
    files = {path.stem: path for path in (folder / "artifacts" / "extracts").rglob("*.json")}
    wrong = []
    for item in items:
        if item.request_id not in files:
            continue
        number = Path(item.file).stem
        response = json.loads(files[item.request_id].read_bytes())["response"]
        found = response["result"]["document_number"]
        if not found.startswith(f"{number}-"):
            wrong.append(f"another document's result: {item.file} {found}")
    return wrong


def _report(
    options: argparse.Namespace,
    storm: Storm,
    sender: Sender,
    engine: Engine,
    seconds: tuple[float, float],
) -> None:
    kinds = Counter(storm.strikes)
    accepted = len(sender.accepted)
    jobs = len(_rows(engine, "SELECT job_id FROM jobs"))
    items = len(_rows(engine, "SELECT number FROM job_items"))
    again = _rows(engine, "SELECT 1 FROM storm_changes WHERE number >= 0 AND after = 'queued'")
    print(
        f"{options.backend}: {accepted} of {sender.tries} requests accepted, "
        f"{jobs} jobs, {items} items"
    )
    print("strikes:", ", ".join(f"{name} {what} {n}" for (name, what), n in sorted(kinds.items())))
    print(f"documents begun again: {len(again)}")
    print(f"all accepted after {seconds[0]:.0f} s, all ended after {seconds[1]:.0f} s")


if __name__ == "__main__":
    main()
