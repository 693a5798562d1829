"""Stands for the command `vllm serve`: its options, addresses and ways to end, without a model.

STAND_IN says what goes wrong: `refuses` (ends at once), `dies_loading`, `never_ready`, `no_answers`
(healthy, but every question is 500), `engine_dies` (ends with 0 after the first question asked by a
client, as vLLM does when its engine dies), `deaf` (ignores SIGTERM). STAND_IN_LOAD_S is how long it
loads. A child process of its own stands for the engine: it must not be left behind.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HOW = os.environ.get("STAND_IN", "")
done = 0


class Handler(BaseHTTPRequestHandler):
    model = ""

    def do_GET(self) -> None:
        if self.path == "/health":
            self.answer(200, None)
        elif self.path == "/metrics":
            self.answer(
                200, f"vllm:num_requests_running 0.0\nvllm:request_success_total {done}.0\n"
            )
        elif not self.is_known():
            self.answer(401, {"error": "Unauthorized"})
        else:
            self.answer(200, {"object": "list", "data": [{"id": self.model}]})

    def do_POST(self) -> None:
        global done  # noqa: PLW0603 the server's one counter
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.is_known():
            self.answer(401, {"error": "Unauthorized"})
        elif HOW == "no_answers":
            self.answer(500, {"error": {"message": "", "type": "", "param": None, "code": 500}})
        else:
            assert body["model"] == self.model
            done += 1
            self.answer(200, {"choices": [{"message": {"content": "1"}}]})
            if HOW == "engine_dies" and body["max_tokens"] > 1:
                os._exit(0)

    def is_known(self) -> bool:
        return self.headers["Authorization"] == f"Bearer {os.environ['VLLM_API_KEY']}"

    def answer(self, status: int, body: Any) -> None:
        raw = (
            b""
            if body is None
            else body.encode()
            if isinstance(body, str)
            else json.dumps(body).encode()
        )
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("model")
    parser.add_argument("--revision", required=True)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--served-model-name", required=True)
    parser.add_argument("--max-model-len", type=int, required=True)
    parser.add_argument("--limit-mm-per-prompt", type=json.loads, required=True)
    parser.add_argument("--seed", type=int)
    options = parser.parse_args()
    sys.stdout.write(f"loading {options.model}\n")
    sys.stdout.flush()
    if HOW == "refuses":
        sys.exit("ValueError: the model does not fit")
    engine = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    sys.stdout.write(f"engine {engine.pid}\n")
    sys.stdout.flush()
    if HOW == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(float(os.environ.get("STAND_IN_LOAD_S", "0")))
    if HOW == "dies_loading":
        sys.exit("torch.OutOfMemoryError: CUDA out of memory")
    if HOW == "never_ready":
        threading.Event().wait()
    Handler.model = options.served_model_name
    ThreadingHTTPServer((options.host, options.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
