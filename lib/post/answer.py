"""Chosen options as answered fields: value, text, place, confidence, and what else it may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lib.domain.document import Word
from lib.domain.extraction import Alternative, CheckStatus, FieldValue
from lib.domain.geometry import Polygon, bounding_polygon
from lib.domain.task import FieldSpec, FieldType
from lib.post.checks import Verdict
from lib.post.confidence import confidence
from lib.post.options import Option, Options, RowOptions
from lib.post.settled import Settled

_MAX_ALTERNATIVES = 3


def answer(
    settled: Settled,
    options: Options,
    tables: Mapping[str, Sequence[RowOptions]],
    verdicts: Sequence[Verdict],
) -> dict[str, FieldValue]:
    """Every chosen value, keyed by field name, cells by `table[index].column`.

    `options` and `tables` are all the readings that the values were chosen from.
    """
    cells = {
        id(c[0].candidate): c for rows in tables.values() for row in rows for c in row.values()
    }
    confirmed = _strongest(verdicts, CheckStatus.PASSED)
    contradicted = _strongest(verdicts, CheckStatus.FAILED)

    specs = {spec.name: spec for spec in settled.task.fields}

    def one(key: str, spec: FieldSpec, option: Option, readings: Sequence[Option]) -> FieldValue:
        checked = confirmed.get(key, 0.0), contradicted.get(key, 0.0)
        return _field(option, readings, spec.type, *checked)

    fields = {n: one(n, specs[n], o, options.get(n, ())) for n, o in settled.fields.items()}
    for table, rows in settled.tables.items():
        columns = {spec.name: spec for spec in specs[table].columns}
        for index, row in enumerate(rows):
            for column, option in row.items():
                key = f"{table}[{index}].{column}"
                readings = cells.get(id(option.candidate), ())
                fields[key] = one(key, columns[column], option, readings)
    return fields


def _strongest(verdicts: Sequence[Verdict], status: CheckStatus) -> dict[str, float]:
    """Per field the weight of the strongest check that ended so."""
    weights: dict[str, float] = {}
    for verdict in verdicts:
        if verdict.check.status is status:
            for name in verdict.check.fields:
                weights[name] = max(weights.get(name, 0.0), verdict.weight)
    return weights


def _field(
    option: Option,
    readings: Sequence[Option],
    kind: FieldType,
    confirmed: float,
    contradicted: float,
) -> FieldValue:
    others = _others(option, readings)
    # What a known vendor's spelling replaces is shown, but does not speak against it.
    rivals = [o for o in others if not (option.recalled and o.candidate is option.candidate)]
    sure = confidence(option, rivals, kind, confirmed, contradicted)
    candidate = option.candidate
    return FieldValue(
        value=option.value,
        raw=candidate.raw,
        confidence=sure,
        source=candidate.source,
        page=candidate.page or None,
        polygon=_place(candidate.words),
        alternatives=_alternatives(others, 1.0 - sure) if others else (),
    )


def _place(words: Sequence[Word]) -> Polygon | None:
    """The box around the words; a single word's own polygon, which may be turned."""
    if not words:
        return None
    return words[0].polygon if len(words) == 1 else bounding_polygon(w.polygon for w in words)


def _others(option: Option, readings: Sequence[Option]) -> list[Option]:
    """The options with another value, the best of each value, best first."""
    best: dict[object, Option] = {}
    for other in readings:
        if other.value == option.value:
            continue
        if other.value not in best or other.score > best[other.value].score:
            best[other.value] = other
    return sorted(best.values(), key=lambda other: -other.score)


def _alternatives(others: Sequence[Option], doubt: float) -> tuple[Alternative, ...]:
    """The best alternatives; they share the confidence that the answer leaves, by their scores."""
    weight = sum(other.score for other in others)
    return tuple(
        Alternative(
            value=other.value,
            confidence=round(doubt * other.score / weight, 4) if weight else 0.0,
            raw=other.candidate.raw,
        )
        for other in others[:_MAX_ALTERNATIVES]
    )
