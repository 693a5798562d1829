"""Receipts typed as text, placed as a recogniser would: one line a row, two spaces part cells."""

import re

from lib.domain.document import Line, Page, PageSource, Word
from lib.domain.geometry import Polygon

COLUMNS, ROW_HEIGHT, LETTER_WIDTH = 44, 26, 11


def printed(
    text: str,
    *,
    tall: tuple[str, ...] = (),
    source: PageSource = PageSource.OCR,
    columns: int = COLUMNS,
) -> Page:
    """A page of the text's lines. Cells that hold one of `tall` are set twice as high."""
    rows = text.strip("\n").split("\n")
    width, height = columns * LETTER_WIDTH, max(600, (len(rows) + 2) * ROW_HEIGHT)
    lines = []
    for number, row in enumerate(rows):
        for cell in re.finditer(r"\S+(?: \S+)*", row):
            size = 40 if cell[0] in tall else 20
            middle = (number + 1) * ROW_HEIGHT
            words = []
            for word in re.finditer(r"\S+", cell[0]):
                x = (cell.start() + word.start()) * LETTER_WIDTH
                words.append(
                    Word(
                        word[0],
                        Polygon.from_box(
                            x / width,
                            (middle - size / 2) / height,
                            (x + len(word[0]) * LETTER_WIDTH) / width,
                            (middle + size / 2) / height,
                        ),
                        0.98,
                    )
                )
            lines.append(Line(tuple(words)))
    return Page(1, width, height, 0, source, tuple(lines))


MALAYSIAN = """
          KEDAI BUKU MAJU SDN BHD
                (123456-X)
          NO. 12, JALAN MAWAR 3,
               TAMAN INDAH,
          81100 JOHOR BAHRU, JOHOR.
             TEL: 07-355 1234
          GST ID: 000123456789
              TAX INVOICE
  Invoice No: CS00123
  Date: 09/01/2019             18:45:10
  Cashier: ANIS
  Item                Qty  Price  Amount
  EXERCISE BOOK A4     2    3.50    7.00
  BALL PEN BLUE        1    1.98    1.98
  Total Qty:           3            8.98
  Total Sales (Inclusive of GST):   8.98
  Rounding Adjustment:              0.02
  Total:                            9.00
  CASH                             10.00
  CHANGE                            1.00
  GST Summary       Amount(RM)   Tax(RM)
  SR @ 6%                 8.47      0.51
      THANK YOU, PLEASE COME AGAIN
"""

AMERICAN = """
               Blue Door Cafe
            310 N. Main Street
            Portland, OR 97212
              (503) 555-0142
        Thank you for dining with us!
  Server: Ana              Table: 12
  03/09/2018               7:42 PM
  2 Iced Tea                      $5.00
  1 House Burger                 $12.50
     no onions
  1 Apple Pie                     $6.00
  Subtotal                       $23.50
  Tax 8%                          $1.88
  Tip                             $4.00
  Total                          $29.38
  Visa                           $29.38
"""

GERMAN = """
             Bäckerei Sonne GmbH
              Lindenstraße 14
              50674 Köln
            Tel. 0221 123456
           USt-IdNr. DE123456788
  Bon-Nr. 4711        05.11.2013  08:12
                                    EUR
  Roggenbrot                       3,20 B
  2 x 1,10
  Laugenbrezel                     2,20 B
  Summe                            5,40
  Bar                             10,00
  Rückgeld                         4,60
  MwSt              Netto    Steuer
  B 7,00%            5,05      0,35
       Vielen Dank für Ihren Einkauf
"""
