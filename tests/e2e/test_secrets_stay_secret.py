"""Recognisable secrets in every place that holds one, and a search of all that is put out."""

from __future__ import annotations

import base64
import subprocess
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest
from peers import Peer
from server_process import OCR, ROOT, SMALL, ServerProcess, environment, eventually
from test_workers import WorkerProcess
from typer.testing import CliRunner

from apps.api_cpu.cli import app as cli

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

INVOICE = (ROOT / "samples" / "invoice_xrechnung.xml").read_bytes()
PHOTO = SMALL.read_bytes()
SETTINGS = {
    "API_KEY_PEPPER": "planted-pepper-Kq7",
    "METRICS_TOKEN": "planted-metrics-token-Kq7",
    "VLLM_API_KEY": "planted-vllm-key-Kq7",
    "AWS_ACCESS_KEY_ID": "PLANTEDACCESSKEYKQ7",
    "AWS_SECRET_ACCESS_KEY": "planted+aws/secret-Kq7",
}
BROKER_PASSWORD = "planted-broker-password-Kq7"
DATABASE_PASSWORD = "planted-database-password-Kq7"
WRONG_KEY = f"ocr_{'0' * 12}_planted-wrong-key-that-somebody-sends-Kq7"
COLLECTOR_KEY = "planted-collector-key-Kq7"
CALLBACK_TOKEN = "planted-callback-token-Kq7"
NOWHERE = "http://127.0.0.1:1"


