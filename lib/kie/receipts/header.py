"""Who sold: the vendor's name and address in the head of a receipt."""

from __future__ import annotations

from collections.abc import Sequence

from lib.domain.document import PageSource
from lib.domain.extraction import Candidate
from lib.kie.mentions import Mentions
from lib.kie.receipts.head_network import HeadReader
from lib.kie.receipts.pieces import Piece, head_pieces
from lib.kie.receipts.runs import RunShares
from lib.kie.specks import as_a_name, without_marks, without_specks

_MOST_CANDIDATES = 5
_LEAST_SHARE = 0.01


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
    for run, share in zip(ranked.runs[:_MOST_CANDIDATES], ranked.shares, strict=False):
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
