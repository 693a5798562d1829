from __future__ import annotations

import random
import string
from zlib import crc32

import pytest

from lib.values.likeness import BANDS, band_keys, folded, likeness, pack, signature, unpack

STORED = "daf01b400612c41e8ebe645030e27596"
STORED_LONG = 1131087687


def text(seed: int, length: int = 400) -> str:
    chance = random.Random(seed)
    return "".join(chance.choices(string.ascii_lowercase + string.digits, k=length))


def jaccard(one: str, other: str) -> float:
    a, b = ({t[i : i + 6] for i in range(len(t) - 5)} for t in (folded(one), folded(other)))
    return len(a & b) / len(a | b)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9, 1.0])
def test_likeness_estimates_the_jaccard_index(share: float) -> None:
    errors = []
    for seed in range(20):
        one = text(seed)
        cut = int(len(one) * share)
        other = one[:cut] + text(1000 + seed, len(one) - cut)
        a, b = signature([one]), signature([other])
        assert a is not None
        assert b is not None
        errors.append(likeness(a, b) - jaccard(one, other))
    # 0.065 is the largest standard deviation of one estimate.
    assert abs(sum(errors) / len(errors)) < 0.05
    assert max(map(abs, errors)) < 0.26


def test_spaces_case_and_look_alikes_do_not_count() -> None:
    one = signature(["Total", "1.O0", "EUR", text(1)])
    other = signature(["TOTAL1", ".00", "eur", text(1).upper()])
    assert one is not None
    assert other is not None
    assert likeness(one, other) == 1.0


def test_a_short_text_says_nothing() -> None:
    assert signature(["Total", "10.00"]) is None
    assert signature([]) is None
    assert signature(["aaaaaa" * 100]) is None


def test_a_signature_is_stored_and_stays_the_same() -> None:
    found = signature([text(1)])
    assert found is not None
    assert (unpack(pack(found)) == found).all()
    # Signatures in databases must stay comparable with those of later versions.
    assert pack(found).hex()[:32] == STORED
    of_many_parts = signature([text(1, 5000)])
    assert of_many_parts is not None
    assert crc32(pack(of_many_parts)) == STORED_LONG


def test_bands_are_shared_beside_the_same_context_only() -> None:
    found = signature([text(1)])
    assert found is not None
    keys = band_keys(found, even="2026-03-01", odd="119")
    assert len(set(keys)) == BANDS
    assert all(-(2**63) <= key < 2**63 for key in keys)
    other_total = band_keys(found, even="2026-03-01", odd="120")
    assert [a == b for a, b in zip(keys, other_total, strict=True)] == [True, False] * 6
