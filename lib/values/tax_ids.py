"""Tax and company registration numbers in text, by their national formats, labels and checksums."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache

from stdnum.util import get_cc_module

from lib.values.matches import IdentifierMatch
from lib.values.text import fold_width

# Formats of VAT numbers after their country prefix (European Commission, VIES FAQ, question 11).
_EU_FORMATS = {
    "AT": r"U\d{8}", "BE": r"[01]?\d{9}", "BG": r"\d{9,10}", "CY": r"\d{8}[A-Z]", "CZ": r"\d{8,10}",
    "DE": r"\d{9}", "DK": r"\d{8}", "EE": r"\d{9}", "EL": r"\d{9}", "ES": r"[A-Z0-9]\d{7}[A-Z0-9]",
    "FI": r"\d{8}", "FR": r"[A-Z0-9]{2}\d{9}", "HR": r"\d{11}", "HU": r"\d{8}",
    "IE": r"\d[A-Z0-9]\d{5}[A-Z]{1,2}", "IT": r"\d{11}", "LT": r"\d{9}(?:\d{3})?", "LU": r"\d{8}",
    "LV": r"\d{11}", "MT": r"\d{8}", "NL": r"\d{9}B\d{2}", "PL": r"\d{10}", "PT": r"\d{9}",
    "RO": r"\d{6,10}", "SE": r"\d{12}", "SI": r"\d{8}", "SK": r"\d{10}", "GB": r"\d{9}(?:\d{3})?",
    "XI": r"\d{9}(?:\d{3})?", "CHE": r"\d{9}",
}  # fmt: skip

_VAT_PREFIXED = re.compile(
    rf"(?<![^\W_])({'|'.join(sorted(_EU_FORMATS, key=len, reverse=True))})[ .:-]{{0,2}}"
    r"([A-Z0-9](?:[ .-]?[A-Z0-9]){5,13})(?![^\W_])"
)


@dataclass(frozen=True, slots=True)
class _Rule:
    """A national number; without `label` its format is telling; `module` is python-stdnum's."""

    country: str | None
    kind: str
    number: str
    label: str = ""
    module: tuple[str, str] | None = None
    pattern: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        introduction = (
            rf"(?:{self.label})[^\w]{{0,4}}(?:(?:no|nr|num|number|id|reg)\b[^\w]{{0,3}}){{0,2}}"
            if self.label
            else ""
        )
        pattern = re.compile(rf"(?<![^\W_]){introduction}({self.number})(?![^\W_])", re.IGNORECASE)
        object.__setattr__(self, "pattern", pattern)


_D = r"[ .\-/]?"  # what may stand between groups of digits


def _digits(*groups: int) -> str:
    return _D.join(rf"\d{{{n}}}" for n in groups)


