"""Bases and taxes in rows of their own, beside other sums; tax numbers that look like phones."""

from drawn_pages import read

PAIRS = """
Tipografia Morandini S.r.l.
P.IVA 08467500644 - Tel. 0444 555 901

FATTURA n. 112/2026 del 20/03/2026

Imponibile 22%         851,00                      Totale imponibile                € 1.166,00
Imposta 22%            187,22                      Totale IVA                         € 199,82
Imponibile 4%          315,00                      Totale fattura                   € 1.365,82
Imposta 4%              12,60
"""


def test_a_tax_beside_another_sum_keeps_its_own_amount_and_base():
    rows = [{k: c.raw for k, c in row.items()} for row in read(PAIRS).tables["tax_lines"]]
    assert [row["amount"] for row in rows] == ["187,22", "12,60"]
    assert [row["base"] for row in rows] == ["851,00", "315,00"]


def test_a_tax_number_is_no_phone():
    assert [c.raw for c in read(PAIRS).fields["vendor_phone"]] == ["0444 555 901"]


def test_a_tax_number_is_no_postcode():
    letter = """
CHAUFFAGE DELVAUX SRL
Rue de Fer 87                                        Monsieur et Madame Lambert
5000 Namur                                           Avenue des Tilleuls 14
TVA BE 0466.742.521                                  5100 Jambes

FACTURE n° 26/00317                                  Namur, le 23 mars 2026

Total TVAC                                           3.489,89 EUR
"""
    (address, *_) = read(letter).fields["vendor_address"]
    assert "Namur" in address.raw
    assert "0466" not in address.raw
