"""The wire types: what is accepted, what is refused, and what is left out."""

import json
import math

import pytest
from pydantic import ValidationError

from lib.inference.wire import (
    AnswersRequest,
    ChatRequest,
    ChatResponse,
    DocumentPart,
    JsonSchemaFormat,
    Message,
    ResponseFormat,
    score,
)

PAGE = {
    "width": 100,
    "height": 200,
    "words": ["Total", "9.90"],
    "bboxes": [[1, 2, 30, 12], [40, 2, 60, 12.5]],
    "image": {"url": "data:image/png;base64,AAAA"},
}


def test_a_request_goes_out_without_what_is_not_set() -> None:
    request = ChatRequest(
        messages=(Message(role="user", content="total?"),),
        response_format=ResponseFormat(
            type="json_schema", json_schema=JsonSchemaFormat(name="t", json_schema={"type": "null"})
        ),
    )
    assert json.loads(request.to_json()) == {
        "messages": [{"role": "user", "content": "total?"}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "t", "schema": {"type": "null"}},
        },
    }


def test_a_request_comes_in_with_unknown_members_ignored() -> None:
    request = ChatRequest.model_validate(
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "ocr_document", "ocr_document": {"pages": [PAGE]}},
                        {"type": "text", "text": "What is the total?"},
                    ],
                }
            ],
            "guided_json": {"type": "object"},
        }
    )
    document = request.messages[0].content[0]
    assert isinstance(document, DocumentPart)
    assert document.ocr_document.pages[0].bboxes[1] == (40, 2, 60, 12.5)


@pytest.mark.parametrize(
    "broken",
    [
        {"words": ["Total"]},
        {"words": ["Total", ""]},
        {"width": 0},
        {"height": -1},
        {"bboxes": [[1, 2, 30, 12], [60, 2, 40, 12]]},
        {"bboxes": [[1, 2, 30, 12], [40, 20, 60, 12]]},
        {"bboxes": [[1, 2, 30, 12], [40, 2, 60]]},
        {"bboxes": [[1, 2, 30, 12], [40, 2, 60, math.inf]]},
        {"image": None},
    ],
)
def test_a_page_that_would_break_an_engine_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        AnswersRequest.model_validate(
            {
                "document": {"pages": [PAGE | broken]},
                "questions": [{"name": "total", "text": "What is the total?"}],
            }
        )


def test_two_questions_of_one_name_are_refused() -> None:
    question = {"name": "total", "text": "What is the total?"}
    with pytest.raises(ValidationError, match="same name"):
        AnswersRequest.model_validate(
            {"document": {"pages": [PAGE]}, "questions": [question, question]}
        )


def test_an_answer_without_choices_is_none() -> None:
    with pytest.raises(ValidationError):
        ChatResponse.model_validate({"choices": []})


def test_an_image_does_not_show_in_a_repr() -> None:
    request = AnswersRequest.model_validate(
        {"document": {"pages": [PAGE]}, "questions": [{"name": "a", "text": "b"}]}
    )
    assert "AAAA" not in repr(request)


def test_score_is_the_least_likely_tokens() -> None:
    assert score((-0.1, -2.0, 0.0)) == pytest.approx(math.exp(-2))
    assert score(()) is None
