"""Prompt files: the words around a task's fields, checked when they are loaded."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from lib.domain.task import FieldSpec, FieldType
from lib.errors import Error, Kind
from lib.kie.models.forms import FORMS

_Prompt = TypeVar("_Prompt", bound="_PromptFile")
_SHOWN = 60  # characters of an answer without its form that are said again


class _PromptFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _holds(text: str, *names: str) -> str:
    template = Template(text)
    if not template.is_valid() or sorted(template.get_identifiers()) != sorted(names):
        wanted = ", ".join(f"${name}" for name in names) or "nothing"
        raise ValueError(f"must fill in {wanted}")
    return text


class ChatPrompt(_PromptFile):
    """The words for a chat model; `types` says what to call the types of fields."""

    system: str = Field(min_length=1)
    user: str
    text: str
    retry: str
    cut: str = Field(min_length=1)
    types: Mapping[FieldType, str]

    @field_validator("user")
    @classmethod
    def _user(cls, text: str) -> str:
        return _holds(text, "fields", "pages")

    @field_validator("text")
    @classmethod
    def _text(cls, text: str) -> str:
        return _holds(text, "text")

    @field_validator("retry")
    @classmethod
    def _retry(cls, text: str) -> str:
        return _holds(text, "reason")

    def ask(self, fields: Sequence[FieldSpec], pages: int) -> str:
        """What is asked for, under the images of `pages` pages or parts of pages."""
        shown = "One page or part of a page" if pages == 1 else f"{pages} pages or parts of pages"
        return Template(self.user).substitute(fields="\n".join(self._lines(fields)), pages=shown)

    def recognised(self, text: str) -> str:
        """The recognised text as help."""
        return Template(self.text).substitute(text=text)

    def again(self, reason: str) -> str:
        """Why the last answer was of no use."""
        return Template(self.retry).substitute(reason=reason)

    def _lines(self, fields: Sequence[FieldSpec], indent: str = "") -> list[str]:
        lines = []
        for spec in fields:
            kind = self.types.get(spec.type)
            named = f"{spec.name} ({kind})" if kind else spec.name
            lines.append(f"{indent}- {named}: {spec.description}")
            lines += self._lines(spec.columns, indent + "    ")
        return lines


class TiltPrompt(_PromptFile):
    """The words for a question-answering model: `rows` asks for a column, `cell` for one cell.

    The others are by language (ISO 639), all in the same ones and English among them: `again` asks
    what was answered with something else than one of the `forms`, and `cut` what was answered at
    too great length.
    """

    rows: str
    cell: str
    again: Mapping[str, str]
    cut: Mapping[str, str]
    forms: Mapping[FieldType, Mapping[str, str]]

    @field_validator("rows")
    @classmethod
    def _rows(cls, text: str) -> str:
        return _holds(text, "question")

    @field_validator("cell")
    @classmethod
    def _cell(cls, text: str) -> str:
        return _holds(text, "question", "row")

    @field_validator("again")
    @classmethod
    def _again(cls, texts: Mapping[str, str]) -> Mapping[str, str]:
        return {language: _holds(t, "answer", "form", "question") for language, t in texts.items()}

    @field_validator("cut")
    @classmethod
    def _cut(cls, texts: Mapping[str, str]) -> Mapping[str, str]:
        return {language: _holds(text, "question") for language, text in texts.items()}

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if "en" not in self.again:
            raise ValueError("`again` needs English, `en`")
        if odd := next((k for k in FieldType if (k in FORMS) != (k in self.forms)), None):
            raise ValueError(f"`forms` {'lacks' if odd in FORMS else 'cannot have'} `{odd.value}`")
        if any(texts.keys() != self.again.keys() for texts in (self.cut, *self.forms.values())):
            raise ValueError("`again`, `cut` and `forms` must be in the same languages")
        return self

    def ask_column(self, question: str) -> str:
        """The question for all values of a column."""
        return Template(self.rows).substitute(question=question)

    def ask_cell(self, question: str, row: str) -> str:
        """The question for a column's value in the row that `row` names."""
        return Template(self.cell).substitute(question=question, row=row)

    def ask_again(self, question: str, language: str, kind: FieldType, answer: str) -> str:
        """The question after an `answer` that has not the form of a `kind` of `FORMS`."""
        spoken = language if language in self.again else "en"
        shown = answer if len(answer) <= _SHOWN else f"{answer[:_SHOWN]}..."
        return Template(self.again[spoken]).substitute(
            question=question, form=self.forms[kind][spoken], answer=shown
        )

    def ask_shorter(self, question: str, language: str) -> str:
        """The question after an answer that was cut."""
        return Template(self.cut.get(language, self.cut["en"])).substitute(question=question)


def load_prompt(path: Path, kind: type[_Prompt]) -> _Prompt:
    """The prompt of a file. Raises `invalid_prompt` with one line that says what is wrong."""
    try:
        source = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        return kind.model_validate(source)
    except (OSError, UnicodeDecodeError):
        problem = "cannot be read as UTF-8 text"
    except yaml.YAMLError:
        problem = "is not valid YAML"
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        problem = f"`{where}`: {first['msg'].removeprefix('Value error, ')}"
    raise Error("invalid_prompt", Kind.INTERNAL, f"Prompt file {path.name}: {problem}.")


def prompt_hash(*texts: str) -> str:
    """SHA-256 of what is asked, in hexadecimal."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode())
        digest.update(b"\0")
    return digest.hexdigest()
