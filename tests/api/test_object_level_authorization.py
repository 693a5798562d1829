"""Somebody else's ids at every route: not found, as if they did not exist, and nothing told."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from api_place import PEPPER, RECEIPT, Place
from route_table import ROUTES, Reach, Route
from webhook_receiver import PATIENCE_S, receiving

from apps.api_cpu.auth.roles import Role

B64 = base64.b64encode(RECEIPT).decode()
UPLOAD = b"%PDF-1.7 an upload"
# What the owner has told the server, in things that strangers might be shown.
SECRETS = ("Owners Secret Ltd", "owners comment")
# The pipeline of these tests opens no document: a page image is looked for, but not drawn.
_DRAWS = "/v1/extracts/{request_id}/pages/{number}.png"
_LONGEST = 40


@dataclass(frozen=True)
class Belongings:
    """The ids of everything that a key can own: values of path parameters, and references."""

    ids: Mapping[str, str]
    input_ref: str
    artifact_refs: tuple[str, ...]
    upload_token: str
    idempotency_key: str

    @property
    def traces(self) -> tuple[str, ...]:
        """Texts that show that something of it was told."""
        own = [text for name, text in self.ids.items() if name not in {"number", "task_id"}]
        return (*own, self.input_ref, *self.artifact_refs, self.upload_token, *SECRETS)


@pytest.fixture
def hooks() -> Iterator[str]:
    with receiving() as receiver:
        yield receiver.url


@pytest.fixture
def shared(make_place: Callable[..., Place]) -> Place:
    """A server whose callers are told apart, and may all do the same."""
    return make_place(auth_enabled=True, api_key_pepper=PEPPER, webhook_allow_private=True)


def _post(place: Place, path: str, headers: Mapping[str, str], **sent: Any) -> dict[str, Any]:
    answer = place.client.post(path, headers=dict(headers), **sent)
    assert answer.status_code < 300, (path, answer.text)
    body: dict[str, Any] = answer.json()
    return body


def _own_everything(place: Place, owner: dict[str, str], hooks: str) -> Belongings:
    """One of each thing."""
    sent = {"image_base64": B64, "persist_inputs": True, "request_id": "owners-extract"}
    keyed = owner | {"Idempotency-Key": "owners-idempotency-key"}
    extract = _post(place, "/v1/extract", keyed, json=sent)
    correction = _post(
        place,
        "/v1/extracts/owners-extract/corrections",
        owner,
        json={"fields": {"vendor_name": SECRETS[0]}, "comment": SECRETS[1]},
    )
    items = {"items": [{"image_ref": extract["input_ref"]}], "run_id": "owners-run"}
    run = _post(place, "/v1/batch_extract", owner, json=items)
    truth = [{"id": "1", "file": extract["input_ref"], "fields": {"total": "19.90"}}]
    evaluation = _post(place, "/v1/evals", owner, json={"run_id": "owners-run", "truth": truth})
    job_id = _post(
        place,
        "/v1/extract_async",
        owner,
        json={"image_base64": B64, "callback_url": hooks, "request_id": "owners-job"},
    )["job_id"]
    announced = _post(
        place,
        "/v1/uploads",
        owner,
        json={"sha256": hashlib.sha256(UPLOAD).hexdigest(), "size_bytes": len(UPLOAD)},
    )

    def first(path: str, name: str) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE_S
        while not (found := place.client.get(path, headers=owner).json()[name]):
            assert time.monotonic() < end, path
            time.sleep(0.02)
        return dict(found[0])

    delivery = first("/v1/webhooks/deliveries?state=delivered", "deliveries")
    return Belongings(
        ids={
            "task_id": "auto",
            "number": "1",
            "request_id": "owners-extract",
            "run_id": "owners-run",
            "eval_id": evaluation["eval_id"],
            "job_id": job_id,
            "delivery_id": delivery["delivery_id"],
            "vendor_id": first("/v1/vendors", "vendors")["vendor_id"],
            "upload_id": announced["upload_id"],
        },
        input_ref=extract["input_ref"],
        artifact_refs=tuple(
            each["artifact_rel"] for each in (extract, run, evaluation, correction)
        ),
        upload_token=announced["headers"]["X-Upload-Token"],
        idempotency_key="owners-idempotency-key",
    )


def _requests(route: Route, owned: Belongings) -> list[dict[str, Any]]:
    """What is sent to a route to get at the owner's things: its parameters, all in use."""
    path = route.path
    by_ref: dict[str, list[str]] = {
        "/v1/inputs": [owned.input_ref],
        "/v1/artifacts": list(owned.artifact_refs),
    }
    if path in by_ref:
        return [{"params": {"ref": ref}} for ref in by_ref[path]]
    items = {"items": [{"image_ref": owned.input_ref}]}
    bodies: dict[str, dict[str, Any]] = {
        "/v1/extract": {"json": {"image_ref": owned.input_ref}},
        "/v1/extract_async": {"json": {"image_ref": owned.input_ref}},
        "/v1/batch_extract": {"json": items},
        "/v1/batch_extract_async": {"json": items},
        "/v1/batch_extract_rerun": {"json": {"run_id": owned.ids["run_id"]}},
        "/v1/batch_extract_rerun_async": {"json": {"run_id": owned.ids["run_id"]}},
        "/v1/evals": {"json": {"run_id": owned.ids["run_id"]}},
        "/v1/uploads/{upload_id}": {
            "content": UPLOAD,
            "headers": {"X-Upload-Token": "a stranger's guess"},
        },
    }
    if "corrections" in path and route.method == "POST":
        return [{"json": {"fields": {"total": 1}}}]
    if "upload" in path and "batch" in path:
        return [{"files": {"files": ("a.pdf", RECEIPT)}, "data": {"run_id": "owners-run"}}]
    return [bodies.get(path, {})]


