"""Who sold: the vendor's name and address in the head of a receipt."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lib.domain.document import PageSource
from lib.domain.extraction import Candidate
from lib.kie.mentions import Mentions
from lib.kie.receipts.head_network import HeadReader
from lib.kie.receipts.pieces import Piece, head_pieces
from lib.kie.receipts.runs import Run, RunShares
from lib.kie.specks import as_a_name, without_marks, without_specks

_MOST_CANDIDATES = 5
_LEAST_SHARE = 0.01
# What introduces who owns the shop, under its name or behind it.
_OWNER = re.compile(
    r"\W*(?:Inh(?:aber(?:in)?)?|Prop(?:r|rietor|rietress)?|Titolare|Titular|Eigenaar|Właściciel"
    r"|Innehavare)\b[.:]*\s+(?=[^\W\d])",
    re.IGNORECASE,
)


def find_vendor(
    mentions: Mentions, head: HeadReader
) -> tuple[tuple[Candidate, ...], tuple[Candidate, ...]]:
    """Candidates for the vendor's name and for its address, best first.

    Scores are shares of belief among all runs of pieces and "none is printed".
    """
    pieces = head_pieces(mentions)
    reading = head.read(mentions, pieces)
    return (
        _candidates(mentions, pieces, reading.names, is_name=True),
        _candidates(mentions, pieces, reading.addresses, is_name=False),
    )


def _candidates(
    mentions: Mentions, pieces: Sequence[Piece], ranked: RunShares, *, is_name: bool
) -> tuple[Candidate, ...]:
    found = []
    for run, share in _without_owners(pieces, ranked, is_name=is_name):
        if share > _LEAST_SHARE:
            inside = pieces[run.first : run.last + 1]
            page = mentions.layout.page_of(inside[0].cell).page
            text = " ".join(p.text for p in inside)
            if page.source is PageSource.OCR:
                text = without_marks(without_specks(text, mentions.language))
            if is_name:
                text = as_a_name(text)
            found.append(mentions.candidate([p.span for p in inside], share, raw=text))
    return tuple(found)


def _without_owners(
    pieces: Sequence[Piece], ranked: RunShares, *, is_name: bool
) -> list[tuple[Run, float]]:
    """The best runs without lines that introduce the shop's owner, best first.

    What a name or an address had of the belief with such a line goes to the one without it.
    """
    shares: dict[Run, float] = {}
    for run, share in zip(ranked.runs[:_MOST_CANDIDATES], ranked.shares, strict=False):
        plain = _shop_above(pieces, run) if is_name else _address_below(pieces, run)
        shares[plain] = shares.get(plain, 0.0) + share
    return sorted(shares.items(), key=lambda item: -item[1])


def _shop_above(pieces: Sequence[Piece], run: Run) -> Run:
    """The name up to its owner's line, or the piece above that line where nothing is left."""
    last = run.last
    while last > 0 and _OWNER.match(pieces[last].text):
        last -= 1
    if pieces[last].is_stop or pieces[last].is_notice:
        return run  # nothing above that could be a name
    return run if last == run.last else Run(min(run.first, last), last)


def _address_below(pieces: Sequence[Piece], run: Run) -> Run:
    first = run.first
    while first < run.last and _OWNER.match(pieces[first].text):
        first += 1
    return Run(first, run.last)
