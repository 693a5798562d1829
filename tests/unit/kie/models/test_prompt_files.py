"""Prompt files of a question-answering model: complete in every language, or refused at start."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from scripted_inference import CONFIGS

from lib.domain.task import FieldType
from lib.errors import Error
from lib.kie.models.prompts import TiltPrompt, load_prompt

SHIPPED = yaml.safe_load((CONFIGS / "prompts/tilt_questions_v1.yaml").read_text("utf-8"))


def loaded(folder: Path, **changes: Any) -> TiltPrompt:
    file = folder / "prompt.yaml"
    file.write_text(yaml.safe_dump(SHIPPED | changes, allow_unicode=True), encoding="utf-8")
    return load_prompt(file, TiltPrompt)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"again": SHIPPED["again"] | {"de": "Nochmals: $question"}}, "$answer, $form, $question"),
        ({"cut": SHIPPED["cut"] | {"de": "Kürzer bitte."}}, "$question"),
        ({"cut": {"en": "$question"}}, "same languages"),
        ({"forms": SHIPPED["forms"] | {"money": {"en": "an amount"}}}, "same languages"),
        ({"forms": {k: v for k, v in SHIPPED["forms"].items() if k != "date"}}, "lacks `date`"),
        ({"forms": SHIPPED["forms"] | {"name": SHIPPED["forms"]["bic"]}}, "cannot have `name`"),
        ({"again": {"de": "$question $answer $form"}}, "needs English"),
        ({"forms": SHIPPED["forms"] | {"colour": {"en": "a colour"}}}, "`forms.colour"),
    ],
)
def test_one_that_is_not_complete_is_refused_with_one_line(
    tmp_path: Path, changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(Error, match="invalid_prompt") as refused:
        loaded(tmp_path, **changes)
    assert problem in refused.value.message
    assert "\n" not in refused.value.message


def test_a_long_answer_is_not_said_again_in_full(tmp_path: Path) -> None:
    prompt = loaded(tmp_path)
    asked = prompt.ask_again("What is the total?", "en", FieldType.MONEY, "so " * 100)
    assert asked.startswith('What is the total? The answer must be an amount in figures, not "so ')
    assert asked.endswith('...".')
    assert len(asked) < 160


def test_a_dollar_sign_in_an_answer_is_none_of_the_prompts(tmp_path: Path) -> None:
    asked = loaded(tmp_path).ask_again("What is it?", "en", FieldType.MONEY, "$form $$")
    assert 'not "$form $$".' in asked