def _ask(place: Place, route: Route, owned: Belongings, caller: dict[str, str], **sent: Any) -> Any:
    headers = caller | sent.pop("headers", {})
    path = route.path.format(**owned.ids)
    return place.client.request(route.method, path, headers=headers, **sent)


def _told(text: str, owned: Belongings, sent: dict[str, Any]) -> list[str]:
    """The owner's ids in an answer to a stranger, but for those that the stranger has sent."""
    known = json.dumps(sent, default=str)
    return [trace for trace in owned.traces if trace in text and trace not in known]


def _what_is_wrong(route: Route, sent: dict[str, Any], answer: Any, owned: Belongings) -> str:
    text = f"{answer.headers} {answer.text}"
    if told := _told(text, owned, sent):
        return f"tells {told}"
    status = answer.status_code
    if "batch" in route.path and "items" in sent.get("json", {}):
        # One bad item never fails a batch: it is the item that is not found.
        body = answer.json()
        if status == 200 and body["items"][0]["error"]["code"] != "not_found":
            return f"reads it: {body}"
        return ""
    if "batch_extract_upload" in route.path:
        # The name is taken: whose it is stays unsaid, and the failure is the stranger's own.
        details = answer.json()["error"]["details"]
        return "" if (status, set(details)) == (409, {"artifact_rel"}) else f"{status} {details}"
    if route.reach is Reach.ONE:
        return "" if status == 404 else f"answers {status}"
    if route.reach is Reach.ALL:
        return "" if status == 403 else f"answers {status}"
    return "" if status < 300 or route.path == "/v1/uploads" else f"answers {status}"


def test_a_stranger_gets_nothing_at_any_route(shared: Place, hooks: str) -> None:
    owner, stranger = shared.headers(Role.DEBUGGER), shared.headers(Role.DEBUGGER)
    owned = _own_everything(shared, owner, hooks)
    wrong = []
    for route in ROUTES:
        for sent in _requests(route, owned):
            answer = _ask(shared, route, owned, stranger, **sent)
            if problem := _what_is_wrong(route, sent, answer, owned):
                wrong.append(f"{route.name} {str(sent)[:_LONGEST]}: {problem}")
    assert wrong == []
    # The same requests by the owner find everything, whole: the ids were right, and nothing that
    # the stranger sent has changed it. What erases goes last.
    in_order = sorted(
        ROUTES,
        key=lambda route: (
            route.method == "DELETE",
            "vendor_id" not in route.path,
            "vendors" not in route.path,
        ),
    )
    for route in in_order:
        if route.reach is Reach.ALL or "batch_extract_upload" in route.path:
            continue
        for sent in _requests(route, owned):
            if "upload_id" in route.path:
                sent["headers"] = {"X-Upload-Token": owned.upload_token}
            if route.path == "/v1/evals":
                truth = [{"id": "1", "file": owned.input_ref, "fields": {"total": "19.90"}}]
                sent["json"]["truth"] = truth
            if route.path == "/v1/uploads":
                continue
            status = _ask(shared, route, owned, owner, **sent).status_code
            if status >= 300 and not (route.path == _DRAWS and status != 404):
                wrong.append(f"{route.name} by its owner: {status}")
    assert wrong == []


