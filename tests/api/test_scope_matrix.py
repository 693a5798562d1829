"""Each role at each route: who needs a key, and which scope it must have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from api_place import PEPPER, RECEIPT, Place
from route_table import EXAMPLES, ROUTES, UNLISTED, Reach, Route
from starlette.routing import Mount
from starlette.routing import Route as Served

from apps.api_cpu.auth.roles import ROLE_PRESET_SCOPES, Role

# What an answer is while nothing is sent: past the door, in every case.
_REFUSED_AT_THE_DOOR = {401, 403}


def _flat(routes: Iterable[Any]) -> Iterator[Any]:
    for route in routes:
        included = getattr(route, "original_router", None)
        yield from (route,) if included is None else _flat(included.routes)


def test_the_table_holds_every_route_that_is_served(locked: Place) -> None:
    served = set()
    for route in _flat(locked.app.routes):
        if isinstance(route, Served):
            served |= {(method, route.path) for method in (route.methods or ()) - {"HEAD"}}
        else:
            assert isinstance(route, Mount), route
            served.add(("GET", route.path))
    listed = {(route.method, route.path) for route in ROUTES}
    assert served == listed | {("GET", path) for path in UNLISTED}
    document = locked.app.openapi()["paths"]
    assert {(method.upper(), path) for path, by in document.items() for method in by} == listed


def _ask(place: Place, route: Route, headers: dict[str, str]) -> Any:
    path = route.path.format(**EXAMPLES)
    return place.client.request(route.method, path, headers=headers)


def test_every_role_gets_what_its_scopes_allow_and_nothing_else(
    make_place: Callable[..., Place],
) -> None:
    locked = make_place(auth_enabled=True, api_key_pepper=PEPPER, login_failures_per_minute=0)
    callers = {role: locked.headers(role) for role in Role}
    wrong = []
    for route in ROUTES:
        if route.needs_key:
            status = _ask(locked, route, {"X-API-Key": "ocr_000000000000_guessed"}).status_code
            if (_ask(locked, route, {}).status_code, status) != (401, 401):
                wrong.append(f"{route.name} without a key: {status}")
        for role, headers in callers.items():
            answer = _ask(locked, route, headers)
            may = route.scope is None or route.scope in ROLE_PRESET_SCOPES[role]
            if may and answer.status_code in _REFUSED_AT_THE_DOOR:
                wrong.append(f"{route.name} as {role}: {answer.status_code}")
            if not may:
                details = answer.json()["error"]["details"]
                if (answer.status_code, details) != (403, {"required_scopes": [route.scope]}):
                    wrong.append(f"{route.name} as {role}: {answer.status_code} {details}")
    assert wrong == []


def test_what_concerns_every_key_is_for_admins_only(locked: Place) -> None:
    scopes = {route.scope for route in ROUTES if route.reach is Reach.ALL}
    assert [role for role in Role if scopes <= set(ROLE_PRESET_SCOPES[role])] == [Role.ADMIN]


def test_options_ask_for_scopes_of_their_own(locked: Place) -> None:
    client, debugger = locked.headers(), locked.headers(Role.DEBUGGER)
    file = {"file": ("a.pdf", RECEIPT)}
    for path in ("/v1/extract", "/v1/extract_async"):
        for options, headers, scope in (
            ('{"include_words": true}', client, "debug:run"),
            ('{"temperature": 1}', client, "debug:run"),
            ('{"model": "m"}', client, "debug:run"),
            ('{"include_raw": true}', debugger, "debug:read_raw"),
        ):
            answer = locked.client.post(path, files=file, data={"debug": options}, headers=headers)
            assert answer.status_code == 403, (path, options)
            assert scope in answer.json()["error"]["details"]["required_scopes"]
    for path in ("/v1/batch_extract", "/v1/batch_extract_rerun"):
        sent = {"model": "m", "run_id": "r"} | ({"images_dir": "x"} if "rerun" not in path else {})
        answer = locked.client.post(path, json=sent, headers=client)
        assert answer.status_code == 403, path
    answer = locked.client.post(
        "/v1/batch_extract_upload", files={"files": RECEIPT}, data={"model": "m"}, headers=client
    )
    assert answer.status_code == 403


# What the server decides itself, and callers like to decide for it.
_NOT_THEIRS = {
    "owner_key_id": "000000000000",
    "key_id": "000000000000",
    "role": "admin",
    "scopes": ["debug:read_raw"],
    "status": "succeeded",
    "artifact_rel": "extracts/2026-01-01/x.json",
    "attempts": 0,
    "created_at": "2020-01-01T00:00:00Z",
}
_SENT: dict[str, dict[str, Any]] = {
    "/v1/extract": {"image_base64": "JVBERi0xLjcK"},
    "/v1/extract_async": {"image_base64": "JVBERi0xLjcK"},
    "/v1/batch_extract": {"images_dir": "."},
    "/v1/batch_extract_async": {"images_dir": "."},
    "/v1/batch_extract_rerun": {"run_id": "r"},
    "/v1/batch_extract_rerun_async": {"run_id": "r"},
    "/v1/extracts/{request_id}/corrections": {"fields": {"total": 1}},
    "/v1/evals": {"run_id": "r"},
    "/v1/uploads": {"sha256": "0" * 64, "size_bytes": 1},
}


def test_no_body_takes_a_field_that_is_not_documented(place: Place) -> None:
    paths = place.app.openapi()["paths"]
    bodies = {
        path: operation["post"]["requestBody"]["content"]
        for path, operation in paths.items()
        if "requestBody" in operation.get("post", {})
    }
    taken = []
    for path, content in bodies.items():
        for name, value in _NOT_THEIRS.items():
            url = path.format(**EXAMPLES)
            if "application/json" in content:
                answer = place.client.post(url, json=_SENT[path] | {name: value})
                if answer.status_code != 422:
                    taken.append((path, name, answer.status_code))
            if "multipart/form-data" in content:
                part = "files" if "upload" in path else "file"
                answer = place.client.post(
                    url, files={part: ("a.pdf", RECEIPT)}, data={name: str(value)}
                )
                if answer.status_code != 422:
                    taken.append((path, name, answer.status_code))
    assert len(bodies) == 11
    assert taken == []
    assert place.pipeline.calls == []
