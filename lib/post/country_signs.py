"""Signs of a country as data: words for taxes and legal forms, postcodes, telephone numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml


@dataclass(frozen=True, slots=True)
class CountrySigns:
    """Patterns by what they speak for; `words` and the taxes are sought in lower-case text."""

    words: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]
    tax_without_name: re.Pattern[str]
    tax_with_name: re.Pattern[str]
    postcodes: Mapping[str, re.Pattern[str]]
    city_with_state: re.Pattern[str]
    north_american_phone: re.Pattern[str]


@cache
def country_signs() -> CountrySigns:
    """The signs of `country_signs.yaml`."""
    text = (files("lib.post") / "country_signs.yaml").read_text(encoding="utf-8")
    content = yaml.load(text, Loader=yaml.CSafeLoader)
    states = "|".join(content["states"])

    def pattern(source: str, flags: int = 0) -> re.Pattern[str]:
        return re.compile(source.format(states=states), flags)

    return CountrySigns(
        words=tuple((re.compile(w["pattern"]), tuple(w["countries"])) for w in content["words"]),
        tax_without_name=re.compile(content["tax_without_name"]),
        tax_with_name=re.compile(content["tax_with_name"]),
        postcodes={country: pattern(source) for country, source in content["postcodes"].items()},
        city_with_state=pattern(content["city_with_state"], re.MULTILINE),
        north_american_phone=pattern(content["north_american_phone"]),
    )
