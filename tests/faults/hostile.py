"""Broken and hostile documents as bytes, each with what must become of it."""

from __future__ import annotations

from hostile_case import OPENS, UNREADABLE, Hostile, half
from hostile_files import FILES
from hostile_images import IMAGES, encoded, picture
from hostile_others import OTHERS
from hostile_pdfs import PDFS
from hostile_pictures import PICTURES
from hostile_structures import STRUCTURES


def hostile_documents() -> tuple[Hostile, ...]:
    """All of them."""
    cases = (*PDFS, *STRUCTURES, *IMAGES, *PICTURES, *_XMLS, *OTHERS, *_OTHERS, *FILES)
    return tuple(Hostile(*case) for case in cases)


def billion_laughs() -> bytes:
    """Entities that expand to gigabytes."""
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    return (
        f'<?xml version="1.0"?><!DOCTYPE Invoice [<!ENTITY e0 "lol">{levels}]>'
        '<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2">&e9;</Invoice>'
    ).encode()


def external_entity() -> bytes:
    """An entity that names a file of the server."""
    return (
        b'<?xml version="1.0"?><!DOCTYPE Invoice [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
        b'<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2" '
        b'xmlns:b="urn:b"><b:ID>&x;</b:ID></Invoice>'
    )


def external_subset() -> bytes:
    """A document type that lives on another host."""
    return (
        b'<?xml version="1.0"?><!DOCTYPE Invoice SYSTEM "http://192.0.2.1/invoice.dtd">'
        b'<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"/>'
    )


def ubl_invoice(body: str) -> bytes:
    """A UBL invoice with that content."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2" '
        'xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2">'
        f"{body}</Invoice>"
    ).encode()


_XMLS = (
    ("xml: billion laughs", billion_laughs, UNREADABLE),
    ("xml: external entity", external_entity, UNREADABLE),
    ("xml: external subset", external_subset, UNREADABLE),
    ("xml: 200,000 deep", lambda: ubl_invoice("<a>" * 200_000 + "</a>" * 200_000), UNREADABLE),
    (
        "xml: one text of 15 MB",
        lambda: ubl_invoice(f"<cbc:ID>{'a' * 15_000_000}</cbc:ID>"),
        UNREADABLE,
    ),
    (
        "xml: 100,000 lines",
        lambda: ubl_invoice("<cbc:InvoiceLine><cbc:ID>1</cbc:ID></cbc:InvoiceLine>" * 100_000),
        UNREADABLE,
    ),
    ("xml: cut in half", lambda: half(ubl_invoice("<cbc:ID>4711</cbc:ID>")), UNREADABLE),
    ("xml: number of 5,000 digits", lambda: ubl_invoice(f"<cbc:ID>{'9' * 5000}</cbc:ID>"), OPENS),
    (
        "xml: UTF-16",
        lambda: (
            ubl_invoice("<cbc:ID>1</cbc:ID>").decode().replace("UTF-8", "UTF-16").encode("utf-16")
        ),
        OPENS,
    ),
    (
        "xml: another vocabulary",
        lambda: b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>",
        "unsupported_media_type",
    ),
    (
        "xml: an order",
        lambda: b"<?xml version='1.0'?><SCRDMCCBDACIOMessageStructure/>",
        "unsupported_media_type",
    ),
    (
        "html",
        lambda: b"<!DOCTYPE html><html><body><p>Invoice<br></body></html>",
        "unsupported_media_type",
    ),
)

_OTHERS = (
    ("no bytes", lambda: b"", "empty_document"),
    ("zero bytes", lambda: bytes(1000), "unsupported_media_type"),
    ("white space", lambda: b" " * 1000, "unsupported_media_type"),
    ("gif", lambda: encoded(picture(), "GIF"), "unsupported_media_type"),
    ("zip", lambda: b"PK\x05\x06" + bytes(18), "unsupported_media_type"),
    ("text", lambda: b"BMW invoice 4711", "unsupported_media_type"),
    ("too many bytes", lambda: b"%PDF-1.7\n" + bytes(20_000_000), "payload_too_large"),
)
