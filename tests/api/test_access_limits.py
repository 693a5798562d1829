"""429 for who comes too often, and what every answer says of it."""

from __future__ import annotations

from collections.abc import Callable

from api_place import PEPPER, Place

LIMITED = {"auth_enabled": True, "api_key_pepper": PEPPER}


def test_a_key_has_so_many_requests_a_minute(make_place: Callable[..., Place]) -> None:
    place = make_place(**LIMITED, rate_limit_per_minute=3)
    mine, yours = place.headers(), place.headers()
    answers = [place.client.get("/v1/me", headers=mine) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["RateLimit"].split(";")[1] for answer in answers] == [
        "r=2",
        "r=1",
        "r=0",
        "r=0",
    ]
    assert answers[0].headers["RateLimit-Policy"] == '"requests";q=3;w=60'
    assert answers[3].json()["error"]["code"] == "rate_limited"
    assert 1 <= int(answers[3].headers["Retry-After"]) <= 20
    assert place.client.get("/v1/me", headers=yours).status_code == 200
    assert place.client.get("/v1/health").status_code == 200, "without a key nothing is counted"


def test_wrong_keys_are_counted_by_address(make_place: Callable[..., Place]) -> None:
    place = make_place(**LIMITED, login_failures_per_minute=5)
    wrong = {"X-API-Key": f"ocr_{'0' * 12}_{'x' * 43}"}
    codes = [place.client.get("/v1/me", headers=wrong).status_code for _ in range(7)]
    assert codes == [401] * 5 + [429] * 2
    assert place.client.get("/v1/me").status_code == 429
    # Behind a proxy all callers have one address: who has a key is not locked out by who has none.
    assert place.client.get("/v1/me", headers=place.headers()).status_code == 200


def test_without_keys_there_is_no_limit(place: Place) -> None:
    answer = place.client.get("/v1/me")
    assert answer.status_code == 200
    assert "RateLimit" not in answer.headers


def test_the_default_is_generous(locked: Place) -> None:
    answer = locked.client.get("/v1/me", headers=locked.headers())
    assert answer.headers["RateLimit-Policy"] == '"requests";q=1200;w=60'


def test_a_limit_may_be_asked_for_without_keys(make_place: Callable[..., Place]) -> None:
    place = make_place(rate_limit_per_minute=1)
    codes = [place.client.get("/v1/me").status_code for _ in range(2)]
    assert codes == [200, 429]
