"""What speaks for a run of head pieces as the vendor's name: numbers for the head network."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from lib.kie.mentions import Mentions
from lib.kie.receipts.pieces import Piece
from lib.kie.receipts.runs import LONGEST_NAME, Run

_NAME_PIECES = 14  # a name stands among the first pieces
_OTHER_PARTIES = frozenset(
    {"customer_name", "customer_address", "shipping_address", "contact", "document_number"}
)

NAME_FEATURES: tuple[str, ...] = (
    "first that can be a name",
    "before it",
    "behind first address line",
    "behind first date or amount",
    "ends with legal form",
    "goes on behind legal form",
    "legal form elsewhere",
    "starts below a legal form",
    "height",
    "tallest",
    "height changes",
    "two lines",
    "three lines",
    "stops inside",
    "address inside",
    "label inside",
    "notice",
    "unsurely read",
    "bracket left open",
    "legal name complete in its last line",
    "split off",
    "digits",
    "long number",
    "few letters",
    "long",
    "sentence",
    "starts in brackets",
    "starts in lower case",
    "capitals",
    "address next",
    "number next",
    "stop next",
    "gap below",
    "gap inside",
    "side by side",
    "centred",
)
"""What is said of a run, in this order; truths are 1.0."""


class NameEvidence:
    """The runs of a head's pieces that can be the name, and their features."""

    def __init__(self, mentions: Mentions, pieces: Sequence[Piece]) -> None:
        self._pieces = pieces
        self._lexicon = mentions.lexicon
        top = pieces[:_NAME_PIECES]
        self.names = _runs(top)
        self._tallest = max((p.cell.height_ratio for p in top if p.letters >= 3), default=1.0)
        page = mentions.layout.pages[0] if mentions.layout.pages else None
        self._middle = page.box.center_x if page else 0.0
        self._width = max(1.0, page.box.width) if page else 1.0
        self._letter_height = page.letter_height if page else 1.0
        self._first_stop = next(
            (i for i, p in enumerate(pieces) if p.has_date or p.has_money), len(pieces)
        )
        self._first_address = next(
            (i for i, p in enumerate(pieces) if p.is_address_like), len(pieces)
        )
        self._may_end_legal = {p: self._lexicon.may_end(p.text, "legal_form") for p in top}
        self._with_legal_form = {i for i, p in enumerate(top) if p.has_legal_form}
        can_name = [p.letters >= 3 and not _cannot_name(p) for p in pieces]
        self._namers_before = list(accumulate(can_name, initial=0))

    def features(self) -> NDArray[np.float32]:
        """A row of NAME_FEATURES for each of `runs`, float32 (runs, features)."""
        found = np.zeros((len(self.names), len(NAME_FEATURES)), np.float32)
        for row, run in zip(found, self.names, strict=True):
            row[:] = list(self._of(run).values())
        return found

    # Longer than 50 lines: split, the table would read worse.
    def _of(self, run: Run) -> dict[str, float]:
        inside = self._pieces[run.first : run.last + 1]
        first, last = inside[0], inside[-1]
        after = self._piece(run.last + 1)
        heights = [p.cell.height_ratio for p in inside]
        legal = self._with_legal_form & set(range(run.first, run.last + 1))
        ends_legal = run.last in legal or (len(inside) > 1 and self._ends_with_legal_form(inside))
        before = self._namers_before[run.first]
        found: dict[str, float] = {
            "first that can be a name": before == 0 and not _cannot_name(first),
            "before it": min(6, before),
            "behind first address line": run.first > self._first_address,
            "behind first date or amount": run.first > self._first_stop,
            "ends with legal form": ends_legal,
            "goes on behind legal form": bool(legal - {run.last}),
            "legal form elsewhere": not legal and not ends_legal and bool(self._with_legal_form),
            "starts below a legal form": bool(self._with_legal_form)
            and run.first > min(self._with_legal_form),
            "height": min(4.0, sum(heights) / len(heights)) - 1,
            "tallest": max(heights) > 0.9 * self._tallest and self._tallest > 1.25,
            "height changes": max(heights) > 1.35 * min(heights),
            "two lines": len(inside) == 2,
            "three lines": len(inside) == 3,
            "stops inside": sum(p.is_stop for p in inside),
            "address inside": sum(p.is_address_like for p in inside),
            "label inside": any(p.names & _OTHER_PARTIES for p in inside),
            "notice": any(p.is_notice for p in inside),
            "unsurely read": min(0.25, 1 - min(p.cell.line.confidence for p in inside)),
            "bracket left open": _brackets(inside) != 0,
            "legal name complete in its last line": len(inside) > 1 and last.is_legal_name,
            "split off": sum(p.part for p in inside),
            "digits": sum(p.digits for p in inside)
            / max(1, sum(p.letters + p.digits for p in inside)),
            "long number": any(p.has_long_number for p in inside),
            "few letters": sum(p.letters for p in inside) < 4,
            "long": max(0.0, sum(len(p.text) for p in inside) - 40) / 10,
            "sentence": max(p.text.count(" ") for p in inside) > 5,
            "starts in brackets": first.text[:1] in "([{*",
            "starts in lower case": first.text[:1].islower(),
            "capitals": all(p.text.upper() == p.text for p in inside),
            "address next": after is not None and after.is_address_like,
            "number next": after is not None and (after.part == 1 or after.is_registration),
            "stop next": after is not None and after.is_stop,
            "gap below": self._gap(run.last, run.last + 1),
            "gap inside": max(
                (self._gap(i, i + 1) for i in range(run.first, run.last)), default=0.0
            ),
            "side by side": any(a.row is b.row for a, b in pairwise(inside)),
            "centred": abs(last.cell.box.center_x - self._middle) < 0.08 * self._width,
        }
        return found

    def _ends_with_legal_form(self, inside: Sequence[Piece]) -> bool:
        """Whether the pieces end with a legal form that was torn apart between them."""
        if not self._may_end_legal[inside[-1]]:
            return False
        text = " ".join(p.text for p in inside)
        return any(
            "legal_form" in match.cues
            and match.start > len(inside[0].text) // 2
            and not any(map(str.isalnum, text[match.end :]))
            for match in self._lexicon.find(text)
        )

    def _piece(self, index: int) -> Piece | None:
        return self._pieces[index] if 0 <= index < len(self._pieces) else None

    def _gap(self, upper: int, lower: int) -> float:
        """White space between two neighbouring pieces in letter heights, 0 to 2."""
        above, below = self._piece(upper), self._piece(lower)
        if above is None or below is None:
            return 2.0
        gap = (below.row.box.y0 - above.row.box.y1) / self._letter_height
        return min(2.0, max(0.0, gap))


def _runs(top: Sequence[Piece]) -> tuple[Run, ...]:
    """Runs that can be a name: they begin and end with pieces of letters."""
    return tuple(
        Run(first, last)
        for first in range(len(top))
        for last in range(first, min(len(top), first + LONGEST_NAME))
        if top[first].letters >= 2 and top[last].letters >= 2
    )


def _cannot_name(piece: Piece) -> bool:
    """Whether a piece greets, names the document or is a number: names stand behind such."""
    return piece.is_notice or piece.is_stop


def _brackets(pieces: Sequence[Piece]) -> int:
    text = "".join(p.text for p in pieces)
    return text.count("(") - text.count(")")
