"""Signatures of texts: two that are near-identical, as read from two photos, have similar ones.

MinHash of the text's character shingles (A. Broder, "On the resemblance and containment of
documents", 1997): the share of equal entries of two signatures estimates the Jaccard index of the
shingle sets, with a standard deviation of at most 0.5 / sqrt(SIZE). Shingles are of characters
without spaces, since recognisers cut the same line into different words. Bands of entries find
candidates (Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", section 3.4).
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from lib.domain.text_keys import letters_and_digits

BANDS = 12
_ROWS = 5
SIZE = BANDS * _ROWS
"""Entries of a signature."""

_SHINGLE = 6
_FEWEST_SHINGLES = 40
_MOST_CHARACTERS = 20_000
# Shingles: their tables stay in the processor's cache. All at once take three times as long.
_AT_ONCE = 256
_PRIME = np.uint64((1 << 61) - 1)
# What recognisers take for one another.
_LOOKALIKES = str.maketrans("oilszbg", "0115286")
_LOW_32_BITS = np.uint64(0xFFFFFFFF)

Signature = NDArray[np.uint32]


def _functions() -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """a and b of the hash functions (a x + b) mod p; x < 2^32 and a < 2^31, so all fits 64 bits."""
    # Never another seed: stored signatures must stay comparable.
    noise = np.random.default_rng(20_261_121)
    a = noise.integers(1, 1 << 31, SIZE, dtype=np.uint64)
    return a, noise.integers(0, 1 << 61, SIZE, dtype=np.uint64)


_A, _B = _functions()


def folded(text: str) -> str:
    """The letters and digits of a text, those alike that recognisers take for one another."""
    return letters_and_digits(text).translate(_LOOKALIKES)


def signature(words: Iterable[str]) -> Signature | None:
    """The signature of words in reading order; None for a text too short to say anything."""
    text = folded("".join(words))[:_MOST_CHARACTERS]
    shingles = {text[start : start + _SHINGLE] for start in range(len(text) - _SHINGLE + 1)}
    if len(shingles) < _FEWEST_SHINGLES:
        return None
    hashes = np.fromiter((crc32(s.encode()) for s in shingles), np.uint64, len(shingles))
    parts = (hashes[first : first + _AT_ONCE] for first in range(0, len(hashes), _AT_ONCE))
    lowest: NDArray[np.uint64] = np.min(
        [((part[:, None] * _A + _B) % _PRIME).min(axis=0) for part in parts], axis=0
    )
    return (lowest & _LOW_32_BITS).astype(np.uint32)


def band_keys(found: Signature, *, even: str, odd: str) -> list[int]:
    """BANDS signed 64-bit keys: texts that share one are alike.

    A text of Jaccard index j to another shares one with a probability of 1 - (1 - j^5)^12. Bands of
    even number are equal only beside an equal `even`, the others beside an equal `odd`.
    """
    keys = []
    for number, rows in enumerate(found.reshape(BANDS, _ROWS)):
        context = odd if number % 2 else even
        hashed = blake2b(rows.tobytes(), digest_size=8, person=bytes([number]), key=_key(context))
        keys.append(int.from_bytes(hashed.digest(), signed=True))
    return keys


def _key(context: str) -> bytes:
    return blake2b(context.encode(), digest_size=16).digest()


def likeness(one: Signature, other: Signature) -> float:
    """The estimated Jaccard index of two texts' shingles, 0..1."""
    return float(np.mean(one == other))


def pack(found: Signature) -> bytes:
    """A signature as 4 * SIZE bytes, least significant first."""
    return found.astype("<u4").tobytes()


def unpack(data: bytes) -> Signature:
    """The signature of `pack`."""
    return np.frombuffer(data, "<u4")