_RULES = (
    _Rule("NO", "mva", r"(?:NO[ -]?)?\d{3} ?\d{3} ?\d{3} ?MVA", module=("no", "mva")),
    _Rule("IN", "gstin", r"\d{2}[A-Z]{5}\d{4}[A-Z][1-9A-Z]Z[0-9A-Z]", module=("in_", "gstin")),
    _Rule("CA", "bn", r"\d{9} ?RT ?\d{4}", module=("ca", "bn")),
    _Rule("BR", "cnpj", r"\d{2}\.\d{3}\.\d{3}/\d{4}-\d{2}", module=("br", "cnpj")),
    _Rule("ID", "npwp", r"\d{2}\.\d{3}\.\d{3}\.\d-\d{3}\.\d{3}", module=("id", "npwp")),
    _Rule("MY", "sst", r"[A-Z]\d{2} ?- ?\d{4} ?- ?\d{8}"),
    _Rule("AR", "cuit", r"(?:20|23|24|27|30|33|34)-\d{8}-\d", module=("ar", "cuit")),
    _Rule("CL", "rut", r"\d{1,2}\.\d{3}\.\d{3}-[\dK]", module=("cl", "rut")),
    _Rule("FR", "siret", _digits(3, 3, 3, 5), r"siret", ("fr", "siret")),
    _Rule("FR", "siren", _digits(3, 3, 3), r"siren|rcs(?: [a-zéè\-]+)?", ("fr", "siren")),
    _Rule("DE", "idnr", _digits(2, 3, 3, 3),
          r"(?:steuer-?)?id(?:entifikations)?-?(?:nr|nummer)", ("de", "idnr")),
    _Rule("DE", "stnr", r"\d{2,3}[ /]\d{3,4}[ /]\d{4,5}",
          r"st(?:euer)?\.?[ -]?(?:nr|nummer)", ("de", "stnr")),
    _Rule("IT", "piva", r"\d{11}", r"p(?:artita|art)?\.? ?i\.?v\.?a\.?", ("it", "iva")),
    _Rule("IT", "codice_fiscale", r"\d{11}|[A-Z]{6}\d{2}[A-Z]\d{2}[A-Z]\d{3}[A-Z]",
          r"cod(?:ice|\.) ?fisc(?:ale|\.)|c\.? ?f\.", ("it", "codicefiscale")),
    _Rule("PL", "nip", _digits(3, 3, 2, 2) + "|" + _digits(3, 2, 2, 3), r"nip", ("pl", "nip")),
    _Rule("PT", "nif", _digits(3, 3, 3), r"nipc|contribuinte|n\.?i\.?f\.?", ("pt", "nif")),
    _Rule("ES", "nif", r"[A-Z]-?\d{8}|[A-Z]-?\d{7}-?[A-Z]|\d{8}-?[A-Z]",
          r"n\.?i\.?f\.?|c\.?i\.?f\.?", ("es", "nif")),
    _Rule("NL", "btw", r"\d{4}\.?\d{2}\.?\d{3}\.?B\.?\d{2}", r"btw", ("nl", "btw")),
    _Rule("AU", "abn", _digits(2, 3, 3, 3), r"a\.?b\.?n\.?", ("au", "abn")),
    _Rule("US", "ein", r"\d{2}-\d{7}", r"f?ein|tax ?id|federal(?: tax)? id", ("us", "ein")),
    _Rule("CA", "bn", r"\d{9}", r"[gh]st(?:/hst)?|tps|bn", ("ca", "bn")),
    _Rule("GB", "vat", _digits(3, 4, 2), r"vat(?: reg(?:istration|\.)?)?", ("gb", "vat")),
    _Rule("RU", "inn", r"\d{12}|\d{10}", r"инн", ("ru", "inn")),
    _Rule("BR", "cnpj", r"\d{14}", r"cnpj", ("br", "cnpj")),
    _Rule("ID", "npwp", r"\d{15,16}", r"npwp", ("id", "npwp")),
    _Rule("MX", "rfc", r"[A-ZÑ&]{3,4}-?\d{6}-?[A-Z0-9]{3}", r"r\.?f\.?c\.?", ("mx", "rfc")),
    _Rule("CL", "rut", r"\d{7,8}-[\dK]", r"r\.?u\.?t\.?", ("cl", "rut")),
    _Rule("CO", "nit", r"\d{3}\.?\d{3}\.?\d{3}-?\d", r"n\.?i\.?t\.?", ("co", "nit")),
    _Rule("PE", "ruc", r"\d{11}", r"r\.?u\.?c\.?", ("pe", "ruc")),
    _Rule("SG", "uen", r"\d{8,9}[A-Z]|[TRS]\d{2}[A-Z]{2}\d{4}[A-Z]",
          r"uen|(?:co\.?|gst) ?reg", ("sg", "uen")),
    _Rule("SG", "gst", r"M[0-9R]-?\d{7}-?[0-9A-Z]", r"gst(?: ?reg)?"),
    _Rule("DK", "cvr", _digits(2, 2, 2, 2), r"cvr(?:/se)?", ("dk", "cvr")),
    _Rule("FI", "ytunnus", r"\d{7}-\d", r"y-?tunnus", ("fi", "ytunnus")),
    _Rule("SE", "orgnr", r"\d{6}-\d{4}", r"org\.? ?-?", ("se", "orgnr")),
    _Rule("CH", "uid", r"CHE" + _D + _digits(3, 3, 3), "", ("ch", "uid")),
    _Rule("AT", "uid", r"ATU ?\d{8}", "", ("at", "uid")),
    _Rule("MY", "gst", r"\d{12}", r"g[s5]t(?: ?(?:reg|id))?"),
)  # fmt: skip

