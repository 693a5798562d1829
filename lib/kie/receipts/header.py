"""Who sold: the vendor's name and address in the head of a receipt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lib.domain.document import PageSource
from lib.domain.extraction import Candidate
from lib.kie.mentions import Mentions
from lib.kie.ranking import shares, weigh
from lib.kie.receipts.pieces import Piece, head_pieces
from lib.kie.specks import without_specks

# Weights of conditional logits: of all runs of a receipt and "none is printed", how likely is each
# the one? Fitted with an L2 penalty by scripts/fit_receipt_weights.py on 640 labelled receipts of
# two public sets, each set weighing the same, and rounded to 0.1; features have changed a little
# since. In folds that keep a vendor's receipts together the name is first in 0.946 of one set's
# receipts and 0.697 of the other's. The address was judged in the first only, of one country.
NAME_WEIGHTS: dict[str, float] = {
    "ends with legal form": 1.6,
    "capitals": 1.5,
    "first that can be a name": 1.4,
    "centred": 1.0,
    "number next": 0.9,
    "split off": 0.7,
    "height": 0.6,
    "tallest": 0.5,
    "three lines": 0.5,
    "address next": 0.4,
    "two lines": 0.4,
    "sentence": -0.1,
    "side by side": -0.2,
    "stop next": -0.2,
    "before it": -0.2,
    "gap below": -0.3,
    "long number": -0.3,
    "goes on behind legal form": -0.4,
    "starts in lower case": -0.7,
    "legal form elsewhere": -0.8,
    "long": -0.8,
    "stops inside": -1.1,
    "few letters": -1.3,
    "height changes": -1.3,
    "behind first date or amount": -1.4,
    "starts in brackets": -1.5,
    "notice": -1.7,
    "label inside": -2.0,
    "legal name complete in its last line": -2.0,
    "address inside": -2.3,
    "behind first address line": -2.6,
    "bracket left open": -2.7,
    "digits": -3.9,
    "unsurely read": -5.1,
}
NO_NAME = -3.6
ADDRESS_WEIGHTS: dict[str, float] = {
    "commas": 3.1,
    "stop after": 3.0,
    "streets": 2.2,
    "house numbers": 2.1,
    "plain line before the stop": 2.1,
    "starts with a street": 1.8,
    "starts with a house number": 1.8,
    "ends with a postcode": 1.6,
    "ends with a full stop": 1.5,
    "behind name": 1.2,
    "postcodes": 1.0,
    "ending in a comma inside": 0.9,
    "towns": 0.6,
    "split off": 0.5,
    "pieces behind name": 0.5,
    "address-like before": 0.4,
    "second postcode": 0.4,
    "gap after": 0.3,
    "starts address-like": 0.1,
    "notices": -0.2,
    "address-like": -0.2,
    "legal forms": -0.3,
    "postcode after": -0.4,
    "gap before": -0.4,
    "address-like after": -0.4,
    "labels": -0.6,
    "in the name's part": -0.7,
    "pieces": -0.7,
    "ends address-like": -1.0,
    "over the name": -1.0,
    "ends with a comma": -1.3,
    "place": -1.3,
    "gap inside": -1.3,
    "document types": -1.3,
    "country left behind": -1.5,
    "registrations": -1.9,
    "stops": -2.0,
    "long numbers": -2.7,
    "phones": -3.7,
}
NO_ADDRESS = 0.0

_LONGEST_NAME = 3
_LONGEST_ADDRESS = 7
_NAME_PIECES = 14  # a name stands among the first pieces


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive pieces `first` to `last`, both included."""

    first: int
    last: int


