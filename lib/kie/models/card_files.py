"""Reads the model cards of a folder and the prompts that they name, all of them, at start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from lib.errors import Error, Kind
from lib.kie.models.card import Dialect, ModelCard, pick_card
from lib.kie.models.prompts import ChatPrompt, TiltPrompt, load_prompt

_PROMPTS: Mapping[Dialect, type[ChatPrompt] | type[TiltPrompt]] = {
    Dialect.CHAT: ChatPrompt,
    Dialect.TILT: TiltPrompt,
}


@dataclass(frozen=True, slots=True)
class ModelCards:
    """Every card, and the prompt of each by its id."""

    cards: tuple[ModelCard, ...]
    prompts: Mapping[str, ChatPrompt | TiltPrompt]

    def for_model(self, served_name: str) -> ModelCard:
        """The card of a served name: exact, by family, or the generic one."""
        card = pick_card(self.cards, served_name)
        if card is None:
            raise _invalid("configs/models", "holds no card with `generic: true`")
        return card


def load_cards(models: Path, prompts: Path) -> ModelCards:
    """The cards in `models/*.yaml` with their prompts in `prompts`.

    Raises `invalid_model_card` or `invalid_prompt`, one line each: a file that is not valid YAML,
    a value out of range, an unknown key, two cards for one name, or not exactly one generic card.
    """
    cards: list[ModelCard] = []
    for path in sorted(models.glob("*.yaml")):
        card = _card(path)
        if card.id != path.stem:
            raise _invalid(path.name, f"holds card `{card.id}`; name the file {card.id}.yaml")
        cards.append(card)
    names = [n.casefold() for card in cards for n in (*card.served_names, *card.families)]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise _invalid(models.name, f"two cards are for `{twice[:100]}`")
    if sum(card.generic for card in cards) != 1:
        raise _invalid(models.name, "needs exactly one card with `generic: true`")
    loaded = {card.id: load_prompt(prompts / card.prompt, _PROMPTS[card.dialect]) for card in cards}
    return ModelCards(tuple(cards), loaded)


def _card(path: Path) -> ModelCard:
    try:
        source: Any = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        return ModelCard.model_validate(source)
    except (OSError, UnicodeDecodeError):
        raise _invalid(path.name, "cannot be read as UTF-8 text") from None
    except yaml.YAMLError:
        raise _invalid(path.name, "is not valid YAML") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the card"
        message = first["msg"].removeprefix("Value error, ")
        raise _invalid(path.name, f"`{where}`: {message}") from None


def _invalid(file: str, problem: str) -> Error:
    return Error("invalid_model_card", Kind.INTERNAL, f"Model card {file}: {problem}.")
