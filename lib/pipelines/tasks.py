"""Task files: YAML in a folder to tasks, strictly, with one clear error for what is wrong."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

from lib.domain.task import DocumentType, FieldSpec, FieldType, Task
from lib.errors import Error, Kind

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_BUSINESS_TERM = re.compile(r"B[TG]-\d{1,3}")
_Choice = TypeVar("_Choice", DocumentType, FieldType)
_TASK_KEYS = frozenset({"id", "description", "document_type", "fields", "choices"})
_FIELD_KEYS = frozenset(
    {"name", "type", "description", "question", "questions", "business_term", "columns"}
)
_LANGUAGE = re.compile(r"[a-z]{2,3}")


def load_tasks(folder: Path) -> dict[str, Task]:
    """The tasks of all `*.yaml` files of a folder, by id, in the order of their file names.

    Raises `invalid_task` for a folder without task files, an unreadable file, an unknown key, an
    unknown or missing type, a name that is not `[a-z][a-z0-9_]*`, a name or id given twice, a file
    that is not named after its task, or a choice that is no task with fields.
    """
    tasks: dict[str, Task] = {}
    chosen: dict[str, tuple[str, ...]] = {}
    for path in sorted(folder.glob("*.yaml")):
        source = _read(path)
        task = _task(path.name, source)
        if path.stem != task.id:
            raise _invalid(
                path.name, f"holds task `{task.id}`; the file must be named {task.id}.yaml"
            )
        tasks[task.id] = task
        if source.get("choices"):
            chosen[task.id] = tuple(source["choices"])
    if not tasks:
        raise _invalid(folder.name, "holds no task files (*.yaml)")
    for task_id, choices in chosen.items():
        for choice in choices:
            if choice not in tasks or choice in chosen:
                raise _invalid(f"{task_id}.yaml", f"choice `{choice}` is not a task with fields")
        options = tuple(tasks[choice] for choice in choices)
        tasks[task_id] = dataclasses.replace(tasks[task_id], choices=options)
    return tasks


def _read(path: Path) -> Mapping[str, Any]:
    try:
        loaded = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)  # noqa: S506 - a SafeLoader
    except (OSError, UnicodeDecodeError):
        raise _invalid(path.name, "cannot be read as UTF-8 text") from None
    except yaml.MarkedYAMLError as error:
        line = f" (line {error.problem_mark.line + 1})" if error.problem_mark else ""
        raise _invalid(path.name, f"is not valid YAML{line}") from None
    except yaml.YAMLError:
        raise _invalid(path.name, "is not valid YAML") from None
    return _mapping(path.name, loaded, _TASK_KEYS, "the task")


class _UniqueKeys(yaml.CSafeLoader):
    """YAML's safe loader, refusing a key that is given twice instead of keeping the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        if len(keys) != len(set(map(str, keys))):
            raise yaml.constructor.ConstructorError(None, None, "duplicate key", node.start_mark)
        return super().construct_mapping(node, deep=deep)


def _task(file: str, source: Mapping[str, Any]) -> Task:
    task_id = _name(file, source, "id", "the task")
    description = _text(file, source, "description", "the task", required=True)
    choices = source.get("choices", [])
    if not isinstance(choices, list) or not all(isinstance(choice, str) for choice in choices):
        raise _invalid(file, "`choices` must be a list of task ids")
    if bool(choices) == bool(source.get("fields")):
        raise _invalid(file, "needs either `fields` or `choices`")
    document_type = None
    if "document_type" in source:
        document_type = _one_of(file, source, "document_type", DocumentType, "the task")
    fields = () if choices else _fields(file, source["fields"], "the task", tables=True)
    return Task(task_id, description, document_type, fields)


def _fields(file: str, source: Any, where: str, *, tables: bool) -> tuple[FieldSpec, ...]:
    if not isinstance(source, list) or not source:
        raise _invalid(file, f"{where} needs a list of fields")
    fields = tuple(_field(file, entry, where, tables=tables) for entry in source)
    names = [spec.name for spec in fields]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise _invalid(file, f"{where} has two fields named `{twice}`")
    return fields


def _field(file: str, source: Any, where: str, *, tables: bool) -> FieldSpec:
    entry = _mapping(file, source, _FIELD_KEYS, f"a field of {where}")
    name = _name(file, entry, "name", f"a field of {where}")
    place = f"field `{name}`"
    kind = _one_of(file, entry, "type", FieldType, place)
    if kind is FieldType.TABLE and not tables:
        raise _invalid(file, f"{place} is a table inside a table")
    if (kind is FieldType.TABLE) != ("columns" in entry):
        raise _invalid(file, f"{place}: `columns` belong to a field of type table, and only there")
    columns = _fields(file, entry["columns"], place, tables=False) if "columns" in entry else ()
    term = _text(file, entry, "business_term", place) or None
    if term and not _BUSINESS_TERM.fullmatch(term):
        raise _invalid(file, f"{place}: `business_term` must look like BT-112 or BG-25")
    return FieldSpec(
        name=name,
        type=kind,
        description=_text(file, entry, "description", place, required=True),
        question=_text(file, entry, "question", place),
        business_term=term,
        columns=columns,
        translations=_questions(file, entry, place),
    )


def _questions(file: str, entry: Mapping[str, Any], place: str) -> tuple[tuple[str, str], ...]:
    """The question in other languages than English, by ISO 639 code."""
    found = entry.get("questions", {})
    if not isinstance(found, dict) or not all(
        isinstance(language, str) and _LANGUAGE.fullmatch(language) for language in found
    ):
        raise _invalid(file, f"{place}: `questions` must map languages such as `de` to questions")
    if found and "question" not in entry:
        raise _invalid(file, f"{place}: `questions` translate a `question`, which is missing")
    return tuple(
        (language, _text(file, found, language, f"{place}, `questions`", required=True))
        for language in sorted(found)
    )


def _mapping(file: str, source: Any, allowed: frozenset[str], where: str) -> Mapping[str, Any]:
    if not isinstance(source, dict):
        raise _invalid(file, f"{where} must be a mapping")
    unknown = sorted(str(key) for key in source if key not in allowed)
    if unknown:
        raise _invalid(file, f"{where} has the unknown key `{unknown[0][:40]}`")
    return source


def _name(file: str, source: Mapping[str, Any], key: str, where: str) -> str:
    name = source.get(key)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _invalid(
            file, f"`{key}` of {where} must match [a-z][a-z0-9_]* (64 characters at most)"
        )
    return name


def _text(
    file: str, source: Mapping[str, Any], key: str, where: str, *, required: bool = False
) -> str:
    text = source.get(key, "")
    if not isinstance(text, str) or (required and not text.strip()):
        raise _invalid(
            file, f"`{key}` of {where} must be {'a non-empty' if required else 'a'} text"
        )
    return text.strip()


def _one_of(
    file: str, source: Mapping[str, Any], key: str, options: type[_Choice], where: str
) -> _Choice:
    value = source.get(key)
    if value not in [option.value for option in options]:
        known = ", ".join(option.value for option in options)
        raise _invalid(file, f"`{key}` of {where} must be one of: {known}")
    return options(value)


def _invalid(file: str, problem: str) -> Error:
    return Error("invalid_task", Kind.INTERNAL, f"Task file {file}: {problem}.", {"file": file})
