"""An e-invoice's XML to fields and tables, exactly as written; the root tells the syntax."""

from __future__ import annotations

from lib.domain.source import EInvoice
from lib.einvoice.cii import is_cii, read_cii
from lib.einvoice.nodes import parse_xml
from lib.einvoice.ubl import is_ubl, read_ubl

# UN/CEFACT Standard Business Document Header: the envelope in which the Peppol network sends.
_ENVELOPE = "StandardBusinessDocument"
_ROOT_NAMES = "Invoice|CreditNote|CrossIndustryInvoice"


def read_einvoice(xml: bytes) -> EInvoice | None:
    """The invoice in a CII or UBL document (EN 16931 and its predecessors); None for other XML.

    Raises `unreadable_document` for bytes that are no well-formed XML or declare a document type.
    """
    root = parse_xml(xml)
    if root.name == _ENVELOPE:
        root = next((part for part in root.all(_ROOT_NAMES)), root)
    if is_cii(root):
        return read_cii(root)
    if is_ubl(root):
        return read_ubl(root)
    return None
