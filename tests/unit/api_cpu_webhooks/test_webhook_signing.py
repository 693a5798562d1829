"""Signatures that a receiver can check, and the pauses between attempts."""

from __future__ import annotations

import base64
import time

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from standardwebhooks import Webhook, WebhookVerificationError

from apps.api_cpu.webhooks.schedule import RETRIES_FOR_S, pause_s
from apps.api_cpu.webhooks.signing import SigningSecrets, signed_headers

SECRETS = SigningSecrets(b"sixteen characters or more")
BODY = b'{"event":"job.succeeded","job":{"total":19.90,"name":"M\xc3\xbcller"}}'


def test_a_secret_is_hkdf_of_the_root() -> None:
    info = b"3f9a1c0b7d52:2"
    hkdf = HKDF(algorithm=SHA256(), length=32, salt=b"ocr-service webhooks", info=info)
    expected = hkdf.derive(b"sixteen characters or more")
    secret = SECRETS.secret("3f9a1c0b7d52", 2)
    assert base64.b64decode(secret.removeprefix("whsec_")) == expected


def test_keys_and_versions_have_secrets_of_their_own() -> None:
    made = {SECRETS.secret(key, version) for key in ("a", "b", "a:1") for version in (1, 11)}
    assert len(made) == 6


def test_the_reference_library_verifies() -> None:
    secret = SECRETS.secret("a", 1)
    headers = dict(signed_headers([secret], "msg", time.time(), BODY))
    assert Webhook(secret).verify(BODY, headers)["event"] == "job.succeeded"
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY.replace(b"19", b"99"), headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY, headers | {"webhook-id": "other"})


def test_while_secrets_overlap_both_verify() -> None:
    new, old = SECRETS.secret("a", 2), SECRETS.secret("a", 1)
    headers = dict(signed_headers([new, old], "msg", time.time(), BODY))
    assert headers["webhook-signature"].count("v1,") == 2
    for secret in (new, old):
        assert Webhook(secret).verify(BODY, headers)


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_attempts_come_close_at_first_and_then_for_a_day(chance: float) -> None:
    spent, failed = 0.0, 0
    while spent <= RETRIES_FOR_S:
        failed += 1
        spent += pause_s(failed, chance, None)
    assert 9 <= failed <= 13
    assert 4 <= pause_s(1, chance, None) <= 6
    assert pause_s(99, chance, None) <= 9.6 * 3600


def test_a_receiver_may_ask_for_time_within_reason() -> None:
    assert pause_s(1, 0.5, 120.0) == 120.0
    assert pause_s(1, 0.5, 1e9) == 7200.0
    assert pause_s(1, 0.5, -5.0) == 5.0
