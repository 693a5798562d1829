"""Two evaluations of the same documents beside each other: what changed, and whether by chance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lib.evaluation.outcome import Outcome
from lib.evaluation.significance import Difference, f1_difference, mcnemar
from lib.evaluation.tally import Tally

Outcomes = Mapping[str, Mapping[str, Outcome]]
"""Per document, per judged header field, how it ended."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One field, or all together, on the documents that both evaluations judge.

    `only_a` and `only_b`: truths or rightly empty fields that only one got right. `p`: for one
    field McNemar's exact test, for all together from the bootstrap, since a document's fields are
    no independent observations.
    """

    name: str
    a: Tally
    b: Tally
    only_a: int
    only_b: int
    difference: Difference | None
    p: float


@dataclass(frozen=True, slots=True)
class Change:
    """A field of a document that one evaluation got right and the other did not."""

    document_id: str
    field: str
    before: Outcome
    after: Outcome
    better: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """A against B. `unpaired`: documents that only one of them has; they are not compared."""

    documents: int
    unpaired: int
    micro: Compared
    fields: tuple[Compared, ...]
    changes: tuple[Change, ...]


def compare(a: Outcomes, b: Outcomes, *, relaxed: bool = False) -> Comparison:
    """Compare field by field where both judge the field of the document."""
    shared = [document for document in a if document in b]
    names = dict.fromkeys(name for document in shared for name in a[document])
    pairs: dict[str, dict[str, tuple[Outcome, Outcome]]] = {name: {} for name in names}
    for document in shared:
        for name, before in a[document].items():
            if name in b[document]:
                pairs[name][document] = (before, b[document][name])
    fields = tuple(
        _compared(name, [[pair] for pair in found.values()], relaxed=relaxed)
        for name, found in pairs.items()
        if found
    )
    by_document = [
        [found[document] for found in pairs.values() if document in found] for document in shared
    ]
    return Comparison(
        documents=len(shared),
        unpaired=len(a) + len(b) - 2 * len(shared),
        micro=_compared("micro", by_document, relaxed=relaxed),
        fields=fields,
        changes=tuple(_changes(pairs, relaxed=relaxed)),
    )


def _compared(
    name: str, documents: Sequence[Sequence[tuple[Outcome, Outcome]]], *, relaxed: bool
) -> Compared:
    """`documents`: for each document the outcomes (A, B) of its judged fields."""
    a = [_tally((before for before, _ in pairs), relaxed=relaxed) for pairs in documents]
    b = [_tally((after for _, after in pairs), relaxed=relaxed) for pairs in documents]
    everything = [pair for pairs in documents for pair in pairs]
    only_a = sum(_right(x, relaxed) and not _right(y, relaxed) for x, y in everything)
    only_b = sum(_right(y, relaxed) and not _right(x, relaxed) for x, y in everything)
    difference = f1_difference(a, b)
    single = all(len(pairs) <= 1 for pairs in documents)
    return Compared(
        name=name,
        a=sum(a, Tally()),
        b=sum(b, Tally()),
        only_a=only_a,
        only_b=only_b,
        difference=difference,
        p=mcnemar(only_a, only_b) if single or difference is None else difference.p,
    )


def _tally(outcomes: Iterable[Outcome], *, relaxed: bool) -> Tally:
    scores = (found.score for found in outcomes)
    return sum((score.relaxed if relaxed else score.exact for score in scores), Tally())


def _right(found: Outcome, relaxed: bool) -> bool:
    return found is Outcome.ABSENT or found.is_correct(relaxed=relaxed)


def _changes(
    pairs: Mapping[str, Mapping[str, tuple[Outcome, Outcome]]], *, relaxed: bool
) -> Iterable[Change]:
    for name, found in pairs.items():
        for document, (before, after) in found.items():
            better = _right(after, relaxed)
            if better is not _right(before, relaxed):
                yield Change(document, name, before, after, better)
