"""Units as they are printed to codes of UN/ECE Recommendation 20 (BT-130)."""

from __future__ import annotations

import re

ONE = "C62"
"""A unit that is no more than a count of ones."""

_PRINTED = {
    "H87": "pc pcs pce piece pieces st stk stck stück stücke stueck pz pezzo pezzi pza pieza piezas"
    " ud uds unidad unidades un unidade unidades pièce pièces stuk stuks szt sztuka styk ks kos "
    " kpl",
    ONE: "one unit units einheit einheiten unité unités unità eenheid",
    "EA": "ea each je",
    "SET": "set sets satz kit",
    "PR": "pair pairs paar paire paires paio coppia par para",
    "HUR": "h hr hrs hour hours std stunde stunden heure heures ora ore hora horas uur uren godz",
    "MIN": "min mins minute minutes minuten minuti minutos",
    "DAY": "day days tag tage tg jour jours giorno giorni día días dia dias dag dagen dzień dni",
    "WEE": "week weeks woche wochen semaine semaines settimana settimane semana semanas weken",
    "MON": "month months monat monate mois mese mesi mes meses maand maanden mies miesiąc",
    "ANN": "year years jahr jahre an ans année années anno anni año años ano anos jaar rok",
    "KGM": "kg kilo kilogram kilogramm kilogramme chilogrammo",
    "GRM": "g gr gram gramm gramme grammo",
    "TNE": "t to tonne tonnen tonnes ton tonnellata",
    "LTR": "l ltr lt liter litre litres litro litri litros",
    "MLT": "ml milliliter millilitre",
    "MTR": "m mtr meter metre metres mètre mètres metro metri metros lfm",
    "CMT": "cm centimeter centimetre",
    "MMT": "mm millimeter millimetre",
    "KMT": "km kilometer kilometre kilomètre",
    "MTK": "m2 m² qm sqm mq",
    "MTQ": "m3 m³ cbm mc",
    "KWH": "kwh",
    "P1": "% percent prozent",
    "LS": "pauschal psch pausch lump lumpsum forfait forfettario",
    "XBX": "box boxes karton kartons carton cartons kiste",
    "XPK": "pack packs packung packungen pkg pk pck paket pakete paquet",
    "XRO": "roll rolls rolle rollen rouleau rotolo",
    "XBO": "bottle bottles flasche flaschen fl bouteille",
}  # fmt: skip
_CODES = {word: code for code, words in _PRINTED.items() for word in words.split()}
_CODE = re.compile(r"[A-Z0-9]{1,3}")
# `Unit(s)`, `Tag(e)`.
_PLURAL = re.compile(r"\(\w{1,3}\)")


def unit_code(printed: str | None, *, is_code: bool) -> str | None:
    """The code of a unit; None where it is not known.

    Nothing printed beside a quantity is a count of ones. `is_code`: it was read from XML, where a
    code is what it has to be.
    """
    if printed is None:
        return ONE
    if is_code:
        return printed if _CODE.fullmatch(printed) else None
    folded = _PLURAL.sub("", printed).casefold().strip(" .")
    if folded in _CODES:
        return _CODES[folded]
    return printed if printed in _PRINTED else None
