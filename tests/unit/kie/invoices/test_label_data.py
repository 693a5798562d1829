"""The label files of the twelve languages: complete, well formed, not at odds with each other."""

from __future__ import annotations

from collections import Counter
from importlib.resources import files

import pytest
import yaml

from lib.kie.lexicon import LabelKind, load_lexicon

LANGUAGES = ["de", "en", "es", "fr", "id", "it", "ms", "nl", "pl", "pt", "ru", "sv"]
SECTIONS = ["document_types", "fields", "cues", "columns"]


def content(language: str) -> dict[str, dict[str, list[str]]]:
    text = (files("lib.kie") / "lexicons" / f"{language}.yaml").read_text(encoding="utf-8")
    return yaml.load(text, Loader=yaml.CSafeLoader)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_names_the_same_things(language: str) -> None:
    english, own = content("en"), content(language)
    assert own["language"] == language
    assert {s: set(own[s]) for s in SECTIONS} == {s: set(english[s]) for s in SECTIONS}


@pytest.mark.parametrize("language", LANGUAGES)
def test_phrases_are_lower_case_without_colon_and_listed_once(language: str) -> None:
    own = content(language)
    for section in SECTIONS:
        for name, phrases in own[section].items():
            assert phrases, (section, name)
            assert [p for p in phrases if p != p.lower() or p.endswith(":")] == [], name
            assert [p for p, count in Counter(phrases).items() if count > 1] == [], name


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("Rechnungs-Nr.", "document_number"),
        ("N° de facture", "document_number"),
        ("Nº de factura", "document_number"),
        ("Numero fattura", "document_number"),
        ("Factuurnummer", "document_number"),
        ("Número da fatura", "document_number"),
        ("Numer faktury", "document_number"),
        ("No. Invois", "document_number"),
        ("Nomor Faktur", "document_number"),
        ("Счет на оплату №", "document_number"),
        ("Invoice No.", "document_number"),
        ("Zahlbar bis", "due_date"),
        ("Date d'échéance", "due_date"),
        ("Vencimiento", "due_date"),
        ("Scadenza", "due_date"),
        ("Vervaldatum", "due_date"),
        ("Data de vencimento", "due_date"),
        ("Termin płatności", "due_date"),
        ("Jatuh Tempo", "due_date"),
        ("Срок оплаты", "due_date"),
    ],
)
def test_usual_labels_are_known(text: str, field: str) -> None:
    matches = load_lexicon().find(text)
    assert len(matches) == 1
    assert field in matches[0].names(LabelKind.FIELD)
