"""Webhooks through the API: accepted or refused, sent, listed, sent again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from api_place import PEPPER, RECEIPT, Place
from standardwebhooks import Webhook
from typer.testing import CliRunner
from webhook_receiver import PATIENCE_S, Heard, Receiver, receiving

from apps.api_cpu.cli import app as cli


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def hooked(make_place: Callable[..., Place]) -> Place:
    """A server with keys that may call receivers on this machine."""
    return make_place(auth_enabled=True, api_key_pepper=PEPPER, webhook_allow_private=True)


def _submit(place: Place, url: str, headers: dict[str, str], **more: str) -> Any:
    return place.client.post(
        "/v1/extract_async",
        files={"file": ("a.pdf", RECEIPT)},
        data={"callback_url": url},
        headers=headers | more,
    )


def _secret(place: Place, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    monkeypatch.setenv("DATA_ROOT", str(place.settings.data_root))
    monkeypatch.setenv("API_KEY_PEPPER", PEPPER)
    shown = CliRunner().invoke(cli, ["webhooks", "secret", *arguments])
    assert shown.exit_code == 0, shown.output
    return shown.stdout.strip()


def _deliveries(place: Place, headers: dict[str, str], **query: str) -> list[dict[str, Any]]:
    page = place.client.get("/v1/webhooks/deliveries", params=query, headers=headers)
    assert page.status_code == 200, page.text
    found: list[dict[str, Any]] = page.json()["deliveries"]
    return found


def _settled(place: Place, headers: dict[str, str], state: str) -> dict[str, Any]:
    """The only delivery, once it has that state."""
    end = time.monotonic() + PATIENCE_S
    while not (found := _deliveries(place, headers, state=state)):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found[0]


def test_the_end_of_a_job_is_told_and_verifies(
    hooked: Place, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = hooked.headers()
    key_id = hooked.client.get("/v1/me", headers=headers).json()["key_id"]
    accepted = _submit(hooked, receiver.url, headers)
    assert accepted.status_code == 202
    heard = receiver.next()
    assert heard.path == "/hooks?customer=7"
    secret = _secret(hooked, monkeypatch, key_id)
    payload = Webhook(secret).verify(heard.body, dict(heard.headers))
    assert payload["event"] == "job.succeeded"
    assert payload["job"]["job_id"] == accepted.json()["job_id"]
    shown = hooked.client.get(f"/v1/jobs/{payload['job']['job_id']}", headers=headers).json()
    assert payload["job"] == shown, "what is told is what can be asked for"
    assert payload["job"]["result"]["result"]["total"] == 19.9
    assert _settled(hooked, headers, "delivered")["last_status"] == 200


def test_a_failed_job_is_told_too(hooked: Place, receiver: Receiver) -> None:
    hooked.client.post(
        "/v1/extract_async",
        files={"file": ("a.pdf", b"unsupported")},
        data={"callback_url": receiver.url},
        headers=hooked.headers(),
    )
    assert b'"event":"job.failed"' in receiver.next().body


def test_a_failure_is_tried_again_and_can_be_seen(hooked: Place, receiver: Receiver) -> None:
    headers = hooked.headers()
    receiver.statuses = [410, 200]
    _submit(hooked, receiver.url, headers)
    first = receiver.next()
    undelivered = _settled(hooked, headers, "undelivered")
    assert (undelivered["last_problem"], undelivered["last_status"]) == ("status", 410)
    assert _deliveries(hooked, hooked.headers(), state="undelivered") == [], "own only"
    url = f"/v1/webhooks/deliveries/{undelivered['delivery_id']}/replay"
    assert hooked.client.post(url, headers=hooked.headers()).status_code == 404
    again = hooked.client.post(url, headers=headers)
    assert (again.status_code, again.json()["state"]) == (202, "pending")
    second = receiver.next()
    assert second.body == first.body
    assert second.headers["webhook-id"] == first.headers["webhook-id"]
    _settled(hooked, headers, "delivered")


def test_what_is_erased_is_not_told_any_more(hooked: Place, receiver: Receiver) -> None:
    headers = hooked.headers()
    _submit(hooked, receiver.url, headers)
    told = json.loads(receiver.next().body)["job"]
    delivery = _settled(hooked, headers, "delivered")
    erased = hooked.client.delete(f"/v1/extracts/{told['result']['request_id']}", headers=headers)
    assert erased.status_code == 200
    hooked.client.post(f"/v1/webhooks/deliveries/{delivery['delivery_id']}/replay", headers=headers)
    assert json.loads(receiver.next().body)["job"] == told | {"result": None}


def test_one_key_makes_one_job_and_one_webhook(hooked: Place, receiver: Receiver) -> None:
    headers = hooked.headers()
    answers = [_submit(hooked, receiver.url, headers, **{"Idempotency-Key": "k"}) for _ in "123"]
    assert [answer.status_code for answer in answers] == [202] * 3
    assert len({answer.content for answer in answers}) == 1
    assert {answer.headers["Location"] for answer in answers} == {answers[0].json()["poll_url"]}
    receiver.next()
    _settled(hooked, headers, "delivered")
    assert len(_deliveries(hooked, headers)) == 1
    assert len(hooked.pipeline.calls) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "https://127.0.0.1/hook",
        "https://localhost/hook",
        "https://[::1]/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:10.0.0.1]/",
        "https://user:secret@example.com/",
        "ftp://example.com/",
        "no url",
    ],
)
def test_a_url_that_may_not_be_called_is_refused_with_the_request(
    shared_locked: Place, url: str
) -> None:
    refused = _submit(shared_locked, url, shared_locked.headers())
    assert refused.status_code == 422, refused.text
    assert refused.json()["error"]["details"]["errors"][0]["field"] == "callback_url"
    assert "secret" not in refused.text
    assert not [path for path in shared_locked.artifact_files() if "inputs" in path.parts]


def test_batches_are_told_and_refused_alike(hooked: Place, receiver: Receiver) -> None:
    headers = hooked.headers()

    def upload(url: str) -> Any:
        return hooked.client.post(
            "/v1/batch_extract_upload_async",
            files=[("files", ("a.pdf", b"%PDF-1.7")), ("files", ("b.pdf", b"none"))],
            data={"callback_url": url, "run_id": "march"},
            headers=headers,
        )

    refused = upload("https://169.254.169.254/latest")
    assert refused.status_code == 422
    assert refused.json()["error"]["details"]["errors"][0]["field"] == "callback_url"
    assert upload(receiver.url).status_code == 202, "a refusal does not use the run id up"
    told = json.loads(receiver.next().body)
    assert told["event"] == "job.succeeded"
    assert (told["job"]["progress"]["ok"], told["job"]["progress"]["failed"]) == (1, 1)
    assert told["job"]["result"]["run_id"] == "march"


def test_secrets_are_rotated_with_an_overlap(
    hooked: Place, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = hooked.headers()
    key_id = hooked.client.get("/v1/me", headers=headers).json()["key_id"]
    old = _secret(hooked, monkeypatch, key_id)
    new = _secret(hooked, monkeypatch, key_id, "--rotate", "--grace-hours", "1")
    assert old != new
    _submit(hooked, receiver.url, headers)
    heard: Heard = receiver.next()
    for secret in (old, new):
        Webhook(secret).verify(heard.body, dict(heard.headers))


def test_no_secret_is_written_down(
    hooked: Place, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    headers = hooked.headers()
    key_id = hooked.client.get("/v1/me", headers=headers).json()["key_id"]
    secret = _secret(hooked, monkeypatch, key_id, "--rotate")
    _submit(hooked, receiver.url, headers)
    receiver.next()
    _settled(hooked, headers, "delivered")
    plain = secret.removeprefix("whsec_").encode()
    for path, content in hooked.everything_written():
        assert plain not in content, path
    written = capfd.readouterr()
    assert secret not in written.err
    assert "customer=7" not in written.err, "a URL may hold a token"


def test_the_commands_list_and_replay(
    hooked: Place, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = hooked.headers()
    receiver.statuses = [410]
    _submit(hooked, receiver.url, headers)
    receiver.next()
    undelivered = _settled(hooked, headers, "undelivered")
    monkeypatch.setenv("DATA_ROOT", str(hooked.settings.data_root))
    listed = CliRunner().invoke(cli, ["webhooks", "list"])
    assert undelivered["delivery_id"] in listed.stdout
    replayed = CliRunner().invoke(cli, ["webhooks", "replay", undelivered["delivery_id"]])
    assert replayed.exit_code == 0
    receiver.next()
    unknown = CliRunner().invoke(cli, ["webhooks", "replay", "nothing"])
    assert unknown.exit_code == 1
    no_key = CliRunner().invoke(cli, ["webhooks", "secret", "nobody"])
    assert no_key.exit_code == 1


def test_without_keys_a_key_file_is_the_root(
    make_place: Callable[..., Place], receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = make_place(webhook_allow_private=True)
    _submit(place, receiver.url, {})
    heard = receiver.next()
    monkeypatch.setenv("DATA_ROOT", str(place.settings.data_root))
    secret = CliRunner().invoke(cli, ["webhooks", "secret"]).stdout.strip()
    assert Webhook(secret).verify(heard.body, dict(heard.headers))["event"] == "job.succeeded"
    assert place.settings.webhook_key_file.stat().st_mode & 0o777 == 0o600
