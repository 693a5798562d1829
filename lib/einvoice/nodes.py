"""XML without surprises: read without fetching or expanding anything, and written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

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


# What XML 1.0 (section 2.2) has no way to express.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Branch:
    """An element that is being written. Names are `prefix:local`, of the root's namespaces."""

    __slots__ = ("_element", "_namespaces")

    def __init__(self, element: etree._Element, namespaces: Mapping[str, str]) -> None:
        self._element = element
        self._namespaces = namespaces

    @classmethod
    def root(cls, name: str, namespaces: Mapping[str, str], default: str | None = None) -> Branch:
        """A document's root; `default` is the prefix whose namespace is declared without one."""
        declared: dict[str | None, str] = {}
        for prefix, uri in namespaces.items():
            declared[None if prefix == default else prefix] = uri
        # The stubs do not know lxml's None, which declares a namespace without a prefix.
        element = etree.Element(_qualified(name, namespaces), nsmap=declared)  # type: ignore[arg-type]
        return cls(element, namespaces)

    def branch(self, *names: str) -> Branch:
        """A new child, or with several names a descendant; gone if nothing comes of it."""
        element = self._element
        for name in names:
            element = etree.SubElement(element, _qualified(name, self._namespaces))
        return Branch(element, self._namespaces)

    def leaf(self, name: str, text: str | None, **attributes: str | None) -> None:
        """A new child with text; without text, nothing. Attributes that are None are left out."""
        if text is None or not (written := _NOT_XML.sub("", text).strip()):
            return
        element = etree.SubElement(self._element, _qualified(name, self._namespaces))
        element.text = written
        for key, value in attributes.items():
            if value is not None:
                element.set(key, value)

    def document(self, comment: str, keep: frozenset[str] = frozenset()) -> bytes:
        """The document in UTF-8, after a comment, without empty elements but those of `keep`."""
        kept = {_qualified(name, self._namespaces) for name in keep}
        for element in reversed(list(self._element.iter())):
            parent = element.getparent()
            is_empty = not len(element) and not element.text
            if is_empty and parent is not None and element.tag not in kept:
                parent.remove(element)
        if comment:
            # Two hyphens would end it, and one must not stand at its end.
            text = _NOT_XML.sub("", comment.replace("--", "- -"))
            self._element.addprevious(etree.Comment(f" {text} "))
        tree = self._element.getroottree()
        return etree.tostring(tree, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _qualified(name: str, namespaces: Mapping[str, str]) -> str:
    prefix, _, local = name.partition(":")
    return f"{{{namespaces[prefix]}}}{local}"


def unreadable(reason: str) -> Error:
    """The XML cannot be read; `reason` is a stable word."""
    return Error(
        "unreadable_document",
        Kind.UNPROCESSABLE,
        "The XML cannot be read.",
        {"reason": reason},
    )
