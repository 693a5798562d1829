"""Signing secrets, one per API key and version, and the headers that they make."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from standardwebhooks import Webhook

_SALT = b"ocr-service webhooks"
_PREFIX = "whsec_"


class SigningSecrets:
    """Derives every secret from one root, so that none is stored.

    HKDF-SHA256 (RFC 5869) with the key id and the version as `info`: who knows one secret knows
    neither the root nor another one.
    """

    def __init__(self, root: bytes) -> None:
        self._extracted = hmac.digest(_SALT, root, "sha256")

    def secret(self, key_id: str, version: int) -> str:
        """A secret of 32 bytes as receivers are given it: `whsec_` and base64."""
        # One block of HKDF's expansion is as long as the secret.
        info = f"{key_id}:{version}".encode()
        derived = hmac.digest(self._extracted, info + b"\x01", "sha256")
        return _PREFIX + base64.b64encode(derived).decode("ascii")


def signed_headers(
    secrets: Sequence[str], message_id: str, moment: float, body: bytes
) -> Mapping[str, str]:
    """The headers of the Standard Webhooks scheme; one signature for each secret.

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """
    at = datetime.fromtimestamp(int(moment), UTC)
    text = body.decode("utf-8")
    signatures = [cast(Any, Webhook(secret)).sign(message_id, at, text) for secret in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(moment)),
        "webhook-signature": " ".join(signatures),
    }
