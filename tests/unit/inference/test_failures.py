"""What an answer other than 200 means, in each shape in which servers say it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.errors import Kind
from lib.inference.failures import Again, Cause, Failure, failure_of

LEGACY_MODEL = {
    "object": "error",
    "message": "The model `nope` does not exist.",
    "type": "NotFoundError",
    "param": None,
    "code": 404,
}
LEGACY_LENGTH = {
    "object": "error",
    "message": "This model's maximum context length is 4096 tokens. However, you requested 5000.",
    "type": "BadRequestError",
    "param": None,
    "code": 400,
}


@pytest.mark.parametrize(
    ("status", "body", "cause"),
    [
        (404, LEGACY_MODEL, Cause.MODEL_UNKNOWN),
        (404, {"detail": "Not Found"}, Cause.ROUTE_UNKNOWN),
        (404, "<html>", Cause.ROUTE_UNKNOWN),
        (400, LEGACY_LENGTH, Cause.TOO_MANY_TOKENS),
        (400, {"error": {"message": "", "reason": "too_many_pages"}}, Cause.TOO_MANY_TOKENS),
        (
            404,
            {"error": {"message": "No such address.", "type": "NotFoundError"}},
            Cause.ROUTE_UNKNOWN,
        ),
        (413, "", Cause.TOO_MANY_TOKENS),
        (422, {"detail": [{"loc": ["body"], "msg": "Field required"}]}, Cause.REQUEST_REFUSED),
        (401, {"error": "Unauthorized"}, Cause.KEY_REFUSED),
        (429, {"error": "slow down"}, Cause.BUSY),
        (500, [1], Cause.SERVER_ERROR),
        (524, "", Cause.TIMEOUT),
        (301, "", Cause.REDIRECT),
        (206, "", Cause.NOT_THE_PROTOCOL),
    ],
)
def test_statuses_and_shapes(status: int, body: Any, cause: Cause) -> None:
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    assert failure_of(status, None, data).cause is cause


@given(st.integers(100, 599), st.binary() | st.from_regex(rb'\{"error": ?[\[{"].*'))
def test_no_answer_confuses_it(status: int, body: bytes) -> None:
    failure_of(status, None, body)


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause is not Cause.STALE_CONNECTION])
def test_every_cause_has_an_error_of_the_contract(cause: Cause) -> None:
    error = Failure(cause, status=500, retry_after_s=2.2).error(("reset", cause.value))
    assert error.code in ("inference_unavailable", "inference_timeout", "inference_bad_output")
    assert error.details["attempts"] == ["reset", cause.value]
    assert (error.kind is Kind.UNAVAILABLE) == ("retry_after_s" in error.details)
    if error.kind is Kind.UNAVAILABLE:
        assert error.details["retry_after_s"] == 3


def test_a_caller_is_not_told_to_wait_for_a_day() -> None:
    error = Failure(Cause.BUSY, retry_after_s=86_400).error(())
    assert error.details["retry_after_s"] == 300


def test_words_of_the_server_go_no_further() -> None:
    body = json.dumps({"error": {"message": "IBAN DE89 3704", "type": "x", "param": "IBAN"}})
    error = failure_of(400, None, body.encode()).error(())
    assert "IBAN" not in f"{error} {error.details}"


def test_a_request_that_the_server_judged_is_not_its_failure() -> None:
    for cause in (Cause.REQUEST_REFUSED, Cause.SCHEMA_REFUSED, Cause.TOO_MANY_TOKENS):
        failure = Failure(cause)
        assert failure.again is Again.NEVER
        assert not failure.blames_server
