"""Whether a page's text layer can be used instead of OCR: a rule, its reasons and thresholds."""

from __future__ import annotations

from collections.abc import Sequence

from lib.domain.document import Word
from lib.domain.source import TextLayer

# The cost of a mistake is not even. OCR of a page with a good text layer costs a second and a few
# letters; a bad text layer gives wrong values with full confidence. So doubts mean OCR.

_HIDDEN_SHARE = 0.2
"""Above: a scan with somebody else's OCR behind it. Ours is measured, has confidences, and its
polygons fit; the hidden text may be decades old or about another version of the page."""

_UNMAPPED_SHARE = 0.05
"""Above: a font without a usable mapping to Unicode."""

_LETTERS, _LETTERS_PER_IMAGE = 30, 1500
"""Letters and digits that a page needs: 30, and 1500 x (image share)^2 more. Little text may be a
stamp on a drawn or scanned page. A logo (share 0.05) asks for 4 more and a letterhead image (0.2)
for 60; half a page of image for 375, since what the document says is probably in the image; a
dense page over a full-page background still passes."""

_PLAIN_SHARE = 0.4
"""Letters and digits among all characters: less is a broken encoding or a drawing made of signs."""

_OVERLAP_SHARE = 0.15
"""Words that lie on another: text drawn twice, or two layers, one not meant to be seen."""

_LONE_SHARE = 0.6
"""Words of one letter, in a layer whose spacing was lost: `T O T A L`."""

_VOWEL_SHARES = (0.15, 0.65)
"""Vowels among at least _VOWEL_SAMPLE Latin letters: languages have 0.35 to 0.5, tables full of
codes still 0.2; text under a shifted encoding (`7RWDO` for Total) falls outside."""

_VOWEL_SAMPLE = 80
_VOWELS = frozenset("aeiouyàáâãäåæèéêëìíîïòóôõöøùúûüýœąęůőű")

_SIDEWAYS_SHARE = 0.5
"""Words of four letters and more that are higher than wide: the page is to be turned first."""


def is_trusted(layer: TextLayer, width: int, height: int) -> bool:
    """Whether the layer says what the page shows. `width`, `height`: the page in any one unit."""
    words = [word for line in layer.lines for word in line.words]
    characters = "".join(word.text for word in words)
    plain = sum(map(str.isalnum, characters))
    return (
        layer.hidden_share <= _HIDDEN_SHARE
        and layer.unmapped_share <= _UNMAPPED_SHARE
        and plain >= _LETTERS + _LETTERS_PER_IMAGE * layer.image_share**2
        and plain >= _PLAIN_SHARE * len(characters)
        and _lone_share(words) <= _LONE_SHARE
        and _reads_like_language(characters)
        and _sideways_share(words, width, height) <= _SIDEWAYS_SHARE
        and _overlap_share(words) <= _OVERLAP_SHARE
    )


def _lone_share(words: Sequence[Word]) -> float:
    lone = sum(len(word.text) == 1 and word.text.isalpha() for word in words)
    return lone / len(words)


def _reads_like_language(characters: str) -> bool:
    """The share of vowels, where enough Latin letters tell; other scripts are not judged."""
    latin = [c for c in characters.lower() if c.isalpha() and c < "\u0250"]
    if len(latin) < _VOWEL_SAMPLE:
        return True
    share = sum(c in _VOWELS for c in latin) / len(latin)
    return _VOWEL_SHARES[0] <= share <= _VOWEL_SHARES[1]


def _sideways_share(words: Sequence[Word], width: int, height: int) -> float:
    boxes = [word.polygon for word in words if len(word.text) >= 4]
    if not boxes:
        return 0.0
    tall = sum((box.y1 - box.y0) * height > (box.x1 - box.x0) * width for box in boxes)
    return tall / len(boxes)


def _overlap_share(words: Sequence[Word]) -> float:
    """Share of words of which more than half lies under a word that starts lower."""
    polygons = sorted((word.polygon for word in words), key=lambda box: box.y0)
    boxes = [(box.x0, box.y0, box.x1, box.y1) for box in polygons]
    covered = 0
    for index, (x0, y0, x1, y1) in enumerate(boxes):
        area = (x1 - x0) * (y1 - y0)
        for place in range(index + 1, len(boxes)):
            left, top, right, bottom = boxes[place]
            if top >= y1:
                break
            wide = min(x1, right) - max(x0, left)
            if wide <= 0:
                continue
            high = min(y1, bottom) - max(y0, top)
            smaller = min(area, (right - left) * (bottom - top))
            if high > 0 and 2 * wide * high > smaller:
                covered += 1
                break
    return covered / max(1, len(words))
