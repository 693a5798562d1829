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

# A chain's number of the shop above its street: "STORE 0417", "Filiale 118 Kasse 2".
_STORE_NUMBER = re.compile(
    r"\W*(?:store|filiale|filiaal|magasin|tienda|negozio|loja|sklep|butik|магазин)\W{0,3}"
    r"(?:(?:no|nr|num|number|n)\b\W{0,3})?\d{1,6}"
    r"(?:\W{1,3}(?:reg|register|till|terminal|pos|kasse|kassa|caisse|caja|cassa|касса)\W{0,3}\d{1,4})?\W*",
    re.IGNORECASE,
)

# What praises the shop between its name and its address: since when, or a motto in quotes.
_MOTTO = re.compile(
    r".*\b(?:since|seit|depuis|desde|dal|sinds|od|sejak|est\.?|established)\s(?:19|20)\d\d\W*"
    r"|[\"“„«][^\"“”„«»]+\s[^\"“”„«»]+[\"”“»]",
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
    """The best runs without lines that introduce the owner, number or praise the shop, best first.

    What a name or an address had of the belief with such a line goes to the one without it.
    """
    shares: dict[Run, float] = {}
    for run, share in zip(ranked.runs[:_MOST_CANDIDATES], ranked.shares, strict=False):
        plain = _shop_above(pieces, run) if is_name else _address_below(pieces, run)
        shares[plain] = shares.get(plain, 0.0) + share
    return sorted(shares.items(), key=lambda item: -item[1])


def _shop_above(pieces: Sequence[Piece], run: Run) -> Run:
    """The name up to its owner's line or a motto, or the piece above where nothing is left."""
    last = run.last
    while last > 0 and (_OWNER.match(pieces[last].text) or _MOTTO.fullmatch(pieces[last].text)):
        last -= 1
    if pieces[last].is_stop or pieces[last].is_notice:
        return run  # nothing above that could be a name
    return run if last == run.last else Run(min(run.first, last), last)


def _address_below(pieces: Sequence[Piece], run: Run) -> Run:
    """The address below the owner's line, a motto and the number of the shop."""
    first = run.first
    while first < run.last and _is_above_addresses(pieces[first].text):
        first += 1
    return Run(first, run.last)


def _is_above_addresses(text: str) -> bool:
    return any((_OWNER.match(text), _STORE_NUMBER.fullmatch(text), _MOTTO.fullmatch(text.strip())))
