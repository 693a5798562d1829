"""Scores of rivals as shares of belief."""

import pytest
from printed_receipts import AMERICAN, GERMAN, printed

from lib.kie.language import printed_language
from lib.kie.layout import lay_out
from lib.kie.lexicon import load_lexicon
from lib.kie.mentions import Mentions
from lib.kie.ranking import ranked, shares, weigh


def test_weigh_ignores_features_without_weight() -> None:
    assert weigh({"a": 2.0, "b": 1.0}, {"a": 1.5}) == 3.0


def test_shares_sum_to_one_with_none() -> None:
    assert sum(shares([1.0, 2.0, -700.0])) == pytest.approx(1.0)
    assert shares([0.0], none=0.0) == pytest.approx([0.5])
    assert shares([]) == []


def test_rivals_that_say_the_same_add_up() -> None:
    assert [index for index, _ in ranked([("a", 1.0), ("b", 1.2), ("a", 1.1)], none=-9)] == [2, 1]


def test_none_beats_weak_rivals() -> None:
    assert ranked([("a", 0.0), ("b", 0.0)], none=2.0) == []
    assert ranked([], none=0.0) == []


@pytest.mark.parametrize(("text", "language"), [(AMERICAN, "en"), (GERMAN, "de"), ("", None)])
def test_printed_language(text: str, language: str | None) -> None:
    assert printed_language(Mentions(lay_out([printed(text)]), load_lexicon())) == language