class HeaderEvidence:
    """Features of runs of head pieces, as the weights name them."""

    def __init__(self, mentions: Mentions) -> None:
        self.pieces = head_pieces(mentions)
        self._lexicon = mentions.lexicon
        top = self.pieces[:_NAME_PIECES]
        self._tallest = max((p.cell.height_ratio for p in top if p.letters >= 3), default=1.0)
        page = mentions.layout.pages[0] if mentions.layout.pages else None
        self._middle = page.box.center_x if page else 0.0
        self._width = max(1.0, page.box.width) if page else 1.0
        self._letter_height = page.letter_height if page else 1.0
        self._first_stop = next(
            (i for i, p in enumerate(self.pieces) if p.has_date or p.has_money), len(self.pieces)
        )
        self._first_address = next(
            (i for i, p in enumerate(self.pieces) if p.is_address_like), len(self.pieces)
        )
        self._with_legal_form = {i for i, p in enumerate(top) if p.has_legal_form}
        self._spoken = [i for i, p in enumerate(self.pieces) if p.letters >= 3]

    def text(self, run: Run) -> str:
        """The pieces of a run as printed, joined by one space."""
        return " ".join(p.text for p in self.pieces[run.first : run.last + 1])

    def name_runs(self) -> list[Run]:
        """Runs that can be a name: they begin and end with pieces of letters."""
        top = self.pieces[:_NAME_PIECES]
        return [
            Run(first, last)
            for first in range(len(top))
            for last in range(first, min(len(top), first + _LONGEST_NAME))
            if top[first].letters >= 2 and top[last].letters >= 2
        ]

    # The two tables of features are longer than 50 lines: split, they would read worse.
    def name_features(self, run: Run) -> dict[str, float]:
        """The features of a run as the vendor's name."""
        inside = self.pieces[run.first : run.last + 1]
        first, last = inside[0], inside[-1]
        after = self._piece(run.last + 1)
        heights = [p.cell.height_ratio for p in inside]
        legal = self._with_legal_form & set(range(run.first, run.last + 1))
        ends_legal = run.last in legal or (len(inside) > 1 and self._ends_with_legal_form(inside))
        before = sum(1 for i in self._spoken if i < run.first and not self._cannot_name(i))
        found = {
            "first that can be a name": before == 0 and not self._cannot_name(run.first),
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
        return _numbers(found)

    def address_runs(self) -> list[Run]:
        """Runs that can be an address: they begin and end with a piece that could belong to one.

        None holds a price: that is an item, however much "1.2 kg x 2.95" is like a street.
        """
        fitting = [p.letters >= 2 and not p.has_date for p in self.pieces]
        runs = [
            Run(first, last)
            for first in range(len(self.pieces))
            if fitting[first]
            for last in range(first, min(len(self.pieces), first + _LONGEST_ADDRESS))
            if fitting[last]
        ]
        return [
            run
            for run in runs
            if not any(p.has_money for p in self.pieces[run.first : run.last + 1])
        ]

    def address_features(self, run: Run, name: Run | None) -> dict[str, float]:
        """The features of a run as the vendor's address, given the run taken for the name."""
        inside = self.pieces[run.first : run.last + 1]
        before, after = self._piece(run.first - 1), self._piece(run.last + 1)
        ends = inside[-1].text
        found = {
            "pieces": len(inside),
            "address-like": sum(p.is_address_like for p in inside),
            "streets": sum(p.has_street for p in inside),
            "house numbers": sum(p.has_number_of_house for p in inside),
            "postcodes": sum(p.has_postcode for p in inside),
            "second postcode": max(0, sum(p.has_postcode for p in inside) - 1),
            "commas": min(6, sum(p.text.count(",") for p in inside)),
            "ending in a comma inside": sum(p.text.endswith(",") for p in inside[:-1]),
            "stops": sum(p.is_stop for p in inside),
            "labels": sum(bool(p.names & _OTHER_PARTIES) for p in inside),
            "document types": sum(p.is_document_type for p in inside),
            "phones": sum(p.has_phone for p in inside),
            "legal forms": sum(p.has_legal_form for p in inside),
            "split off": sum(p.part for p in inside),
            "long numbers": sum(p.has_long_number for p in inside),
            "brackets": sum(p.text[:1] in "([{" for p in inside),
            "starts with a house number": inside[0].has_number_of_house,
            "starts with a street": inside[0].has_street,
            "starts address-like": inside[0].is_address_like,
            "ends with a postcode": inside[-1].has_postcode,
            "ends with a comma": ends.endswith(","),
            "ends with a full stop": ends.endswith("."),
            "ends address-like": inside[-1].is_address_like,
            "nothing before": before is None,
            "comma before": before is not None and before.text.endswith(","),
            "address-like before": before is not None and before.is_address_like,
            "stop after": after is None or after.is_stop,
            "address-like after": after is not None and after.is_address_like,
            "plain line before the stop": self._plain_before_stop(run.last + 1),
            "country left behind": after is not None and after.is_country,
            "registrations": sum(p.is_registration for p in inside),
            "towns": sum(p.has_town for p in inside),
            "notices": sum(p.is_notice for p in inside),
            "postcode after": after is not None and after.has_postcode and not after.is_stop,
            "gap before": self._gap(run.first - 1, run.first),
            "gap inside": max(
                (self._gap(i, i + 1) for i in range(run.first, run.last)), default=0.0
            ),
            "gap after": self._gap(run.last, run.last + 1),
            "behind name": name is not None and name.last < run.first,
            "pieces behind name": min(6, run.first - name.last - 1) if name else 0,
            "over the name": name is not None and run.first <= name.last,
            "place": run.first,
            "in the name's part": inside[0].part,
        }
        return _numbers(found)

    def _cannot_name(self, index: int) -> bool:
        """Whether a piece greets, names the document or is a number: names stand behind such."""
        piece = self.pieces[index]
        return piece.is_notice or piece.is_stop

    def _ends_with_legal_form(self, inside: Sequence[Piece]) -> bool:
        """Whether the pieces end with a legal form that was torn apart between them."""
        text = " ".join(p.text for p in inside)
        return any(
            "legal_form" in match.cues
            and match.start > len(inside[0].text) // 2
            and not any(c.isalnum() for c in text[match.end :])
            for match in self._lexicon.find(text)
        )

    def _plain_before_stop(self, index: int) -> bool:
        """Whether a line of letters alone, and then a line that stops an address, come next."""
        plain, stop = self._piece(index), self._piece(index + 1)
        if plain is None or plain.is_stop or plain.digits or plain.part or plain.is_country:
            return False
        return stop is None or stop.is_stop

    def _piece(self, index: int) -> Piece | None:
        return self.pieces[index] if 0 <= index < len(self.pieces) else None

    def _gap(self, upper: int, lower: int) -> float:
        """White space between two neighbouring pieces in letter heights, 0 to 2."""
        above, below = self._piece(upper), self._piece(lower)
        if above is None or below is None:
            return 2.0
        gap = (below.row.box.y0 - above.row.box.y1) / self._letter_height
        return min(2.0, max(0.0, gap))


_OTHER_PARTIES = frozenset(
    {"customer_name", "customer_address", "shipping_address", "contact", "document_number"}
)


def _brackets(pieces: Sequence[Piece]) -> int:
    text = "".join(p.text for p in pieces)
    return text.count("(") - text.count(")")


def _numbers(found: Mapping[str, float]) -> dict[str, float]:
    return {name: float(number) for name, number in found.items() if number}


def find_vendor(
    mentions: Mentions,
) -> tuple[tuple[Candidate, ...], tuple[Candidate, ...]]:
    """Candidates for the vendor's name and for its address, best first.

    Scores are shares in a softmax over all runs of lines and "none is printed".
    """
    evidence = HeaderEvidence(mentions)
    runs = evidence.name_runs()
    name_shares = shares([weigh(evidence.name_features(r), NAME_WEIGHTS) for r in runs], NO_NAME)
    names = sorted(zip(name_shares, runs, strict=True), key=lambda item: -item[0])
    best = names[0][1] if names else None
    homes = evidence.address_runs()
    home_shares = shares(
        [weigh(evidence.address_features(r, best), ADDRESS_WEIGHTS) for r in homes], NO_ADDRESS
    )
    addresses = sorted(zip(home_shares, homes, strict=True), key=lambda item: -item[0])
    return (
        _candidates(mentions, evidence.pieces, names),
        _candidates(mentions, evidence.pieces, addresses),
    )


def _candidates(
    mentions: Mentions, pieces: Sequence[Piece], ranked: Sequence[tuple[float, Run]]
) -> tuple[Candidate, ...]:
    found = []
    for share, run in ranked[:5]:
        if share > 0.01:
            inside = pieces[run.first : run.last + 1]
            page = mentions.layout.page_of(inside[0].cell).page
            text = " ".join(p.text for p in inside)
            if page.source is PageSource.OCR:
                text = without_specks(text, mentions.language)
            found.append(mentions.candidate([p.span for p in inside], share, raw=text))
    return tuple(found)
