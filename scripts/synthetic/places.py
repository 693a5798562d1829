"""Countries and languages as their data files describe them; how money and dates are written."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import yaml
from babel.dates import format_date

from synthetic.styles import DEVELOPMENT, labels_of

NET = re.compile(r"\b(HT|netto|Netto|Net|neto|excl)\b")  # words of the label files
DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Country:
    """`facts` are the entries of countries.yaml, `words` those of the language's file."""

    code: str
    facts: dict[str, Any]
    words: dict[str, Any]

    @property
    def language(self) -> str:
        return str(self.facts["language"])

    @property
    def currency(self) -> str:
        return str(self.facts["currency"])

    @property
    def rates(self) -> list[Decimal]:
        return [Decimal(str(rate)) for rate in self.facts["rates"]]

    def round(self, value: Decimal) -> Decimal:
        """To the smallest unit of the currency, half up."""
        return value.quantize(Decimal(1).scaleb(-self.facts["digits"]), ROUND_HALF_UP)

    def price(self, euros: Decimal) -> Decimal:
        """A price of the country that is worth about so much; whole hundreds without decimals."""
        value = euros * Decimal(str(self.facts["scale"]))
        if self.facts["digits"] == 0:
            return (value / 500).quantize(Decimal(1), ROUND_HALF_UP) * 500
        return self.round(value)

    def number(self, value: Decimal, digits: int | None = None) -> str:
        """Grouped, with the country's decimal sign and the currency's decimals."""
        shown = self.facts["digits"] if digits is None else digits
        text = f"{value:,.{shown}f}"
        marks = {",": self.facts["group"], ".": self.facts["point"]}
        return "".join(marks.get(letter, letter) for letter in text)

    def quantity(self, value: Decimal) -> str:
        """As few decimals as it has, without grouping."""
        return f"{value.normalize():f}".replace(".", self.facts["point"])

    def with_sign(self, value: Decimal, sign: str) -> str:
        number = self.number(value)
        if not self.facts["sign_first"]:
            return f"{number} {sign}"
        return f"{sign}{number}" if len(sign) == 1 else f"{sign} {number}"

    def date(self, day: date, pattern: str) -> str:
        return str(format_date(day, pattern, locale=f"{self.language}"))


def load_countries() -> dict[str, Country]:
    """All countries by code, with the words of their languages."""
    described = _data("countries")
    words = {
        language: _data(language)
        for language in sorted({facts["language"] for facts in described.values()})
    }
    return {
        code: Country(code, facts, words[facts["language"]]) for code, facts in described.items()
    }


def _data(name: str) -> dict[str, Any]:
    # The reader in Python takes ten times as long.
    loaded: dict[str, Any] = yaml.load(
        (DATA / f"{name}.yaml").read_text("utf-8"), Loader=yaml.CSafeLoader
    )
    return loaded


@dataclass
class Words:
    """One document's choice of labels: each asked for once and then the same."""

    texts: dict[str, Any]
    chance: random.Random
    tax: str
    upper: bool = False
    split: str = DEVELOPMENT

    def __post_init__(self) -> None:
        self._chosen: dict[str, str] = {}

    def leave_out_net(self) -> None:
        """Drop labels that say `without tax`, where amounts hold the tax and a label is left."""
        kept = {
            key: [text for text in texts if not NET.search(text)] or texts
            for key, texts in self.texts.items()
        }
        self.texts = kept

    def __call__(self, key: str, **values: str) -> str:
        if key not in self._chosen:
            self._chosen[key] = self.chance.choice(labels_of(self.split, self.texts[key]))
        text = self._chosen[key].format(tax=self.tax, **values)
        return text.upper() if self.upper else text
