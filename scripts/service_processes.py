"""Redis, RabbitMQ and PostgreSQL as processes: started, paused, killed and started again."""

from __future__ import annotations

import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg

ROOT = Path(__file__).resolve().parents[1]
# Below what Linux, macOS and Windows choose from where no port was asked for.
_NEVER_GIVEN_AWAY = range(10_000, 32_768)
SCRIPT = ROOT / "scripts" / "bootstrap_services.sh"
_PATIENCE_S = 240.0
# What to say to each so that it answers once it serves: https://redis.io/docs/reference/protocol-spec,
# and section 4.2.2 of the AMQP 0-9-1 specification.
_GREETING = {"redis": b"PING\r\n", "rabbitmq": b"AMQP\x00\x00\x09\x01"}


class Peer:
    """One service in a session of its own, on one port and one folder for all its lives."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = free_port()
        self.url = script("url", name, str(self.port)).strip()
        # Not below pytest's folder: PostgreSQL runs as a user that may not look in there.
        self.folder = Path(tempfile.mkdtemp(prefix=f"{name}-"))
        self.folder.chmod(0o755)
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0

    def start(self) -> None:
        """Start it, the first time or again, and wait until it serves."""
        with (self.folder / "output.txt").open("ab") as log:
            self._process = subprocess.Popen(
                [SCRIPT, "run", self.name, self.folder, str(self.port)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + _PATIENCE_S
        while not self._serves():
            if self._process.poll() is not None or time.monotonic() > end:
                log_text = (self.folder / "output.txt").read_text(errors="replace")
                raise AssertionError(f"{self.name} did not start:\n{log_text[-2000:]}")
            time.sleep(0.05)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all of its processes: SIGSTOP, SIGCONT."""
        _signal(self._processes(), number)

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self._process is not None
        # PostgreSQL's children lead groups of their own. One that stands still makes no new ones.
        _signal(self._processes()[:1], signal.SIGSTOP)
        processes = self._processes()
        _signal(processes, signal.SIGKILL)
        self._process.wait()
        # One that lives for a moment longer has its port and its locks.
        while any(map(_lives, processes)):
            time.sleep(0.01)
        self._process = None

    def forget(self) -> None:
        """Start again with nothing of what it held."""
        self.kill()
        for path in self.folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.start()

    def close(self) -> None:
        """End it and remove its folder."""
        if self._process is not None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def new_database(self) -> str:
        """The URL of an empty database (PostgreSQL)."""
        self._databases += 1
        name = f"test_{self._databases}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url.rpartition("/")[0] + f"/{name}"

    def _processes(self) -> list[psutil.Process]:
        """It and its descendants, where it has not ended."""
        assert self._process is not None
        try:
            first = psutil.Process(self._process.pid)
            return [first, *first.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _serves(self) -> bool:
        if self.name == "postgres":
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
            except psycopg.OperationalError:
                return False
            return True
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.sendall(_GREETING[self.name])
                return bool(connection.recv(1))
        except OSError:
            return False


def _signal(processes: Sequence[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _lives(process: psutil.Process) -> bool:
    """What is dead and was not waited for does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def script(*arguments: str) -> str:
    """What `bootstrap_services.sh` says."""
    done = subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on, for who must name it before it is taken.

    It is none of those that the kernel may give to any connection in the meantime.
    """
    while True:
        port = secrets.choice(_NEVER_GIVEN_AWAY)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