def _said(answer: Any) -> tuple[Any, ...]:
    """All that an answer tells of what it did not find; of a batch, its item's."""
    body = answer.json()
    if answer.status_code == 202:
        return (202,)
    error = body["items"][0]["error"] if "items" in body else body["error"]
    details = {**error["details"], "artifact_rel": None}
    return answer.status_code, error["code"], error["message"], details


def test_an_unknown_id_and_a_foreign_one_are_answered_alike(shared: Place, hooks: str) -> None:
    owner, stranger = shared.headers(Role.DEBUGGER), shared.headers(Role.DEBUGGER)
    owned = _own_everything(shared, owner, hooks)
    folder, day, name = owned.input_ref.split("/")
    nothing = Belongings(
        {**{name: f"{text[:-4]}ffff" for name, text in owned.ids.items()}, "number": "1"},
        f"{folder}/{day}/{name[::-1][4:]}.bin",
        tuple(f"{ref[:-9]}ffff.json" for ref in owned.artifact_refs),
        "f",
        "f",
    )
    assert set(nothing.traces).isdisjoint(owned.traces[: -len(SECRETS)])
    different = []
    for route in ROUTES:
        # An upload's own id may be taken, which it has to be told.
        if route.reach is not Reach.ONE or "batch_extract_upload" in route.path:
            continue
        foreign, unknown = (
            [_said(_ask(shared, route, each, stranger, **sent)) for sent in _requests(route, each)]
            for each in (owned, nothing)
        )
        if foreign != unknown:
            different.append((route.name, foreign, unknown))
    assert different == []


def test_nothing_of_another_key_comes_with_ones_own_document(shared: Place, hooks: str) -> None:
    """The same document, idempotency key and request id as the owner's."""
    owner, stranger = shared.headers(), shared.headers()
    debugger = shared.headers(Role.DEBUGGER)
    owned = _own_everything(shared, debugger, hooks)
    sent = {"image_base64": B64, "persist_inputs": True}
    keyed = stranger | {"Idempotency-Key": owned.idempotency_key}
    for headers in (keyed, owner):
        answer = shared.client.post("/v1/extract", json=sent, headers=headers)
        assert answer.status_code == 200
        assert "Idempotent-Replayed" not in answer.headers
        body = answer.json()
        # The bytes and the day name a stored input: who sends the same bytes has the same name.
        assert body["duplicates"] == []
        assert _told(answer.text, owned, {"ref": owned.input_ref}) == []
    again = shared.client.post("/v1/extract", json=sent, headers=debugger).json()
    assert again["duplicates"][0]["request_id"] in {"owners-extract", "owners-job"}
    taken = {"image_base64": B64, "request_id": "owners-extract"}
    refused = shared.client.post("/v1/extract", json=taken, headers=stranger)
    assert (refused.status_code, refused.json()["error"]["details"]) == (409, {})


def test_erasing_all_vendors_erases_ones_own(shared: Place, hooks: str) -> None:
    owner, stranger = shared.headers(Role.DEBUGGER), shared.headers()
    _own_everything(shared, owner, hooks)
    assert shared.client.delete("/v1/vendors", headers=stranger).json() == {"erased": 0}
    assert shared.client.get("/v1/vendors", headers=owner).json()["vendors"] != []


def test_filters_and_cursors_do_not_reach_over(shared: Place, hooks: str) -> None:
    owner, stranger = shared.headers(Role.DEBUGGER), shared.headers(Role.DEBUGGER)
    owned = _own_everything(shared, owner, hooks)
    asked = (
        ("/v1/jobs", {"cursor": owned.ids["job_id"]}),
        ("/v1/jobs", {"cursor": "zzzz"}),
        ("/v1/runs", {"q": "owners"}),
        ("/v1/runs", {"cursor": "zzzz"}),
        *(("/v1/runs", {"format": name}) for name in ("csv", "jsonl", "xlsx")),
        ("/v1/corrections", {}),
        ("/v1/webhooks/deliveries", {"cursor": owned.ids["delivery_id"]}),
    )
    for path, query in asked:
        answer = shared.client.get(path, params=query, headers=stranger)
        assert answer.status_code in {200, 404, 422}, (path, query)
        assert _told(answer.text, owned, query) == [], (path, query)
    for name in ("csv", "jsonl"):
        assert "owners-run" in shared.client.get(f"/v1/runs?format={name}", headers=owner).text
