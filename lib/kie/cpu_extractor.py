"""The extractor that needs no GPU: labels, layout, arithmetic and a small network, any task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from lib.domain.document import Page
from lib.domain.extraction import Hints, RawExtraction
from lib.domain.task import DocumentType, FieldType, Task
from lib.kie.classify import classify
from lib.kie.extractor import CPU_RULES, Extractor
from lib.kie.findings import Finder, Findings
from lib.kie.invoices.fields import INVOICE_FIELDS, find_invoice_fields
from lib.kie.labelled import find_labelled
from lib.kie.language import printed_language
from lib.kie.layout import lay_out
from lib.kie.lexicon import Lexicon, load_lexicon
from lib.kie.mentions import Mentions
from lib.kie.receipts.fields import RECEIPT_FIELDS, find_receipt_fields
from lib.kie.receipts.head_network import HeadReader, shipped_head
from lib.kie.side_by_side import side_by_side_warnings


class CpuExtractor:
    """Finds fields by rules over words and their places. Safe to share between threads."""

    def __init__(self, lexicon: Lexicon, finders: Mapping[DocumentType, Finder]) -> None:
        self._lexicon = lexicon
        self._finders = finders

    @property
    def name(self) -> str:
        """As `model` in responses and artifacts."""
        return CPU_RULES

    def extract(self, pages: Sequence[Page], task: Task, hints: Hints) -> RawExtraction:
        """Candidates for each of the task's fields, best first; fields without any are left out.

        The finder of the task's document type, or of the document's own where the task names none,
        answers the fields that it knows; the others are looked for by their labels and types.
        """
        mentions = read_mentions(pages, self._lexicon, hints.language)
        kind = classify(mentions)
        task = task.for_document(kind.document_type)
        finder = self._finders.get(task.document_type or kind.document_type)
        wanted = {spec.name for spec in task.fields}
        findings = Findings({}, {})
        if finder is not None and not wanted.isdisjoint(finder.known_fields):
            findings = finder.find(mentions, hints, wanted)
        known = finder.known_fields if finder is not None else frozenset()
        others = [
            spec
            for spec in task.fields
            if spec.name not in known and spec.type is not FieldType.TABLE
        ]
        fields = {**findings.fields, **(find_labelled(mentions, others) if others else {})}
        return RawExtraction(
            document_type=kind.document_type,
            document_type_score=kind.score,
            fields={name: found for name, found in fields.items() if name in wanted and found},
            tables={name: rows for name, rows in findings.tables.items() if name in wanted},
            language=mentions.language,
            warnings=side_by_side_warnings(mentions),
            task=task,
        )


def read_mentions(pages: Sequence[Page], lexicon: Lexicon, language: str | None = None) -> Mentions:
    """What is printed on pages, in the language that is told or that its labels are in."""
    layout = lay_out(pages)
    return Mentions(layout, lexicon, language or printed_language(Mentions(layout, lexicon)))


def build_cpu_extractor(
    lexicon: Lexicon | None = None, head: HeadReader | None = None
) -> Extractor:
    """The extractor with the shipped labels and networks, or with some of one's own."""
    find_receipt = partial(find_receipt_fields, head=head or shipped_head())
    invoices = Finder(INVOICE_FIELDS, find_invoice_fields)
    finders = {
        DocumentType.RECEIPT: Finder(RECEIPT_FIELDS, find_receipt),
        DocumentType.INVOICE: invoices,
        DocumentType.CREDIT_NOTE: invoices,
    }
    return CpuExtractor(lexicon or load_lexicon(), finders)
