"""What web pages may do with the server: headers of every answer, CORS, other pages' requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from api_place import PEPPER, RECEIPT, Place
from route_table import EXAMPLES, ROUTES

from apps.api_cpu.settings import Settings, SettingsError, load_settings

APP = "https://app.example.org"
EVIL = "https://evil.example"
EXPECTED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# Files that are the same for all and hold nothing: a browser keeps them, and asks again.
PUBLIC = ("/", "/static/app.js", "/static/page.css")


def _problems(answer: Any, *, public: bool = False) -> list[str]:
    headers = answer.headers
    wrong = [name for name, value in EXPECTED.items() if headers.get(name) != value]
    policy = headers.get("Content-Security-Policy", "")
    if "default-src 'none'" not in policy or "unsafe" in policy or "*" in policy:
        wrong.append(f"Content-Security-Policy: {policy}")
    if not public and "sandbox" not in policy and "frame-ancestors 'none'" not in policy:
        wrong.append("frame-ancestors")
    if "camera=()" not in headers.get("Permissions-Policy", ""):
        wrong.append("Permissions-Policy")
    cached = headers.get("Cache-Control", "")
    if cached != "no-cache" if public else "no-store" not in cached:
        wrong.append(f"Cache-Control: {cached}")
    wrong += [
        name
        for name in headers
        if name.startswith("access-control") or name in {"set-cookie", "server", "x-powered-by"}
    ]
    if "strict-transport-security" in headers:
        wrong.append("HSTS that nobody asked for")
    return wrong if headers.get("X-Request-ID") else [*wrong, "X-Request-ID"]


def test_every_answer_has_the_headers_and_no_cookie(place: Place) -> None:
    wrong = {}
    place.client.post("/v1/extract", files={"file": RECEIPT}, data={"request_id": "kept"})
    known = EXAMPLES | {"request_id": "kept"}
    for route in ROUTES:
        for values in (EXAMPLES, known):
            url = route.path.format(**values)
            answer = place.client.request(route.method, url, headers={"Origin": "http://localhost"})
            if problems := _problems(answer):
                wrong[f"{route.name} {answer.status_code}"] = problems
    others: tuple[tuple[str, str, dict[str, str]], ...] = (
        ("GET", "/openapi.json", {}),
        ("GET", "/metrics", {}),
        ("GET", "/nothing", {}),
        ("GET", "/docs", {}),
        ("PATCH", "/v1/extract", {}),
        ("OPTIONS", "/v1/extract", {}),
        ("GET", "/v1/me", {"X-Request-ID": "not one"}),
        ("GET", "/v1/me", {"Host": "evil.example"}),
        ("GET", "/v1/me", {"Origin": EVIL}),
    )
    for method, url, headers in others:
        if problems := _problems(place.client.request(method, url, headers=headers)):
            wrong[f"{method} {url} {headers}"] = problems
    for url in PUBLIC:
        if problems := _problems(place.client.get(url), public=True):
            wrong[url] = problems
    assert wrong == {}


def test_hsts_is_sent_where_it_is_asked_for(make_place: Callable[..., Place]) -> None:
    place = make_place(hsts_seconds=31536000)
    for url in ("/", "/v1/health", "/v1/nothing", "/static/app.js"):
        assert place.client.get(url).headers["Strict-Transport-Security"] == "max-age=31536000"


def test_a_named_page_may_read_answers_and_failures(make_place: Callable[..., Place]) -> None:
    place = make_place(auth_enabled=True, api_key_pepper=PEPPER, cors_origins=f"{APP}, http://b:81")
    asked = {
        "Origin": APP,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    preflight = place.client.options("/v1/extract", headers=asked)
    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == APP
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
    files = {"file": RECEIPT}
    for headers, status in ((place.headers(), 200), ({}, 401)):
        sent = headers | {"Origin": APP}
        answer = place.client.post("/v1/extract", files=files, headers=sent)
        assert answer.status_code == status
        assert answer.headers["Access-Control-Allow-Origin"] == APP
        assert answer.headers["Vary"] == "Origin"
        assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]
        assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin", [EVIL, "null", f"{APP}.evil.example", f"{APP}:8443", "http://app.example.org"]
)
def test_other_pages_may_read_nothing(make_place: Callable[..., Place], origin: str) -> None:
    place = make_place(auth_enabled=True, api_key_pepper=PEPPER, cors_origins=APP)
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    answers = (
        place.client.options("/v1/extract", headers=asked),
        place.client.get("/v1/me", headers=place.headers() | {"Origin": origin}),
    )
    assert [answer.status_code for answer in answers] == [405, 200]
    for answer in answers:
        assert not any(name.startswith("access-control") for name in answer.headers)


def test_without_keys_another_page_cannot_begin_work(place: Place) -> None:
    """A form or a script of any page can send these without asking the server first."""
    (place.settings.data_root / "private.pdf").write_bytes(RECEIPT)
    for origin in (EVIL, "null", "http://localhost.evil.example", "http://localhost:9999"):
        headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain"}
        body = b'{"images_dir": ".", "callback_url": "https://evil.example/"}'
        sent = place.client.post("/v1/batch_extract_async", content=body, headers=headers)
        assert (sent.status_code, sent.json()["error"]["code"]) == (400, "bad_request")
        del headers["Content-Type"]
        posted = place.client.post("/v1/extract", files={"file": RECEIPT}, headers=headers)
        assert posted.status_code == 400
    assert place.pipeline.calls == []
    assert place.artifact_files() == []
    assert place.client.get("/v1/jobs").json()["jobs"] == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://localhost"},
        # Behind a proxy that names itself to the server: the browser knows better.
        {"Origin": "https://ocr.example.org", "Sec-Fetch-Site": "same-origin"},
    ],
)
def test_the_servers_own_page_works_without_keys(place: Place, headers: dict[str, str]) -> None:
    answer = place.client.post("/v1/extract", files={"file": RECEIPT}, headers=headers)
    assert answer.status_code == 200


def test_a_page_that_is_named_works_without_keys(make_place: Callable[..., Place]) -> None:
    place = make_place(cors_origins=APP)
    headers = {"Origin": APP, "Sec-Fetch-Site": "cross-site"}
    answer = place.client.post("/v1/extract", files={"file": RECEIPT}, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == APP


def test_hosts_may_be_named(make_place: Callable[..., Place]) -> None:
    place = make_place(
        host="0.0.0.0",
        auth_enabled=False,
        allowed_hosts="api, OCR.example.org",
    )
    seen = {
        host: place.client.get("/v1/me", headers={"Host": host}).status_code
        for host in ("api:8000", "ocr.example.org", "127.0.0.1:8000", "evil.example", "xapi")
    }
    assert seen == {
        "api:8000": 200,
        "ocr.example.org": 200,
        "127.0.0.1:8000": 200,
        "evil.example": 400,
        "xapi": 400,
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cors_origins", "*"),
        ("cors_origins", "null"),
        ("cors_origins", "https://app.example.org/page"),
        ("cors_origins", "https://user@app.example.org"),
        ("cors_origins", "https://*.example.org"),
        ("cors_origins", "app.example.org"),
        ("allowed_hosts", "*"),
        ("allowed_hosts", "https://ocr.example.org"),
        ("allowed_hosts", "ocr.example.org:8000"),
    ],
)
def test_what_names_no_page_or_host_stops_the_start(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name.upper()):
        load_settings(**{name: value})


def test_origins_are_spelt_as_browsers_spell_them() -> None:
    settings: Settings = load_settings(
        cors_origins=" HTTPS://App.example.org:443/ ,http://[::1]:8080,http://b:80"
    )
    assert settings.page_origins == {APP, "http://[::1]:8080", "http://b"}
