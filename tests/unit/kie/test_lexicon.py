"""Finding label phrases in printed text: whole, glued, torn, misread."""

import pytest

from lib.kie.lexicon import Label, LabelKind, Lexicon, load_lexicon, skeleton


def label(kind: str, name: str, phrase: str, language: str = "en") -> Label:
    return Label(LabelKind(kind), name, language, phrase)


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return Lexicon(
        [
            label("fields", "total", "total"),
            label("fields", "total", "grand total"),
            label("fields", "total", "total incl. gst"),
            label("fields", "subtotal", "sub total"),
            label("fields", "due_date", "fällig am", "de"),
            label("fields", "total", "gesamt", "de"),
            label("cues", "change", "change"),
            label("cues", "item_count", "total items"),
            label("columns", "amount", "total"),
            label("document_types", "receipt", "receipt"),
        ]
    )


@pytest.mark.parametrize(
    ("text", "name", "matched"),
    [
        ("TOTAL: 12.50", "total", "TOTAL"),
        ("Grand Total RM 3.00", "total", "Grand Total"),
        ("GRANDTOTAL 3.00", "total", "GRANDTOTAL"),
        ("TOTALRM", "total", "TOTAL"),
        ("TOTAL12.50", "total", "TOTAL"),
        ("T0TA1", "total", "T0TA1"),
        ("Tota! 5.00", "total", "Tota"),
        ("Totel", "total", "Totel"),
        ("Subtotal", "subtotal", "Subtotal"),
        ("SUB-TOTAL", "subtotal", "SUB-TOTAL"),
        ("Total Incl GST", "total", "Total Incl GST"),
        ("FALLIG AM 3.4.", "due_date", "FALLIG AM"),
    ],
)
def test_finds_the_field(lexicon: Lexicon, text: str, name: str, matched: str) -> None:
    (match,) = lexicon.find(text)
    assert name in match.fields
    assert text[match.start : match.end] == matched


def test_longest_phrase_wins_and_keeps_all_its_meanings(lexicon: Lexicon) -> None:
    (match,) = lexicon.find("Total items")
    assert match.cues == {"item_count"}
    assert not match.fields
    (match,) = lexicon.find("Total")
    assert match.fields == {"total"}
    assert match.columns == {"amount"}


def test_several_phrases_left_to_right(lexicon: Lexicon) -> None:
    found = lexicon.find("Receipt total 5.00 change 1.00")
    assert [m.document_types or m.fields or m.cues for m in found] == [
        {"receipt"},
        {"total"},
        {"change"},
    ]


@pytest.mark.parametrize("text", ["totalitarian", "10.00", "subtle", "", "to tally", "gesamtheit"])
def test_parts_of_other_words_are_no_labels(lexicon: Lexicon, text: str) -> None:
    assert lexicon.find(text) == ()


def test_scores_say_how_well_the_phrase_was_spelled(lexicon: Lexicon) -> None:
    scores = [lexicon.find(text)[0].score for text in ("change", "grandtotalrm", "chanqe")]
    assert scores == [1.0, 0.9, 0.8]


def test_skeleton_makes_look_alikes_equal_but_leaves_numbers() -> None:
    assert skeleton("T0TA1") == skeleton("TOTAL") == skeleton("totai")
    assert skeleton("Modern") == skeleton("Modem")
    assert skeleton("10") == "10"
    assert skeleton("Größe") == "grosse"


def test_every_shipped_phrase_is_found_by_itself() -> None:
    lexicon = load_lexicon()
    assert "world" in lexicon.languages
    (match,) = lexicon.find("ACME GmbH")
    assert match.cues == {"legal_form"}


@pytest.mark.parametrize(
    "content",
    ["fields: {total: [total]}", "language: en\nfeilds: {}", "language: en\nfields: {total: [5]}"],
)
def test_a_file_that_breaks_the_schema_is_refused(tmp_path, content: str) -> None:
    (tmp_path / "en.yaml").write_text(content)
    with pytest.raises(ValueError, match=r"en\.yaml"):
        load_lexicon(tmp_path)