# A number after a word for tax, where no country's rule knows it.
_LABELLED = re.compile(
    r"(?<![^\W_])(?:vat|tax|gst|sst|ust|ut?id|mwst|tva|iva|btw|tin|npwp|nif|cif|nip)\b"
    r"[\w .\-/]{0,18}?(?:(?:no|nr|n°|num|number|nummer|id|reg|ident|idnr)\b\.?|[:#]) ?[:#]? ?"
    r"((?=(?:[A-Z\-]*\d){6})[A-Z0-9][A-Z0-9./\-]{5,19})(?![^\W_])",
    re.IGNORECASE,
)


def find_tax_ids(text: str) -> tuple[IdentifierMatch, ...]:
    """Tax ids and company registration numbers, from left to right, none inside another.

    `value` keeps a printed country prefix and has no spaces or punctuation. `valid` says that the
    country's checksum holds; numbers without a public checksum are not valid. `country` is None for
    a number that only a word for tax introduces.
    """
    folded = fold_width(text)
    if sum(map(str.isdigit, folded)) < 6:
        return ()
    found = _prefixed(folded)
    for rule in _RULES:
        for match in rule.pattern.finditer(folded):
            start, end = match.span(1)
            if not any(start < m.end and m.start < end for m in found if m.valid):
                value = compact(match[1])
                found.append(
                    IdentifierMatch(
                        start, end, value, _valid(rule.module, match[1]), rule.country, rule.kind
                    )
                )
    for match in _LABELLED.finditer(folded):
        start, end = match.span(1)
        found.append(IdentifierMatch(start, end, compact(match[1]), False, None, "tax_id"))
    return _best(found)


def compact(printed: str) -> str:
    """An identifier without spaces and punctuation, in capitals."""
    return re.sub(r"[\s.\-/:]", "", printed).upper()


def _prefixed(folded: str) -> list[IdentifierMatch]:
    """VAT numbers that start with a country's prefix; overlong runs are cut at a group."""
    found: list[IdentifierMatch] = []
    for match in _VAT_PREFIXED.finditer(folded):
        prefix, rest, start = match[1], match[2], match.start(2)
        country = {"EL": "GR", "CHE": "CH", "XI": "GB"}.get(prefix, prefix)
        for cut in _cuts(rest):
            number = compact(rest[:cut])
            if re.fullmatch(_EU_FORMATS[prefix], number):
                module = (
                    ("gb", "vat")
                    if prefix == "XI"
                    else ("ch", "uid")
                    if prefix == "CHE"
                    else (country.lower(), "vat")
                )
                valid = _valid(module, prefix + number if prefix != "XI" else number)
                found.append(
                    IdentifierMatch(
                        match.start(), start + cut, prefix + number, valid, country, "vat"
                    )
                )
                break
    return found


def _cuts(text: str) -> list[int]:
    """Where the text may end: at its end, or before a separator, longest first."""
    return [len(text), *sorted((m.start() for m in re.finditer(r"[ .-]", text)), reverse=True)]


def _best(found: list[IdentifierMatch]) -> tuple[IdentifierMatch, ...]:
    """Of overlapping finds the valid one, then the one with a country, then the longest."""
    ranked = sorted(found, key=lambda m: (not m.valid, m.country is None, m.start - m.end))
    kept: list[IdentifierMatch] = []
    for match in ranked:
        if not any(match.start < other.end and other.start < match.end for other in kept):
            kept.append(match)
    return tuple(sorted(kept, key=lambda m: m.start))


@cache
def _valid(module: tuple[str, str] | None, printed: str) -> bool:
    """Whether the country's checksum holds; False where there is none."""
    if module is None:
        return False
    checker = get_cc_module(*module)
    return bool(checker and checker.is_valid(printed))
