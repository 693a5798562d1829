"""The network of receipts' heads: what it sees, how runs are decided, and the shipped file."""

import hashlib
import re
from importlib.resources import files

import numpy as np
import pytest
from printed_receipts import AMERICAN, GERMAN, MALAYSIAN, printed

from lib.kie.cpu_extractor import read_mentions
from lib.kie.lexicon import load_lexicon
from lib.kie.receipts.head_features import (
    ALPHABET,
    FEATURES,
    LONGEST_PIECE,
    head_features,
    letter_codes,
)
from lib.kie.receipts.head_network import MODEL, HeadNetwork, decide, shipped_head
from lib.kie.receipts.name_evidence import NAME_FEATURES
from lib.kie.receipts.pieces import head_pieces
from lib.kie.receipts.runs import LONGEST_ADDRESS, LONGEST_NAME, Run

FOLDER = files("lib.kie.receipts") / "models"
CERTAIN = np.float32(9)


def head_of(text: str):
    mentions = read_mentions([printed(text)], load_lexicon())
    return mentions, head_pieces(mentions)


def scored(count: int, name: Run | None, address: Run | None):
    """Scores of a head of `count` pieces in which one run of each kind stands out."""
    scores = np.full((count, 6), -CERTAIN, np.float32)
    for column, run in ((0, name), (3, address)):
        if run is not None:
            scores[run.first, column] = CERTAIN
            scores[run.first + 1 : run.last + 1, column + 1] = CERTAIN
            scores[run.last, column + 2] = CERTAIN
    none = np.array([0, 0], np.float32)
    names = runs(count, LONGEST_NAME)
    return scores, none, (names, np.zeros(len(names), np.float32)), runs(count, LONGEST_ADDRESS)


def runs(count: int, longest: int) -> list[Run]:
    return [Run(a, b) for a in range(count) for b in range(a, min(count, a + longest))]


def test_letters_are_told_apart_without_case_accents_and_digits() -> None:
    assert letter_codes("Ärger 12") == letter_codes("ARGER 98")
    assert len(set(letter_codes("ABYZ.,&Яж"))) == 9
    assert letter_codes("漢") == [1]
    assert len(letter_codes("x" * 99)) == LONGEST_PIECE
    assert letter_codes(ALPHABET[-1]) == [len(ALPHABET) + 1]


@pytest.mark.parametrize("text", [MALAYSIAN, AMERICAN, GERMAN])
def test_features_are_finite_and_shaped_as_the_network_takes_them(text: str) -> None:
    mentions, pieces = head_of(text)
    seen = head_features(mentions, pieces)
    assert seen.letters.shape == (len(pieces), LONGEST_PIECE)
    assert seen.numbers.shape == (len(pieces), len(FEATURES))
    assert seen.evidence.shape == (len(seen.names), len(NAME_FEATURES))
    assert np.isfinite(seen.numbers).all()
    assert np.isfinite(seen.evidence).all()
    assert np.abs(seen.numbers).max() < 20


def test_name_features_are_named_as_they_stand() -> None:
    mentions, pieces = head_of(MALAYSIAN)
    seen = head_features(mentions, pieces)
    said = dict(zip(NAME_FEATURES, seen.evidence[seen.names.index(Run(0, 0))], strict=True))
    assert said["ends with legal form"] == 1
    assert said["first that can be a name"] == 1
    assert said["two lines"] == 0
    assert said["capitals"] == 1


def test_runs_of_several_pieces_are_decided_as_a_whole() -> None:
    reading = decide(*scored(7, Run(0, 1), Run(2, 4)))
    assert reading.names.runs[0] == Run(0, 1)
    assert reading.addresses.runs[0] == Run(2, 4)
    assert reading.names.shares[0] > 0.99
    assert list(reading.names.shares) == sorted(reading.names.shares, reverse=True)


def test_none_is_an_answer() -> None:
    reading = decide(*scored(5, Run(0, 0), None))
    assert reading.names.runs[0] == Run(0, 0)
    assert reading.addresses.runs == ()


def test_an_address_holds_no_piece_of_the_name() -> None:
    reading = decide(*scored(4, Run(1, 1), Run(1, 2)))
    assert reading.names.runs[0] == Run(1, 1)
    assert not any(run.overlaps(Run(1, 1)) for run in reading.addresses.runs)


def test_evidence_turns_a_close_choice() -> None:
    scores, none, (names, evidence), addresses = scored(4, Run(0, 0), None)
    evidence[names.index(Run(2, 3))] = 100
    assert decide(scores, none, (names, evidence), addresses).names.runs[0] == Run(2, 3)


@pytest.mark.parametrize("foreign", ["03/04/2021", "Tea 8.40", "www.mill.example", "TAX INVOICE"])
def test_dates_prices_and_titles_are_part_of_no_address(foreign: str) -> None:
    mentions, pieces = head_of(f"Old Mill Ltd\n12 Mill Road\n{foreign}\nLeeds LS1 4DY")
    seen = head_features(mentions, pieces)
    assert Run(0, 1) in seen.addresses
    assert Run(1, 2) not in seen.addresses
    assert all(run.last - run.first < LONGEST_ADDRESS for run in seen.addresses)


def test_nothing_printed_is_nothing_read() -> None:
    mentions, pieces = head_of("")
    reading = shipped_head().read(mentions, pieces)
    assert (reading.names.runs, reading.addresses.runs) == ((), ())


def test_the_same_head_reads_the_same() -> None:
    mentions, pieces = head_of(GERMAN)
    assert shipped_head().read(mentions, pieces) == shipped_head().read(mentions, pieces)


def test_the_card_is_of_the_shipped_model() -> None:
    model = (FOLDER / MODEL).read_bytes()
    card = (FOLDER / MODEL.replace(".onnx", ".md")).read_text("utf-8")
    (digest,) = re.findall(r"`([0-9a-f]{64})`", card)
    assert digest == hashlib.sha256(model).hexdigest()
    assert len(model) < 10_000_000


def test_a_model_of_other_features_is_refused() -> None:
    model = (FOLDER / MODEL).read_bytes()
    with pytest.raises(ValueError, match="other features"):
        HeadNetwork(model.replace(b"ends with a comma", b"ends with a camel"))
