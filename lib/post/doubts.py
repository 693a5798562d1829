"""What a model said that is not on the page: an alternative hardly believed, and a reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from lib.domain.extraction import Alternative, Candidate, FieldValue, RawExtraction, Source
from lib.domain.task import FieldSpec, Task
from lib.post.evidence import Evidence
from lib.post.normalise import read

_MOST = 3  # alternatives of a field


def with_doubts(
    fields: Mapping[str, FieldValue], raw: RawExtraction, task: Task, evidence: Evidence
) -> dict[str, FieldValue]:
    """The answered fields, and those that only have what the model said without finding it.

    Such a value never becomes an answer, however well it would fit: it is listed behind the other
    alternatives with the confidence that its candidate has.
    """
    found = dict(fields)
    for spec in task.fields:
        doubts = raw.doubts.get(spec.name, ())
        known = found.get(spec.name)
        if not doubts or (known is not None and known.source is Source.XML):
            continue
        answer = known or FieldValue(None, "", 0.0, Source.MODEL)
        others = _alternatives(spec, doubts, answer, evidence)
        if others or known:
            together = (*answer.alternatives, *others)[:_MOST]
            found[spec.name] = replace(answer, alternatives=together)
    return found


def doubt_reasons(raw: RawExtraction, task: Task) -> tuple[str, ...]:
    """`not_on_page:<field>` for each field and table of which the model said more than is there."""
    names = [spec.name for spec in task.fields]
    return tuple(
        f"not_on_page:{name}" for name in names if name in raw.doubts or raw.lost_cells.get(name)
    )


def doubt_warnings(raw: RawExtraction) -> tuple[str, ...]:
    """How many cells of a table were left out since they are not printed in their row."""
    return tuple(
        f"not_on_page:{name}: {count} cells of the model's are not printed in their rows"
        for name, count in raw.lost_cells.items()
        if count
    )


def _alternatives(
    spec: FieldSpec, doubts: Sequence[Candidate], answer: FieldValue, evidence: Evidence
) -> list[Alternative]:
    known = {answer.value, *(other.value for other in answer.alternatives)}
    others: list[Alternative] = []
    for candidate in doubts:
        for option in read(spec.name, spec.type, candidate, evidence)[:1]:
            if option.value not in known:
                known.add(option.value)
                others.append(Alternative(option.value, candidate.score, candidate.raw))
    return others
