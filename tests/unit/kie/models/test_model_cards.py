"""Model cards: the shipped ones, which one a name picks, and one clear line for a wrong one."""

from dataclasses import asdict
from pathlib import Path

import pytest
import yaml
from scripted_inference import CONFIGS, shipped_cards

from lib.domain.extraction import ModelWeights
from lib.errors import Error
from lib.kie.models.card import Dialect
from lib.kie.models.card_files import load_cards

CARD = """
id: {id}
dialect: chat
generic: {generic}
prompt: chat_fields_v1.yaml
limits: {{pages: 4, context_tokens: 8192, answer_tokens: 2048}}
image: {{dpi: 130, max_pixels: 1200000}}
price_per_hour: 1.0
source: here
licence: ours
"""

WEIGHTS = {"fitted_on": "300 answers to 60 documents of a set"} | asdict(ModelWeights(bias=-2.5))


@pytest.mark.parametrize(
    ("name", "card"),
    [
        ("Qwen/Qwen2.5-VL-7B-Instruct", "qwen-vl"),
        ("Qwen/Qwen3-VL-8B-Instruct", "qwen-vl"),
        ("qwen/qwen2.5-vl-72b-instruct-awq", "qwen-vl"),
        ("nanonets/Nanonets-OCR-s", "nanonets-ocr"),
        ("Snowflake/snowflake-arctic-tilt-v1.3", "arctic-tilt"),
        ("/workspace/models/snowflake-arctic-tilt-v1.3", "arctic-tilt"),
        ("mock", "mock-chat"),
        ("mock-tilt", "mock-tilt"),
        ("OpenGVLab/InternVL3-8B", "generic-chat"),
        ("Qwen/Qwen2.5-7B-Instruct", "generic-chat"),
    ],
)
def test_a_served_name_picks_its_card(name: str, card: str) -> None:
    assert shipped_cards().for_model(name).id == card


def test_an_exact_name_goes_before_a_family(tmp_path: Path) -> None:
    generic = CARD.format(id="any", generic="true")
    family = CARD.format(id="family", generic="false") + 'families: ["acme/*"]\n'
    longer = CARD.format(id="longer", generic="false") + 'families: ["acme/reader-*"]\n'
    exact = CARD.format(id="exact", generic="false") + "served_names: [acme/reader-1]\n"
    cards = _loaded(tmp_path, {"any": generic, "family": family, "longer": longer, "exact": exact})
    names = ("acme/reader-1", "acme/reader-2", "acme/writer", "other")
    assert [cards.for_model(name).id for name in names] == ["exact", "longer", "family", "any"]


def test_every_shipped_card_states_its_source_and_price() -> None:
    cards = shipped_cards().cards
    assert {card.dialect for card in cards} == {Dialect.CHAT, Dialect.TILT}
    for card in cards:
        assert card.source
        assert card.licence
        assert card.price_per_hour >= 0
        assert (card.price_per_hour == 0) == card.id.startswith("mock")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"limits": {"pages": 0, "context_tokens": 8192, "answer_tokens": 16}}, "`limits.pages`"),
        ({"temprature": 1}, "`temprature`"),
        ({"dialect": "telepathy"}, "`dialect`"),
        ({"served_names": ["a"], "generic": True}, "served_names"),
        ({"prompt": "../secret.yaml"}, "`prompt`"),
        ({"prompt": "missing.yaml"}, "missing.yaml"),
        ({"prompt": "tilt_questions_v1.yaml"}, "tilt_questions_v1.yaml"),
        ({"id": "other"}, "name the file other.yaml"),
        ({"confidence": {"fitted_on": "a set", "bias": 0.1}}, "`confidence.score`"),
        ({"confidence": WEIGHTS | {"rival": 1.0}}, "`confidence.rival`"),
        ({"confidence": WEIGHTS | {"bias": float("nan")}}, "`confidence.bias`"),
    ],
)
def test_a_wrong_card_is_refused_with_one_line(
    tmp_path: Path, change: dict[str, object], problem: str
) -> None:
    card = yaml.safe_load(CARD.format(id="any", generic="true")) | change
    with pytest.raises(Error) as refused:
        _loaded(tmp_path, {"any": yaml.safe_dump(card)})
    assert problem in refused.value.message
    assert "\n" not in refused.value.message


def test_a_card_has_the_weights_of_its_models_confidence_or_those_by_judgement(
    tmp_path: Path,
) -> None:
    card = yaml.safe_load(CARD.format(id="any", generic="true"))
    plain = _loaded(tmp_path, {"any": yaml.safe_dump(card)})
    assert plain.cards[0].weights == ModelWeights()
    measured = _loaded(tmp_path, {"any": yaml.safe_dump(card | {"confidence": WEIGHTS})})
    assert measured.cards[0].weights == ModelWeights(bias=-2.5)


def test_there_is_exactly_one_generic_card(tmp_path: Path) -> None:
    two = {name: CARD.format(id=name, generic="true") for name in ("one", "two")}
    with pytest.raises(Error, match="exactly one card"):
        _loaded(tmp_path, two)


def test_two_cards_are_not_for_one_name(tmp_path: Path) -> None:
    cards = {
        name: CARD.format(id=name, generic="false") + "served_names: [acme/reader]\n"
        for name in ("one", "two")
    }
    with pytest.raises(Error, match="two cards are for `acme/reader`"):
        _loaded(tmp_path, cards)


def _loaded(folder: Path, cards: dict[str, str]):  # type: ignore[no-untyped-def]
    for name, text in cards.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return load_cards(folder, CONFIGS / "prompts")
