"""Invented tax numbers, IBANs and BICs whose check digits hold (python-stdnum verifies them)."""

from __future__ import annotations

import random
from collections.abc import Callable
from importlib import import_module

from stdnum import iban as iban_number

TRIES = 40_000  # the rarest number is right once in 970 draws
# country: (stdnum module, pattern as `filled` takes it)
TAX_IDS = {
    "GB": ("stdnum.gb.vat", "GB#########"),
    "DE": ("stdnum.de.vat", "DE#########"),
    "AT": ("stdnum.at.uid", "ATU########"),
    "CH": ("stdnum.ch.vat", "CHE#########MWST"),
    "FR": ("stdnum.fr.tva", "FR###########"),
    "BE": ("stdnum.be.vat", "BE0#########"),
    "ES": ("stdnum.es.cif", "B########"),
    "MX": ("stdnum.mx.rfc", "@@@##0#1####"),
    "IT": ("stdnum.it.iva", "IT0##########"),
    "NL": ("stdnum.nl.btw", "NL#########B01"),
    "PT": ("stdnum.pt.nif", "PT5########"),
    "BR": ("stdnum.br.cnpj", "########0001##"),
    "PL": ("stdnum.pl.nip", "PL##########"),
    "RU": ("stdnum.ru.inn", "77########"),
    "AU": ("stdnum.au.abn", "###########"),
    "IN": ("stdnum.in_.gstin", "27AA@C@####@1Z#"),
    "CA": ("stdnum.ca.bn", "#########RT0001"),
    "SG": ("stdnum.sg.uen", "20#######@"),
}
UNCHECKED = {
    "MY": ("W10-####-########", "00##########"),
    "ID": ("0#.###.###.#-0##.000",),
    "US": ("##-#######",),
}
IBAN_BODIES = {
    "GB": "@@@@##############",
    "DE": "##################",
    "AT": "################",
    "CH": "#################",
    "BE": "############",
    "NL": "@@@@##########",
    "PL": "########################",
    "PT": "#####################",
    "IT": "@##########000000######",
    "FR": "#######################",
    "ES": "####################",
}


def filled(pattern: str, chance: random.Random) -> str:
    """`#` becomes a digit and `@` a capital letter."""
    return "".join(
        str(chance.randrange(10))
        if sign == "#"
        else chance.choice("ABCDEFGHKLMNPRSTUVW")
        if sign == "@"
        else sign
        for sign in pattern
    )


def tax_id(country: str, chance: random.Random) -> str:
    """A number in compact form; valid where its country has a check."""
    if country in UNCHECKED:
        return filled(chance.choice(UNCHECKED[country]), chance)
    module, pattern = TAX_IDS[country]
    return _searched(pattern, import_module(module).is_valid, chance)


def as_printed(country: str, number: str, chance: random.Random) -> str:
    """Compact on one document, in its country's groups on another."""
    if country in UNCHECKED or chance.random() < 0.5:
        return number
    module = import_module(TAX_IDS[country][0])
    if hasattr(module, "format"):
        return str(module.format(number))
    if country in {"DE", "FR", "ES", "AT"} or not number.startswith(country):
        return number
    return f"{country} {number[len(country) :]}"


def _searched(pattern: str, valid: Callable[[str], bool], chance: random.Random) -> str:
    for _ in range(TRIES):
        number = filled(pattern, chance)
        if valid(number):
            return number
    raise ValueError(f"no valid number found for {pattern}")


def iban(country: str, chance: random.Random) -> str | None:
    """An IBAN with its check digits, and those within it where the country has some."""
    if country not in IBAN_BODIES:
        return None
    for _ in range(TRIES):
        body = filled(IBAN_BODIES[country], chance)
        number = iban_number.calc_check_digits(f"{country}00{body}")
        whole = f"{country}{number}{body}"
        if iban_number.is_valid(whole):
            return whole
    raise ValueError(f"no valid IBAN found for {country}")


def bic(country: str, chance: random.Random) -> str:
    """Four letters of a bank, the country, two signs of a place."""
    return filled(f"@@@@{country}@#", chance) + chance.choice(("", "XXX"))
