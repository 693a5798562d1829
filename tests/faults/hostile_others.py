"""Two types in one, types that are not taken, and XML with tricks in it."""

from __future__ import annotations

import gzip
import io
import json
import zipfile

from hostile_case import OPENS, UNREADABLE
from hostile_images import encoded, picture
from hostile_pdfs import sound_pdf

UBL = "urn:oasis:names:specification:ubl:schema:xsd"
UNSUPPORTED = "unsupported_media_type"


def zip_of(name: str, data: bytes) -> bytes:
    """An archive of one file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return out.getvalue()


def invoice(
    body: str = "", *, prolog: str = "", attributes: str = "", encoding: str = "UTF-8"
) -> bytes:
    """A UBL invoice with that content and an amount."""
    return (
        f'<?xml version="1.0" encoding="{encoding}"?>{prolog}'
        f'<Invoice xmlns="{UBL}:Invoice-2" xmlns:cbc="{UBL}:CommonBasicComponents-2" '
        f'xmlns:cac="{UBL}:CommonAggregateComponents-2" {attributes}>{body}</Invoice>'
    ).encode(encoding, "xmlcharrefreplace")


def total(text: str) -> bytes:
    """An invoice over that."""
    amount = f'<cbc:PayableAmount currencyID="EUR">{text}</cbc:PayableAmount>'
    return invoice(f"<cac:LegalMonetaryTotal>{amount}</cac:LegalMonetaryTotal>")


def dated(text: str) -> bytes:
    """An invoice of that day."""
    return invoice(f"<cbc:IssueDate>{text}</cbc:IssueDate>")


def numbered(text: str) -> bytes:
    """An invoice of that number."""
    return invoice(f"<cbc:ID>{text}</cbc:ID>")


def quadratic() -> bytes:
    """One long entity, named often."""
    prolog = f'<!DOCTYPE Invoice [<!ENTITY a "{"a" * 100_000}">]>'
    return invoice("&a;" * 10_000, prolog=prolog)


_PARAMETER = '<!DOCTYPE Invoice [<!ENTITY % p SYSTEM "http://192.0.2.1/p"> %p;]>'
_INCLUDE = '<x:include xmlns:x="http://www.w3.org/2001/XInclude" href="/etc/passwd"/>'
_ATTACHED = (
    '<cbc:EmbeddedDocumentBinaryObject mimeCode="application/pdf">{}'
    "</cbc:EmbeddedDocumentBinaryObject>"
)

OTHERS = (
    ("png: an archive as well", lambda: encoded(picture(), "PNG") + zip_of("a", b"b"), OPENS),
    ("pdf: an archive as well", lambda: sound_pdf() + zip_of("a", b"b"), OPENS),
    ("pdf: XML inside", lambda: b"%PDF-1.7\n" + numbered("1"), UNREADABLE),
    ("archive of a PDF", lambda: zip_of("a.pdf", sound_pdf()), UNSUPPORTED),
    ("archive that leads out", lambda: zip_of("../../etc/passwd", b"x"), UNSUPPORTED),
    ("gzip of a PDF", lambda: gzip.compress(sound_pdf()), UNSUPPORTED),
    ("a program of Linux", lambda: b"\x7fELF" + bytes(999), UNSUPPORTED),
    ("a program of Windows", lambda: b"MZ" + bytes(999), UNSUPPORTED),
    ("an old Word file", lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(999), UNSUPPORTED),
    ("rich text", lambda: rb"{\rtf1 Invoice}", UNSUPPORTED),
    ("PostScript", lambda: b"%!PS-Adobe-3.0\nshowpage\n", UNSUPPORTED),
    ("JSON", lambda: json.dumps({"total": 1}).encode(), UNSUPPORTED),
    ("a letter", lambda: b"From: a@example.com\nSubject: Invoice\n\nhello", UNSUPPORTED),
    ("a drawing", lambda: b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", UNSUPPORTED),
    ("xml: long entity, often", quadratic, UNREADABLE),
    ("xml: parameter entity of another host", lambda: invoice(prolog=_PARAMETER), UNREADABLE),
    ("xml: includes a file", lambda: invoice(_INCLUDE), OPENS),
    (
        "xml: a style sheet of another host",
        lambda: invoice(prolog='<?xml-stylesheet href="http://192.0.2.1/x"?>'),
        OPENS,
    ),
    (
        "xml: 100,000 attributes",
        lambda: invoice(attributes=" ".join(f'a{n}=""' for n in range(100_000))),
        OPENS,
    ),
    (
        "xml: 20,000 namespaces",
        lambda: invoice(attributes=" ".join(f'xmlns:n{n}="u{n}"' for n in range(20_000))),
        OPENS,
    ),
    ("xml: comment of 5 MB", lambda: invoice(f"<!--{'c' * 5_000_000}-->"), OPENS),
    ("xml: NUL", lambda: numbered("1\0"), UNREADABLE),
    ("xml: control character", lambda: numbered("&#1;"), UNREADABLE),
    ("xml: half a character", lambda: numbered("&#xD800;"), UNREADABLE),
    ("xml: from right to left", lambda: numbered("\u202e1174\u202c \u200b\ufeff\u2066x"), OPENS),
    ("xml: a thousand accents on a letter", lambda: numbered("Z" + "\u0301" * 1000), OPENS),
    (
        "xml: not in its encoding",
        lambda: b"<?xml version='1.0' encoding='UTF-8'?><a>\xff\xfe\xfd</a>",
        UNREADABLE,
    ),
    ("xml: UTF-32", lambda: numbered("1").decode().encode("utf-32"), OPENS),
    (
        "xml: an encoding nobody knows",
        lambda: numbered("1").replace(b"UTF-8", b"X-NONE"),
        UNREADABLE,
    ),
    ("xml: two roots", lambda: numbered("1") + b"<a/>", UNREADABLE),
    ("xml: total is no number", lambda: total("NaN"), OPENS),
    ("xml: total is infinite", lambda: total("INF"), OPENS),
    ("xml: total of 1e400", lambda: total("1e400"), OPENS),
    ("xml: total of 400 digits", lambda: total("9" * 400), OPENS),
    ("xml: total below nothing", lambda: total("-0.00"), OPENS),
    ("xml: day that is none", lambda: dated("0000-00-00"), OPENS),
    ("xml: day in the year 99999", lambda: dated("99999-12-31"), OPENS),
    ("xml: attachment of 8 MB", lambda: invoice(_ATTACHED.format("QUJD" * 2_000_000)), OPENS),
)
