"""Which day each date field means: one order per document, nothing due before it is issued."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from itertools import product

from lib.domain.date_order import DateOrder
from lib.domain.extraction import Candidate
from lib.post.options import Option

# In units of candidate score. Terms of payment are round numbers of days, so a pair of readings
# that gives one speaks for the order in which they were read.
_DUE_AFTER_ISSUE, _DUE_BEFORE_ISSUE = 0.2, -0.6
_USUAL_TERM = 0.2
_USUAL_TERMS = frozenset({0, 7, 8, 10, 14, 15, 20, 21, 28, 30, 45, 60, 90})
_CLEAR_LEAD = 0.3  # with a lead this large over every other order, the pair of dates has decided it
_WIDTH = 4


def without_truncated(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates but those whose text is the beginning of another's: 25/10/20 of 25/10/2017."""
    texts = [candidate.raw.strip() for candidate in candidates]
    return [
        candidate
        for candidate, text in zip(candidates, texts, strict=True)
        if not any(other != text and other.startswith(text) for other in texts)
    ]


def choose_dates(options: Mapping[str, Sequence[Option]]) -> dict[str, Option]:
    """Per date field the option that fits the others best.

    All numeric dates are read in one order. When two orders do equally well, the chosen options
    stay ambiguous, and the best guess is the document's likelier order.
    """
    scored = [
        (score, order, chosen)
        for order in (DateOrder.DMY, DateOrder.MDY, DateOrder.YMD)
        if (result := _in_order(options, order))
        for score, chosen in [result]
    ]
    if not scored:
        return {}
    best_score, _, best = max(scored, key=lambda entry: entry[0])
    rivals = [s for s, _, chosen in scored if _values(chosen) != _values(best)]
    # The usual order of day and month is a guess, which two dates do not make surer than one.
    guessed = sum((2 * o.weight - 1) * o.candidate.score for o in best.values() if o.ambiguous)
    clear = not rivals or best_score - guessed - max(rivals) >= _CLEAR_LEAD
    if not clear:
        return best
    ground = "terms of payment fit"
    return {name: _decided(option, ground) for name, option in best.items()}


def _decided(option: Option, ground: str) -> Option:
    if not option.ambiguous:
        return option
    return replace(option, ambiguous=False, evidence=f"{option.evidence}: {ground}")


def _values(chosen: Mapping[str, Option]) -> dict[str, object]:
    return {name: option.value for name, option in chosen.items()}


def _in_order(
    options: Mapping[str, Sequence[Option]], order: DateOrder
) -> tuple[float, dict[str, Option]] | None:
    """The best choice with ambiguous dates read in `order`; None when no field can be."""
    fitting = {
        name: [o for o in found if o.order in (None, order) or _alone(o, found)][:_WIDTH]
        for name, found in options.items()
    }
    names = [name for name, found in fitting.items() if found]
    if not names:
        return None
    lost = sum(max(o.score for o in options[n]) for n in options if n not in names)
    best: tuple[float, dict[str, Option]] | None = None
    for combination in product(*(fitting[name] for name in names)):
        chosen = dict(zip(names, combination, strict=True))
        score = sum(o.score for o in combination) + _plausibility(chosen) - lost
        if best is None or score > best[0] + 1e-9:
            best = (score, chosen)
    return best


def _alone(option: Option, options: Sequence[Option]) -> bool:
    """Whether the option is the only reading of its candidate."""
    return sum(other.candidate is option.candidate for other in options) == 1


def _plausibility(chosen: Mapping[str, Option]) -> float:
    issue, due = chosen.get("issue_date"), chosen.get("due_date")
    if issue is None or due is None:
        return 0.0
    days = (date.fromisoformat(str(due.value)) - date.fromisoformat(str(issue.value))).days
    if days < 0:
        return _DUE_BEFORE_ISSUE
    return _DUE_AFTER_ISSUE + (_USUAL_TERM if days in _USUAL_TERMS else 0.0)
