"""The `Idempotency-Key` header, as clients send it."""

from __future__ import annotations

import re

from fastapi import Request

from apps.api_cpu.errors import invalid

HEADER = "Idempotency-Key"
LONGEST_KEY = 255
_BARE = re.compile(r"[!#-\[\]-~]{1,255}\Z")
# A string of RFC 8941, section 3.3.3, which draft-ietf-httpapi-idempotency-key-header asks for.
_QUOTED = re.compile(r'"(?:[ !#-\[\]-~]|\\["\\]){1,255}"\Z')


def key_sent(request: Request) -> str | None:
    """The key, without the quotes of a structured header; None when there is none.

    Raises `validation_error` for an empty one, more than one, and one that is not visible ASCII.
    """
    sent = request.headers.getlist(HEADER)
    if not sent:
        return None
    text = sent[0].strip()
    if len(sent) == 1 and _BARE.match(text):
        return text
    if len(sent) == 1 and _QUOTED.match(text):
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    raise invalid(HEADER, f"must be one key of 1 to {LONGEST_KEY} visible ASCII characters")