@contextmanager
def echoing(heard: list[bytes]) -> Iterator[str]:
    """A model's server, broker and collector that fails and repeats what it was sent, its headers
    included; `heard` takes the bodies.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            sent = str(self.headers) + heard[-1].decode("latin-1")
            body = f'{{"error": {{"message": {sent[:2000]!r}}}}}'.encode()
            self.send_response(500, "planted " + self.headers.get("Authorization", ""))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_HEAD = do_POST

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


class Search:
    """What must not be found, and where it was."""

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}
        self.found: list[str] = []

    def plant(self, name: str, secret: str) -> str:
        """One more secret; the same."""
        assert len(secret) > 12, "too short to be told from other text"
        self.secrets[name] = secret
        return secret

    def look(self, where: str, content: bytes | str, *, but: tuple[str, ...] = ()) -> None:
        """Note each secret that is in there, as it is or in a usual encoding."""
        text = content.encode("utf-8", "replace") if isinstance(content, str) else content
        for name, secret in self.secrets.items():
            forms = (
                secret.encode(),
                urllib.parse.quote(secret, safe="").encode(),
                base64.b64encode(secret.encode()).rstrip(b"=")[:-1],
            )
            if name not in but and any(form in text for form in forms):
                self.found.append(f"{name} in {where}")

    def look_in_files(self, folder: Path, *, but: tuple[str, ...] = ()) -> None:
        """All files below, whatever they are."""
        for path in folder.rglob("*"):
            if path.is_file():
                self.look(str(path.relative_to(folder)), path.read_bytes(), but=but)

    def look_at_processes(self, root: int) -> int:
        """The command lines of a process and its children, and the environments of the children.

        A process has its own settings in its environment; what it starts needs none of them.
        Returns how many children there are.
        """
        process = psutil.Process(root)
        self.look("its command line", " ".join(process.cmdline()))
        children = process.children(recursive=True)
        for child in children:
            try:
                self.look(f"command line of {child.name()}", " ".join(child.cmdline()))
                self.look(f"environment of {child.cmdline()}", str(child.environ()))
            except (psutil.NoSuchProcess, psutil.ZombieProcess):
                continue  # a decoder lives as long as its document
        return len(children)


class Client:
    """Requests whose answers are all searched."""

    def __init__(self, server: ServerProcess, search: Search) -> None:
        limits = httpx.Limits(max_keepalive_connections=0)
        self._client = httpx.Client(base_url=server.url, timeout=400, limits=limits)
        self._search = search
        self.codes: list[int] = []

    def send(self, method: str, path: str, *, but: tuple[str, ...] = (), **sent: Any) -> Any:
        """One request."""
        answer = self._client.request(method, path, **sent)
        where = f"the answer to {method} {path[:40]}"
        self._search.look(where, f"{answer.headers}".encode() + answer.content, but=but)
        self.codes.append(answer.status_code)
        return answer

    def close(self) -> None:
        """Hang up."""
        self._client.close()


def _command(search: Search, env: Mapping[str, str], *arguments: str, prints: str = "") -> str:
    """A command of `ocr`, its output searched but for the secret that it is asked to print."""
    done = subprocess.run(
        [OCR, *arguments], env=dict(env), capture_output=True, text=True, check=False, timeout=600
    )
    assert "Traceback" not in done.stderr, done.stderr
    search.look(f"stdout of ocr {arguments}", done.stdout, but=(prints,))
    search.look(f"stderr of ocr {arguments}", done.stderr)
    return done.stdout


def _new_key(search: Search, env: Mapping[str, str], role: str) -> str:
    # Searched once its secret is known: it prints this one key.
    done = subprocess.run(
        [OCR, "keys", "create", "--role", role],
        env=dict(env),
        capture_output=True,
        text=True,
        check=True,
    )
    key = done.stdout.split()[-1]
    search.plant(f"the {role}'s key", key.split("_", 2)[2])
    search.look("stderr of keys create", done.stderr)
    return key


def _send_secrets_where_they_do_not_belong(client: Client, headers: dict[str, str]) -> None:
    secret = headers["X-API-Key"]
    for wrong in (WRONG_KEY, secret[:-1] + "x", SETTINGS["API_KEY_PEPPER"]):
        client.send("GET", "/v1/me", headers={"X-API-Key": wrong})
        client.send("GET", "/v1/me", headers={"Authorization": f"Bearer {wrong}"})
    client.send("GET", "/metrics", headers={"Authorization": f"Bearer {WRONG_KEY}"})
    for key in (WRONG_KEY, secret):
        client.send("GET", f"/v1/{key}?token={key}", headers=headers)
        client.send("GET", f"/v1/tasks/{key}?api_key={key}", headers=headers)
        client.send("GET", "/v1/jobs", params={"cursor": key}, headers=headers)
        client.send("GET", "/v1/artifacts", params={"ref": key}, headers=headers)
        client.send("POST", "/v1/extract", content=key.encode(), headers=headers)
        client.send(
            "POST",
            "/v1/extract",
            content=f'{{"key": "{key}", "task_id": "{key}"}}',
            headers=headers | {"Content-Type": "application/json"},
        )
        client.send("POST", "/v1/extract", files={"file": key.encode()}, headers=headers)
        client.send("GET", "/v1/me", headers=headers | {"X-Request-ID": f"{key}!"})
        client.send("GET", "/v1/me", headers=headers | {"Prefer": key, "Cookie": key})


def _use_everything(client: Client, headers: dict[str, str]) -> None:
    """Good requests, and one that its upstream fails."""
    extract = {"file": ("a.xml", INVOICE)}
    kept = client.send("POST", "/v1/extract", files=extract, headers=headers)
    assert kept.status_code == 200, kept.text
    client.send("GET", f"/v1/extracts/{kept.json()['request_id']}", headers=headers)
    ref = {"ref": kept.json()["artifact_rel"]}
    client.send("GET", "/v1/artifacts", params=ref, headers=headers)
    callback = f"https://hooks.invalid/hook?token={CALLBACK_TOKEN}"
    client.send(
        "POST",
        "/v1/extract_async",
        files=extract,
        data={"callback_url": callback},
        headers=headers,
    )
    for path in ("/v1/jobs", "/v1/runs", "/v1/webhooks/deliveries", "/v1/debug/artifacts"):
        client.send("GET", path, headers=headers)
    client.send("GET", "/v1/debug/artifacts/backup.tar.gz", headers=headers)
    token = SETTINGS["METRICS_TOKEN"]
    metrics = client.send("GET", "/metrics", headers={"Authorization": f"Bearer {token}"})
    assert metrics.status_code == 200


@pytest.fixture
def search() -> Search:
    """For all the secrets of this file."""
    search = Search()
    for name, secret in SETTINGS.items():
        search.plant(name, secret)
    search.plant("the broker's password", BROKER_PASSWORD)
    search.plant("the database's password", DATABASE_PASSWORD)
    search.plant("the collector's key", COLLECTOR_KEY)
    search.plant("a wrong key", WRONG_KEY.split("_", 2)[2])
    search.plant("a callback's token", CALLBACK_TOKEN)
    return search


def test_a_server_and_a_worker_whose_upstreams_fail_tell_nothing(
    tmp_path: Path, search: Search, start: Callable[..., ServerProcess]
) -> None:
    heard: list[bytes] = []
    with echoing(heard) as upstream:
        broker = upstream.removeprefix("http://")
        env = SETTINGS | {
            "AUTH_ENABLED": "1",
            "LOG_LEVEL": "DEBUG",
            "LOG_FORMAT": "json",
            "OCR_WORKERS": "1",
            "INFERENCE_BACKEND": "vllm",
            "VLLM_MODEL": "model",
            "VLLM_BASE_URL": upstream,
            "JOBS_BACKEND": "celery",
            "CELERY_BROKER_URL": f"redis://:{BROKER_PASSWORD}@{broker}/0",
            "S3_BUCKET": "bucket",
            "S3_ENDPOINT_URL": NOWHERE,
            "JOBS_RETRY_FOR_S": "0",
            "SYNC_DEADLINE_S": "300",
            "OTEL_EXPORTER_OTLP_ENDPOINT": upstream,
            "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{COLLECTOR_KEY}",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
        }
        shell = environment(tmp_path, env)
        key = _new_key(search, shell, "admin")
        headers = {"X-API-Key": key}
        server = start(**env)
        worker = WorkerProcess(tmp_path, env)
        client = Client(server, search)
        try:
            _use_everything(client, headers)
            failed = client.send("POST", "/v1/extract", files={"file": PHOTO}, headers=headers)
            assert failed.status_code in {502, 503}, failed.text
            _send_secrets_where_they_do_not_belong(client, headers)
            announced = client.send(
                "POST",
                "/v1/uploads",
                json={"sha256": "0" * 64, "size_bytes": 100},
                headers=headers,
                # The address is signed for the caller alone, by the id of the store's key.
                but=("AWS_ACCESS_KEY_ID",),
            )
            assert announced.status_code == 201
            query = urllib.parse.parse_qs(urllib.parse.urlsplit(announced.json()["url"]).query)
            search.plant("a presigned address", query["X-Amz-Signature"][0])
            eventually(lambda: search.look_at_processes(server.process.pid) > 0, "OCR workers")
            search.look_at_processes(worker.process.pid)
            for arguments in (("keys", "list"), ("jobs", "list"), ("webhooks", "list")):
                _command(search, shell, *arguments)
            key_id = key.split("_")[1]
            secret = _command(search, shell, "webhooks", "secret", key_id).strip()
            search.plant("a webhook's secret", secret.removeprefix("whsec_"))
        finally:
            client.close()
            server.stop()
            worker.end()
    assert {200, 201, 202, 401, 404, 422} <= set(client.codes)
    said = (tmp_path / "server.log").read_text() + worker.log.read_text()
    assert "the broker is away" in said
    # What is to be called has to be kept until then, in the table of jobs.
    search.look_in_files(tmp_path, but=("a callback's token",))
    search.look("the logs", said)
    assert any(b"ocr-service" in body for body in heard), "spans were sent"
    for body in heard:
        search.look("what upstreams were sent", body)
    assert not search.found, search.found


def test_a_database_with_a_password_is_not_told_of(
    tmp_path: Path, search: Search, start: Callable[..., ServerProcess], postgres: Peer
) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        role = f"CREATE ROLE planted LOGIN SUPERUSER PASSWORD '{DATABASE_PASSWORD}'"
        connection.execute(role.encode())
    place = urllib.parse.urlsplit(postgres.new_database())
    url = f"postgresql://planted:{DATABASE_PASSWORD}@{place.hostname}:{place.port}{place.path}"
    env = SETTINGS | {
        "AUTH_ENABLED": "1",
        "LOG_LEVEL": "DEBUG",
        "OCR_WORKERS": "1",
        "JOBS_DB_PATH": url,
        "AUTH_DB_PATH": url,
    }
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del env[name]
    shell = environment(tmp_path, env)
    headers = {"X-API-Key": _new_key(search, shell, "admin")}
    server = start(**env)
    client = Client(server, search)
    try:
        _use_everything(client, headers)
        # The role is gone and its sessions are ended: every use of the database fails from now on.
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute(b"ALTER ROLE planted NOLOGIN")
            ended = (
                b"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename='planted'"
            )
            connection.execute(ended)
            eventually(lambda: _has_no_session(connection, "planted"), "the end of its sessions")
        assert client.send("GET", "/v1/jobs", headers=headers).status_code == 503
        client.send("POST", "/v1/extract", files={"file": INVOICE}, headers=headers)
        _command(search, shell, "keys", "list")
        _command(search, shell, "jobs", "list")
    finally:
        client.close()
        server.stop()
    search.look_in_files(tmp_path, but=("a callback's token",))
    search.look("the log", (tmp_path / "server.log").read_text())
    assert not search.found, search.found


def _has_no_session(connection: psycopg.Connection[Any], role: str) -> bool:
    query = b"SELECT 1 FROM pg_stat_activity WHERE usename = %s"
    return connection.execute(query, (role,)).fetchone() is None


REFUSED = {
    "a pepper that is too short": {"API_KEY_PEPPER": "planted-short"},
    "a token that is too short": {"METRICS_TOKEN": "planted-short"},
    "a key that is no header": {"VLLM_API_KEY": "planted-first-line\nKq7"},
    "a broker of no known kind": {"CELERY_BROKER_URL": f"http://u:{BROKER_PASSWORD}@h/0"},
    "a database that is none": {"JOBS_DB_PATH": f"mysql://u:{DATABASE_PASSWORD}@h/d"},
    "a port that is none": {"JOBS_DB_PATH": f"postgresql://u:{DATABASE_PASSWORD}@h:port/d"},
    "an endpoint with a password": {
        "S3_BUCKET": "bucket",
        "S3_ENDPOINT_URL": f"https://u:{DATABASE_PASSWORD}@127.0.0.1:1",
    },
    "a server with a password": {"VLLM_BASE_URL": f"http://u:{DATABASE_PASSWORD}@127.0.0.1:1"},
    "a misspelt name": {"API_KEY_PEPER": SETTINGS["API_KEY_PEPPER"]},
}


def test_a_setting_that_is_refused_is_not_repeated(
    tmp_path: Path, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    search.plant("a short secret", "planted-short")
    search.plant("half a key", "planted-first-line")
    for why, wrong in REFUSED.items():
        with monkeypatch.context() as environ:
            given = SETTINGS | {"AUTH_ENABLED": "1", "DATA_ROOT": str(tmp_path)} | wrong
            for name, value in given.items():
                environ.setenv(name, value)
            for command in ("serve", "worker"):
                shown = CliRunner().invoke(cli, [command])
                assert shown.exit_code == 2, why
                assert shown.output.count("\n") == 1, shown.output
                search.look(why, shown.output)
    search.look_in_files(tmp_path)
    assert not search.found, search.found


def test_a_start_without_its_database_does_not_tell_where_it_is(
    tmp_path: Path, search: Search
) -> None:
    away = f"postgresql://u:{DATABASE_PASSWORD}@127.0.0.1:1/d"
    more = {"AUTH_ENABLED": "1", "LOG_LEVEL": "DEBUG", "JOBS_DB_PATH": away}
    env = environment(tmp_path, SETTINGS | more)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del env[name]
    for command in (("serve", "--port", "0"), ("worker",), ("jobs", "list")):
        done = subprocess.run(
            [OCR, *command], env=env, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode != 0
        assert "Traceback" not in done.stderr, done.stderr
        assert "psycopg" not in done.stderr, done.stderr
        search.look(str(command), done.stdout + done.stderr)
    search.look_in_files(tmp_path)
    assert not search.found, search.found
