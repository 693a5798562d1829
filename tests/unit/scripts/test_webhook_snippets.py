"""The snippets of docs/webhooks.md: what receivers copy verifies what we send, and nothing else."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import playwright
import pytest
from standardwebhooks import WebhookVerificationError

from apps.api_cpu.webhooks.signing import SigningSecrets, signed_headers

PAGE = Path(__file__).resolve().parents[3] / "docs" / "webhooks.md"
NODE = Path(playwright.__file__).parent / "driver" / "node"
BODY = '{"event":"job.succeeded","job":{"name":"Müller","total":19.90}}'.encode()
SECRET = SigningSecrets(b"a root for this test").secret("k", 1)
OTHER = SigningSecrets(b"a root for this test").secret("k", 2)


def _snippet(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert found
    return found[1]


def _python(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    names: dict[str, Any] = {}
    exec(_snippet("python"), names)
    try:
        return bool(names["verified"](secret, dict(headers), body) == json.loads(BODY))
    except WebhookVerificationError:
        return False


def _javascript(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    sent = json.dumps([secret, dict(headers), body.decode("utf-8")])
    program = f"""{_snippet("javascript")}
        const [secret, headers, body] = {sent};
        try {{ console.log(JSON.stringify(verified(secret, headers, Buffer.from(body)))); }}
        catch (error) {{ console.log("null"); }}"""
    run = subprocess.run([NODE, "-e", program], capture_output=True, text=True, check=True)
    return bool(json.loads(run.stdout) == json.loads(BODY))


@pytest.mark.parametrize("verifies", [_python, _javascript], ids=["Python", "JavaScript"])
def test_a_receivers_snippet_verifies(verifies: Any) -> None:
    now = time.time()
    headers = dict(signed_headers([OTHER, SECRET], "msg", now, BODY))
    assert verifies(SECRET, headers, BODY)
    assert verifies(OTHER, headers, BODY)
    assert not verifies(SECRET, headers, BODY.replace(b"19", b"99"))
    assert not verifies(SECRET, headers | {"webhook-id": "other"}, BODY)
    assert not verifies(SECRET, headers | {"webhook-signature": "v1,AAAA"}, BODY)
    assert not verifies(SECRET, signed_headers([SECRET], "msg", now - 3600, BODY), BODY)
    assert not verifies(SigningSecrets(b"x").secret("k", 1), headers, BODY)
