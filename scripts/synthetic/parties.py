"""Invented companies, shops and people: names from word parts, addresses, numbers."""

from __future__ import annotations

import random
import unicodedata
from dataclasses import dataclass

from synthetic.identifiers import as_printed, filled, tax_id
from synthetic.places import Country


@dataclass(frozen=True)
class Party:
    """`tax_id` is `printed_tax_id` without separators; `registration` is label and number."""

    name: str
    address_lines: tuple[str, ...]
    country: str
    tax_id: str
    printed_tax_id: str
    tax_label: str
    registration: tuple[str, str] | None
    phone: str
    email: str
    website: str

    @property
    def address(self) -> str:
        return ", ".join(self.address_lines)


def _name(country: Country, chance: random.Random) -> str:
    parts = country.words["parts"]
    return str(chance.choice(parts["first"]) + chance.choice(parts["last"]))


def _address(country: Country, chance: random.Random) -> tuple[str, ...]:
    parts, facts = country.words["parts"], country.facts
    number = str(chance.randint(1, 180)) + chance.choice(("", "", "", "a", "B"))
    street = facts["street"].format(number=number, street=chance.choice(parts["street"]))
    town = chance.choice(parts["first"]) + chance.choice(parts["town"])
    city = facts["town"].format(
        postcode=filled(facts["postcode"], chance),
        town=town,
        region=chance.choice(facts.get("regions", [""])),
    )
    return (street, city)


def _domain(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    kept = "".join(letter.lower() if letter.isalnum() else "-" for letter in plain)
    return "-".join(part for part in kept.split("-") if part)[:24] or "office"


def _party(name: str, country: Country, chance: random.Random) -> Party:
    facts = country.facts
    domain = f"{_domain(name)}.example"
    register = facts["register"]
    number = as_printed(country.code, tax_id(country.code, chance), chance)
    return Party(
        name=name,
        address_lines=_address(country, chance),
        country=facts["country"],
        tax_id="".join(letter for letter in number if letter.isalnum()),
        printed_tax_id=number,
        tax_label=chance.choice(facts["tax_label"]),
        registration=(register[0], filled(register[1], chance)) if register else None,
        phone=filled(chance.choice(facts["phone"]), chance),
        email=f"{chance.choice(('info', 'office', 'sales', 'post'))}@{domain}",
        website=f"www.{domain}",
    )


def company(country: Country, chance: random.Random) -> Party:
    """A company with its legal form, before or behind its name as is usual."""
    words = [_name(country, chance)]
    if chance.random() < 0.7:
        words.append(chance.choice(country.words["parts"]["trade"]))
    form = chance.choice(country.facts["company"])
    words.insert(0 if country.facts.get("company_first") else len(words), form)
    return _party(" ".join(words), country, chance)


def person(country: Country, chance: random.Random) -> Party:
    return _party(chance.choice(country.words["parts"]["people"]), country, chance)


def shop(country: Country, chance: random.Random, *, food: bool) -> Party:
    """Whoever issues a receipt; every other one also prints a legal form."""
    pattern = chance.choice(country.words["shops"]["food" if food else "shop"])
    name = pattern.format(name=_name(country, chance))
    if chance.random() < 0.35:
        form = chance.choice(country.facts["company"])
        name = f"{form} {name}" if country.facts.get("company_first") else f"{name} {form}"
    return _party(name.upper() if chance.random() < 0.4 else name, country, chance)
