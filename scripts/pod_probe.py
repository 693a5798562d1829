"""Asks a pod's server whether it is ready, and whether anybody used it; standard library only.

    python scripts/pod_probe.py ready --url http://127.0.0.1:8001 --model NAME --dialect chat
    python scripts/pod_probe.py activity --url http://127.0.0.1:8001

`ready` ends with 0 when the server has given a real answer: /health alone is 200 before the first
one, and while vLLM is draining. `activity` prints how much runs and a number that only work moves.
The key is read from VLLM_API_KEY.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import struct
import sys
import urllib.error
import urllib.request
import zlib
from typing import Any

# Gauges of work that is going on, and counters that nothing but work moves: vLLM's, then ours.
RUNNING = ("vllm:num_requests_running", "vllm:num_requests_waiting", "tilt_documents_held")
DONE = ("vllm:request_success_total", "vllm:generation_tokens_total", "tilt_documents_total")


def main() -> None:
    """Print one line, and end with 0 or 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["ready", "activity"])
    parser.add_argument("--url", required=True)
    parser.add_argument("--model", default="")
    parser.add_argument("--dialect", choices=["chat", "tilt"], default="chat")
    parser.add_argument("--timeout", type=float, default=30.0)
    options = parser.parse_args()
    try:
        if options.what == "activity":
            running, done = activity(fetched(options.url + "/metrics", options.timeout).decode())
            print(f"{running:g} {done:g}")
            return
        problem = why_not_ready(options.url, options.model, options.dialect, options.timeout)
    except (OSError, ValueError) as error:
        # The error's text holds no key: it is the server's address and the system's reason.
        sys.exit(f"not reachable: {error}")
    if problem:
        sys.exit(problem)


def why_not_ready(url: str, model: str, dialect: str, timeout_s: float) -> str:
    """Why no answer can be had; empty when one was."""
    fetched(url + "/health", timeout_s)
    served = [entry["id"] for entry in json.loads(fetched(url + "/v1/models", timeout_s))["data"]]
    if model not in served:
        return f"{model} is not served; what is: {', '.join(served)}"
    content: Any = "1"
    if dialect == "tilt":
        content = [
            {"type": "ocr_document", "ocr_document": _page()},
            {"type": "text", "text": "Total"},
        ]
    question = {"model": model, "max_tokens": 1, "messages": [{"role": "user", "content": content}]}
    answer = json.loads(fetched(url + "/v1/chat/completions", timeout_s, question))
    return "" if answer.get("choices") else "an answer without choices"


def activity(metrics: str) -> tuple[float, float]:
    """Requests under way, and the sum of the counters, from Prometheus' text."""
    sums = dict.fromkeys((*RUNNING, *DONE), 0.0)
    for line in metrics.splitlines():
        name = line.partition("{")[0].partition(" ")[0]
        if name in sums:
            sums[name] += float(line.rpartition(" ")[2])
    return sum(sums[name] for name in RUNNING), sum(sums[name] for name in DONE)


def fetched(url: str, timeout_s: float, body: Any = None) -> bytes:
    """The body of a 200; OSError for anything else."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data)
    request.add_header("Content-Type", "application/json")
    request.add_header("Authorization", f"Bearer {os.environ.get('VLLM_API_KEY', '')}")
    with urllib.request.urlopen(request, timeout=timeout_s) as answer:
        found: bytes = answer.read()
        return found


def _page() -> dict[str, Any]:
    """A page of two words and 16 x 16 white pixels."""
    rows = b"".join(b"\0" + b"\xff" * 16 for _ in range(16))
    png = b"\x89PNG\r\n\x1a\n"
    for kind, data in (
        (b"IHDR", struct.pack(">IIBBBBB", 16, 16, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ):
        png += (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )
    return {
        "pages": [
            {
                "width": 16,
                "height": 16,
                "words": ["Total", "1.00"],
                "bboxes": [[0, 0, 7, 4], [8, 0, 15, 4]],
                "image": {"url": "data:image/png;base64," + base64.b64encode(png).decode()},
            }
        ]
    }


if __name__ == "__main__":
    main()
