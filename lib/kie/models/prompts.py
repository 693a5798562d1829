"""Prompt files: the words around a task's fields, checked when they are loaded."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from lib.domain.task import FieldSpec, FieldType
from lib.errors import Error, Kind

_Prompt = TypeVar("_Prompt", bound="_PromptFile")


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
    """The words for a question-answering model: `rows` asks for a column, `cell` for one cell."""

    rows: str
    cell: str

    @field_validator("rows")
    @classmethod
    def _rows(cls, text: str) -> str:
        return _holds(text, "question")

    @field_validator("cell")
    @classmethod
    def _cell(cls, text: str) -> str:
        return _holds(text, "question", "row")

    def ask_column(self, question: str) -> str:
        """The question for all values of a column."""
        return Template(self.rows).substitute(question=question)

    def ask_cell(self, question: str, row: str) -> str:
        """The question for a column's value in the row that `row` names."""
        return Template(self.cell).substitute(question=question, row=row)


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
