"""What a recogniser made of specks of dirt in names and addresses."""

import pytest

from lib.kie.specks import as_a_name, without_marks, without_specks


@pytest.mark.parametrize(
    ("text", "language", "plain"),
    [
        ("SETIA ÁLAM", "ms", "SETIA ALAM"),
        ("Totäl", "id", "Total"),
        ("Café Müller", "en", "Café Müller"),
        ("Über Straße", "de", "Über Straße"),
        ("SETIA ÁLAM", None, "SETIA ÁLAM"),
        ("Łódź", "en", "Łodz"),
    ],
)
def test_specks(text: str, language: str | None, plain: str) -> None:
    assert without_specks(text, language) == plain


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("GREEN_HILL TRADERS SDN~BHD", "GREEN HILL TRADERS SDN BHD"),
        ("12 MILL ROAD,'LEEDS", "12 MILL ROAD, LEEDS"),
        ('LOT P.T."2811', "LOT P.T. 2811"),
        ("Level'6, Mill House", "Level 6, Mill House"),
        ("WESTERN 'EASTERN LTD", "WESTERN EASTERN LTD"),
        ("40300 SHAH ALAM.. .", "40300 SHAH ALAM."),
        ("40300 SHAH ALAM,", "40300 SHAH ALAM,"),
        ("Fish 'n Chips", "Fish 'n Chips"),
        ("O'Neill's Bar", "O'Neill's Bar"),
        ('Pub "The Mill"', 'Pub "The Mill"'),
        ("Acme Corp. Ltd.", "Acme Corp. Ltd."),
    ],
)
def test_marks_that_mean_nothing(text: str, plain: str) -> None:
    assert without_marks(text) == plain


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("MR. B.1.G. (M) SDN BHD", "MR. B.I.G. (M) SDN BHD"),
        ("C.0.D. TRADING", "C.O.D. TRADING"),
        ("No.1 Noodles", "No.1 Noodles"),
        ("Green Hill Ltd (Co, No:", "Green Hill Ltd"),
        ("LE BISTROT (891", "LE BISTROT"),
        ("Green Hill (KL) Ltd", "Green Hill (KL) Ltd"),
        ("Green Hill (Kuala Lumpur", "Green Hill (Kuala Lumpur"),
    ],
)
def test_names(text: str, name: str) -> None:
    assert as_a_name(text) == name
