"""XML without surprises: a parser that fetches and expands nothing, and look-ups by local name."""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

from lib.errors import Error, Kind


class Node:
    """An element, or the absence of one: looking below an absent node finds absent nodes.

    Steps are local names, because the syntaxes' versions differ in namespaces; `A|B` takes either.
    """

    __slots__ = ("_element",)

    def __init__(self, element: etree._Element | None) -> None:
        self._element = element

    def __bool__(self) -> bool:
        return self._element is not None

    @property
    def name(self) -> str:
        """The local name; empty for an absent node."""
        return "" if self._element is None else etree.QName(self._element).localname

    @property
    def namespace(self) -> str:
        """The namespace; empty for none or an absent node."""
        return "" if self._element is None else etree.QName(self._element).namespace or ""

    @property
    def text(self) -> str:
        """The element's own text, white space collapsed."""
        return "" if self._element is None else " ".join((self._element.text or "").split())

    def attribute(self, name: str) -> str:
        """An attribute's value, stripped; empty where it is missing."""
        return "" if self._element is None else (self._element.get(name) or "").strip()

    def all(self, *steps: str) -> Iterator[Node]:
        """Every element on that path, in document order."""
        if self._element is None:
            return
        if not steps:
            yield self
            return
        wanted = steps[0].split("|")
        for child in self._element:
            if etree.QName(child).localname in wanted:
                yield from Node(child).all(*steps[1:])

    def first(self, *steps: str) -> Node:
        """The first element on that path that has text or children, else an absent node."""
        for node in self.all(*steps):
            if node.text or len(node._element if node._element is not None else ()):
                return node
        return Node(None)

    def value(self, *steps: str) -> str:
        """The text of the first element on that path that is not empty."""
        return next((node.text for node in self.all(*steps) if node.text), "")


def parse_xml(data: bytes) -> Node:
    """The root of a document.

    Raises `unreadable_document` where the XML is not well-formed, nested or long beyond libxml2's
    limits, or has a document type declaration: no invoice syntax uses one.
    """
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        recover=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise unreadable("not_well_formed") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise unreadable("document_type_declaration")
    return Node(root)


def unreadable(reason: str) -> Error:
    """The XML cannot be read; `reason` is a stable word."""
    return Error(
        "unreadable_document",
        Kind.UNPROCESSABLE,
        "The XML cannot be read.",
        {"reason": reason},
    )
