"""The currency where no extractor named it: the printed sign that means one, and its place."""

from __future__ import annotations

from collections.abc import Sequence

from lib.domain.document import Page, PageSource
from lib.domain.extraction import Candidate, Source
from lib.post.evidence import Evidence
from lib.values.currencies import candidates, possible_symbols

_SCORE = 0.8  # printed and unambiguous, but nobody looked at which amount it stands beside


def printed_currency(evidence: Evidence, pages: Sequence[Page]) -> tuple[Candidate, ...]:
    """One candidate for the currency that the pages show: its first printed sign or code.

    None where no sign is printed. A sign of several currencies is given too: whether the document
    decides between them is for the reading of the candidate.
    """
    code, others = evidence.currency
    wanted = {code} if code else set(others)
    if not wanted:
        return ()
    for page in pages:
        for word in page.words:
            printed = possible_symbols(word.text)
            symbol = next((s for s in printed if not wanted.isdisjoint(candidates(s))), None)
            if symbol:
                source = Source.TEXT_LAYER if page.source is PageSource.TEXT_LAYER else Source.OCR
                return (Candidate(symbol, _SCORE, source, page.number, (word,)),)
    return ()
