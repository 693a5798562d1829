"""The language of a document by the labels printed on it."""

from __future__ import annotations

from collections import Counter

from lib.kie.mentions import Mentions

_FEWEST_VOTES = 2.0
_MARGIN = 1.15
NO_LANGUAGE = frozenset({"world"})  # phrases that many languages share


def printed_language(mentions: Mentions) -> str | None:
    """The language (ISO 639) that explains most labels, or None when none clearly does.

    Each different phrase votes once, by its length in words; one that several languages share
    splits its vote.
    """
    votes: Counter[str] = Counter()
    phrases = {
        label.match.labels: label.span.text
        for cell in mentions.layout.cells
        for label in mentions.labels(cell)
    }
    for labels, text in phrases.items():
        languages = {label.language for label in labels} - NO_LANGUAGE
        for language in languages:
            votes[language] += len(text.split()) / len(languages)  # type: ignore[assignment]  # Counter adds any number
    ranked = votes.most_common(2)
    if not ranked or ranked[0][1] < _FEWEST_VOTES:
        return None
    if len(ranked) > 1 and ranked[0][1] < _MARGIN * ranked[1][1]:
        return None
    return ranked[0][0]
