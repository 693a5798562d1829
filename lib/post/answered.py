"""Every chosen value with its rivals and what the checks say of it, before it has a confidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lib.domain.extraction import CheckStatus
from lib.domain.task import FieldType
from lib.post.checks import Verdict
from lib.post.options import Option, Options, RowOptions
from lib.post.settled import Settled


@dataclass(frozen=True, slots=True)
class Answered:
    """One chosen value.

    `key` names it in the answer (cells as `table[index].column`), `field` in the task (cells as
    `table.column`). `others`: the options with another value, the best of each value, best first.
    `confirmed` and `contradicted` in 0..1: the weights of the strongest passed and failed checks
    that name it, its own checksum included.
    """

    key: str
    field: str
    kind: FieldType
    option: Option
    others: tuple[Option, ...]
    confirmed: float
    contradicted: float

    @property
    def in_table(self) -> bool:
        """Whether it is a cell of a table."""
        return self.key != self.field

    @property
    def rivals(self) -> tuple[Option, ...]:
        """The others, but what a known vendor's spelling replaces does not speak against it."""
        if not self.option.recalled:
            return self.others
        return tuple(o for o in self.others if o.candidate is not self.option.candidate)


def answered_values(
    settled: Settled,
    options: Options,
    tables: Mapping[str, Sequence[RowOptions]],
    verdicts: Sequence[Verdict],
) -> tuple[Answered, ...]:
    """Every chosen value, fields first.

    `options` and `tables` are all the readings that the values were chosen from.
    """
    readings_of_cell = {
        id(c[0].candidate): c for rows in tables.values() for row in rows for c in row.values()
    }
    confirmed = _strongest(verdicts, CheckStatus.PASSED)
    contradicted = _strongest(verdicts, CheckStatus.FAILED)

    def one(
        key: str, field: str, kind: FieldType, option: Option, readings: Sequence[Option]
    ) -> Answered:
        return Answered(
            key,
            field,
            kind,
            option,
            _others(option, readings),
            max(confirmed.get(key, 0.0), 1.0 if option.valid else 0.0),
            max(contradicted.get(key, 0.0), 1.0 if option.valid is False else 0.0),
        )

    specs = {spec.name: spec for spec in settled.task.fields}
    found = [
        one(name, name, specs[name].type, option, options.get(name, ()))
        for name, option in settled.fields.items()
    ]
    for table, rows in settled.tables.items():
        kinds = {spec.name: spec.type for spec in specs[table].columns}
        for index, row in enumerate(rows):
            for column, option in row.items():
                key = f"{table}[{index}].{column}"
                readings = readings_of_cell.get(id(option.candidate), ())
                found.append(one(key, f"{table}.{column}", kinds[column], option, readings))
    return tuple(found)


def _strongest(verdicts: Sequence[Verdict], status: CheckStatus) -> dict[str, float]:
    """Per key the weight of the strongest check that ended so."""
    weights: dict[str, float] = {}
    for verdict in verdicts:
        if verdict.check.status is status:
            for name in verdict.check.fields:
                weights[name] = max(weights.get(name, 0.0), verdict.weight)
    return weights


def _others(option: Option, readings: Sequence[Option]) -> tuple[Option, ...]:
    best: dict[object, Option] = {}
    for other in readings:
        if other.value == option.value:
            continue
        if other.value not in best or other.score > best[other.value].score:
            best[other.value] = other
    return tuple(sorted(best.values(), key=lambda other: -other.score))
