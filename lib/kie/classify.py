"""What a document is: receipt, invoice, credit note or other, by its words and its shape."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lib.domain.task import DocumentType
from lib.kie.invoices.address_blocks import is_postal_line
from lib.kie.layout import Layout
from lib.kie.lexicon import LabelMatch, Lexicon
from lib.kie.mentions import Mentions
from lib.kie.ranking import shares, weigh
from lib.values.identifiers import find_ibans

# Set by hand and in odds: positive speaks for a receipt, negative for an invoice.
RECEIPT_WEIGHTS = {
    "payment done": 1.5,
    "change given": 2.0,
    "time of day": 1.0,
    "narrow text": 2.0,
    "full page": -1.5,
    "tall page": 1.0,
    "few words": 1.0,
    "receipt named": 1.5,
    "tip or rounding": 1.0,
    "due date or terms": -2.5,
    "bank account": -2.5,
    "customer block": -2.0,
    "customer named": -0.6,
    "both parties named": -2.0,
    "customer addressed": -2.0,
    "person addressed": -4.0,
    "delivery or order": -1.0,
    "invoice named": -0.7,
    "credit note titled": -3.0,
    "two addresses": -1.5,
    "several pages": -3.0,
    "many words": -1.0,
    "bias": 0.0,
}
# A paper that names no sum, no tax and no document type is neither.
_FEWEST_SIGNS = 2
_LEADING = 2  # characters before a title in its line
_FULL_PAGE = 45  # letter heights across: paper rolls have some 15 to 30, letters 35 to 80
_ADDRESS_ROWS, _ADDRESS_LETTERS = 2, 4
_TWO_PLACES = 2  # lines with a post code: the seller's and the buyer's
_LINES_OF_PERSON = 4  # rows from somebody's name down to the town
# How letters address a person.
_PERSON = re.compile(
    r"(?:Herrn?|Frau|Mr|Mrs|Ms|M(?=\.)|Mme|Mlle|Monsieur|Madame|Sig|Sig\.ra|Sr|Sra|Dhr|Mevr|Pan|Pani)"
    r"\b\.?(?=$| [^\W\d])"
)
_PARTIES = frozenset({"vendor_name", "customer_name"})
_TITLE_ROWS = 0.5  # a document's title stands in its upper half


@dataclass(frozen=True, slots=True)
class Classification:
    """The type and how strongly it was chosen, 0 to 1."""

    document_type: DocumentType
    score: float


def classify(mentions: Mentions) -> Classification:
    """The type of a document; one without pages or words is `other`."""
    labels = [
        (label.span.cell.row, label.match)
        for cell in mentions.layout.cells
        for label in mentions.labels(cell)
    ]
    money = sum(a.is_money for a in mentions.all_amounts)
    signs = _signs([match for _, match in labels])
    if signs + min(2, money) < _FEWEST_SIGNS or money == 0:
        return Classification(DocumentType.OTHER, 0.5 if money else 0.8)
    title = _title(mentions.layout, mentions.lexicon, labels)
    features = _features(mentions, [match for _, match in labels], title)
    odds = weigh(features, RECEIPT_WEIGHTS)
    receipt, invoice = shares([odds, 0.0])
    if receipt >= invoice:
        return Classification(DocumentType.RECEIPT, receipt)
    if "credit_note" in title:
        return Classification(DocumentType.CREDIT_NOTE, invoice)
    return Classification(DocumentType.INVOICE, invoice)


def _signs(matches: Sequence[LabelMatch]) -> int:
    names = {name for match in matches for name in match.fields | match.cues}
    types = {name for match in matches for name in match.document_types}
    wanted = {"total", "subtotal", "tax_total", "amount_due", "change", "cash", "card"}
    return len(names & wanted) + len(types)


def _features(
    mentions: Mentions, matches: Sequence[LabelMatch], title: frozenset[str]
) -> dict[str, float]:
    names = {name for match in matches for name in match.fields | match.cues}
    types = {name for match in matches if match.start <= _LEADING for name in match.document_types}
    first = mentions.layout.pages[0]
    words = sum(len(page.page.words) for page in mentions.layout.pages)
    width = first.box.width / first.letter_height
    full = width > _FULL_PAGE
    # Under the title of an invoice, thanks and ways to pay say nothing else.
    receipt_named = "receipt" in types and not (full and "invoice" in title)
    found = {
        "payment done": bool(names & {"cash", "card", "tender"}),
        "change given": "change" in names,
        "time of day": bool(mentions.all_times),
        "narrow text": width < 30,
        "full page": full,
        "tall page": first.page.height > 1.6 * first.page.width,
        "few words": words < 120,
        "receipt named": receipt_named,
        "tip or rounding": bool(names & {"tip", "rounding"}),
        "due date or terms": bool(names & {"due_date", "payment_terms"}),
        "bank account": bool(names & {"iban", "bic"}) or _prints_iban(mentions.layout),
        "customer block": bool(names & {"customer_id", "shipping_address", "customer_tax_id"}),
        "customer named": any(m.start <= _LEADING and "customer_name" in m.fields for m in matches),
        "both parties named": _names_both_parties(mentions),
        "delivery or order": bool(names & {"delivery_date", "purchase_order"}),
        "invoice named": bool(types & {"invoice", "credit_note"}) and not receipt_named,
        "credit note titled": "credit_note" in title,
        "customer addressed": _addresses_customer(mentions),
        "person addressed": _addresses_person(mentions.layout),
        "two addresses": full and _places(mentions.layout) >= _TWO_PLACES,
        "several pages": len(mentions.layout.pages) > 1,
        "many words": words > 250,
        "bias": 1.0,
    }
    return {name: float(value) for name, value in found.items()}


def _names_both_parties(mentions: Mentions) -> bool:
    """Whether headings for the seller and the buyer stand side by side, or one over the other."""
    headings = {
        name
        for cell in mentions.layout.cells
        for label in mentions.labels(cell)
        if label.span.text == cell.text.strip(" :.")
        for name in label.match.fields & _PARTIES
    }
    return len(headings) == len(_PARTIES)


def _addresses_customer(mentions: Mentions) -> bool:
    """Whether two lines or more of text stand right under a heading for the buyer."""
    for cell in mentions.layout.cells:
        for label in mentions.labels(cell):
            if "customer_name" in label.match.fields and label.span.text == cell.text.strip(" :."):
                height = mentions.layout.page_of(cell).letter_height
                under = [
                    other
                    for other in mentions.layout.below(cell.box, cell.row, _ADDRESS_ROWS)
                    if abs(other.box.x0 - cell.box.x0) < height
                    and sum(map(str.isalpha, other.text)) >= _ADDRESS_LETTERS
                    and not any(a.is_money for a in mentions.amounts(other))
                ]
                if len(under) == _ADDRESS_ROWS:
                    return True
    return False


def _addresses_person(layout: Layout) -> bool:
    """Whether a person's name and address stand below the sender's: nobody writes so to a till.

    Not the first address of a page: shops call themselves "Mr X" too.
    """
    cells = layout.pages[0].cells
    towns = [cell for cell in cells if is_postal_line(cell.text)]
    for person in cells:
        if towns and towns[0].row < person.row and _PERSON.match(person.text):
            height = layout.page_of(person).letter_height
            for town in towns:
                aligned = abs(town.box.x0 - person.box.x0) < height
                if aligned and 0 < town.row - person.row <= _LINES_OF_PERSON:
                    return True
    return False


def _places(layout: Layout) -> int:
    """Lines of the first page that name a place with its post code."""
    cells = (cell for row in layout.pages[0].rows for cell in row.cells)
    return sum(is_postal_line(cell.text) for cell in cells)


def _prints_iban(layout: Layout) -> bool:
    return any(match.valid for cell in layout.cells for match in find_ibans(cell.text))


def _title(
    layout: Layout, lexicon: Lexicon, labels: Sequence[tuple[int, LabelMatch]]
) -> frozenset[str]:
    """The document types that are named first on the first page's upper part."""
    rows = len(layout.pages[0].rows)
    for row, match in labels:
        if row > _TITLE_ROWS * rows:
            break
        if match.start > _LEADING:
            continue  # "Au bon moulin" names no receipt
        if types := named_types(lexicon, match):
            return types
    return frozenset()


def named_types(lexicon: Lexicon, match: LabelMatch) -> frozenset[str]:
    """Document types that a phrase names, alone or with what follows: "credit note no"."""
    if match.document_types or "document_number" not in match.fields:
        return match.document_types
    words = match.labels[0].phrase.split()
    beginnings = (" ".join(words[:count]) for count in range(1, len(words)))
    return frozenset(
        name
        for beginning in beginnings
        for part in lexicon.find(beginning)
        for name in part.document_types
    )
