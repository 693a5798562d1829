"""Documents with recognisable content through every way: the log, at DEBUG, holds none of it."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from fpdf import FPDF
from PIL import Image, ImageDraw, ImageFont
from server_process import ROOT, ServerProcess, eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

WORD = "plantedword"
# Longer than any number of a log, whose times hold each short one now and then.
AMOUNT = "7391526.84"
ENDED = {"succeeded", "failed", "canceled"}
XML = (ROOT / "samples" / "invoice_xrechnung.xml").read_bytes()


def _pdf() -> bytes:
    page = FPDF()
    page.add_page()
    page.set_font("Helvetica", size=14)
    for line in (
        f"{WORD} Ltd",
        "Receipt 4711",
        "2026-03-01",
        f"{WORD} tea {AMOUNT}",
        f"Total {AMOUNT}",
    ):
        page.cell(0, 10, line, new_x="LMARGIN", new_y="NEXT")
    return bytes(page.output())


def _photo() -> bytes:
    image = Image.new("RGB", (700, 360), "white")
    draw = ImageDraw.Draw(image)
    draw.text((40, 40), f"{WORD.upper()} LTD\n\nTotal {AMOUNT} EUR", "black",
              ImageFont.load_default(48))  # fmt: skip
    found = io.BytesIO()
    image.save(found, "PNG")
    return found.getvalue()


def _invoice() -> bytes:
    name = b"<cbc:RegistrationName>"
    assert name in XML
    return XML.replace(name, name + WORD.encode() + b" ")


def _zip() -> bytes:
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w") as archive:
        archive.writestr(f"{WORD}/{WORD}.xml", _invoice())
        archive.writestr(f"{WORD}.pdf", b"%PDF-1.7 " + WORD.encode())
    return found.getvalue()


@pytest.fixture
def model() -> Iterator[str]:
    """An inference server that fails in its words, and then answers what is no JSON."""
    chat = {
        "id": "1", "object": "chat.completion", "created": 1, "model": "mock-chat",
        "choices": [{"index": 0, "finish_reason": "stop",
                     "message": {"role": "assistant", "content": f"{{ {WORD}: no json"}}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18},
    }  # fmt: skip
    calls: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say(200, {"object": "list", "data": [{"id": "mock-chat", "object": "model"}]})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            calls.append(1)
            failed = {"error": {"message": WORD, "type": WORD, "code": 500}}
            self._say(*((500, failed) if len(calls) % 3 == 1 else (200, chat)))

        def _say(self, status: int, body: object) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


class Client:
    """Counts what it asks for."""

    def __init__(self, server: ServerProcess) -> None:
        self._client = server.client
        self.asked = 0

    def __call__(self, method: str, path: str, **more: Any) -> httpx.Response:
        self.asked += 1
        return self._client.request(method, path, **more)

    def ended(self, job_id: str) -> dict[str, Any]:
        """A job after its end."""

        def look() -> dict[str, Any] | None:
            job: dict[str, Any] = self("GET", f"/v1/jobs/{job_id}?wait=20").json()
            return job if job["status"] in ENDED else None

        found: dict[str, Any] = eventually(look, f"the end of {job_id}")
        return found


def _documents(ask: Client) -> None:
    """Good ones, one after the other, a job and a batch; a correction."""
    hints = {"request_id": "of-the-pdf"}
    named = {"file": (f"{WORD}.pdf", _pdf())}
    read = ask("POST", "/v1/extract", files=named, data=hints, headers={"Prefer": "wait"})
    assert WORD in read.text, read.text
    photo = ask("POST", "/v1/extract", files={"file": _photo()})
    assert photo.status_code == 200, photo.text
    fields = {"fields": {"vendor_name": f"{WORD} Inc"}, "comment": WORD}
    corrected = ask("POST", "/v1/extracts/of-the-pdf/corrections", json=fields)
    assert corrected.status_code == 201, corrected.text
    job = ask(
        "POST", "/v1/extract_async", files={"file": (f"{WORD}.xml", _invoice())},
        data={"callback_url": f"http://127.0.0.1:9/{WORD}?{WORD}={WORD}"},
    ).json()  # fmt: skip
    assert WORD in json.dumps(ask.ended(job["job_id"])["result"])
    files = [("files", (f"{WORD}.zip", _zip())), ("files", (f"{WORD}.jpg", WORD.encode()))]
    batch = ask("POST", "/v1/batch_extract_upload_async", files=files)
    ended = ask.ended(batch.json()["job_id"])
    assert ended["progress"]["failed"] == 2, ended
    events = ask("GET", f"/v1/jobs/{batch.json()['job_id']}/events")
    assert WORD in events.text, events.text


def _refused(ask: Client) -> None:
    """What is wrong in all sorts of places."""
    for more in (
        {"content": b'{"' + WORD.encode(), "headers": {"Content-Type": "application/json"}},
        {"json": {"image_base64": WORD, WORD: WORD}},
        {"json": {"image_ref": f"inputs/{WORD}", "task_id": WORD}},
        {"files": {"file": b"%PDF-1.7 " + WORD.encode()}},
        {"files": {"file": _pdf()}, "data": {"pages": WORD, "language": WORD}},
        {"content": WORD.encode(), "headers": {"Content-Type": f"multipart/form-data; {WORD}"}},
        {"files": {"file": _pdf()}, "headers": {"Idempotency-Key": f'"{WORD}'}},
    ):
        assert 400 <= ask("POST", "/v1/extract", **more).status_code < 500, more  # type: ignore[arg-type]
    assert ask("GET", f"/v1/{WORD}?{WORD}").status_code == 404
    assert ask("GET", f"/v1/extracts/{WORD}").status_code == 404
    assert ask("GET", f"/v1/artifacts?ref={WORD}").status_code in {404, 422}
    assert ask("GET", "/v1/me", headers={"X-Request-ID": f"{WORD} !"}).status_code == 422
    folder = {"task_id": "auto", "images_dir": WORD, "glob": f"**/{WORD}*"}
    assert ask("POST", "/v1/batch_extract", json=folder).status_code in {200, 404, 422}


def _records(server: ServerProcess) -> list[dict[str, Any]]:
    whole, _, _ = (server.data_root / "server.log").read_text().rpartition("\n")
    return [json.loads(line) for line in whole.splitlines()]


def _has_none_of_it(server: ServerProcess) -> list[dict[str, Any]]:
    text = (server.data_root / "server.log").read_text().lower()
    found = [line for line in text.splitlines() if WORD in line or AMOUNT in line]
    assert found == []
    return _records(server)


def test_documents_and_refusals_leave_no_content_in_the_log(
    start: Callable[..., ServerProcess],
) -> None:
    server = start(
        LOG_LEVEL="DEBUG", LOG_FORMAT="json", OCR_WORKERS="1", WEBHOOK_ALLOW_PRIVATE="1",
        SYNC_DEADLINE_S="600",
    )  # fmt: skip
    ask = Client(server)
    _documents(ask)
    _refused(ask)

    def webhook() -> bool:
        return any(line["message"] == "webhook" for line in _records(server))

    eventually(webhook, "an attempt at the webhook")
    server.stop()
    lines = _has_none_of_it(server)
    access = [line for line in lines if line["message"] == "request"]
    assert len(access) == ask.asked, "one line a request"
    assert all(line["request_id"] and "ms" in line and "status" in line for line in access)
    items = [line for line in lines if line["message"] == "item"]
    assert len(items) == 4
    assert all(line["job_id"] and line["request_id"] and line["key_id"] for line in items)
    accepted = {line["job_id"] for line in access if line["status"] == 202}
    assert {line["job_id"] for line in items} == accepted


def test_what_a_model_says_is_not_in_the_log(
    start: Callable[..., ServerProcess], model: str
) -> None:
    server = start(
        LOG_LEVEL="DEBUG", LOG_FORMAT="json", OCR_WORKERS="1", INFERENCE_BACKEND="vllm",
        VLLM_BASE_URL=model, VLLM_MODEL="mock-chat", SYNC_DEADLINE_S="600",
    )  # fmt: skip
    server.wait_ready()
    answer = Client(server)("POST", "/v1/extract", files={"file": _pdf()})
    assert answer.json()["error"]["code"] == "inference_bad_output", answer.text
    server.stop()
    assert any(line.get("status") == 502 for line in _has_none_of_it(server))
