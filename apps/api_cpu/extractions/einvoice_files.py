"""`ocr extract --ubl` and `--cii`: documents as e-invoices, and what these lack on stderr."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.api_cpu import console
from apps.api_cpu.wire import file_name
from lib.domain.task import DocumentType
from lib.einvoice.writer import Syntax, WrittenInvoice, write_einvoice
from lib.pipelines.field_reading import EINVOICE
from lib.values.countries import country_code


@dataclass(frozen=True, slots=True)
class EInvoiceFiles:
    """Where e-invoices go: to `folder`, a file each, or the only one to stdout.

    `country`: ISO 3166-1 code of the parties whose address names none.
    """

    syntax: Syntax
    country: str | None = None
    folder: Path | None = None

    def require(self, files: Sequence[Path]) -> None:
        """Raise the exit for what cannot be done with these documents; make the folder."""
        if self.country is not None and country_code(self.country) is None:
            raise console.stopped(f"--country: {self.country} is no country's code, such as DE")
        if self.folder is None:
            if len(files) > 1:
                raise console.stopped("several e-invoices are written with --out FOLDER")
            return
        names = Counter(file_name(path.name) for path in files)
        twice = [name for name, count in names.items() if count > 1]
        if twice:
            raise console.stopped(f"two of the files are named {twice[0]}")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            raise console.stopped(f"{self.folder} is no folder to write to") from None

    def written(self, response: Mapping[str, Any]) -> WrittenInvoice:
        """The e-invoice of what was read. Raises `not_exportable`."""
        return write_einvoice(
            response["result"],
            DocumentType(response["document_type"]),
            self.syntax,
            has_codes=response["backend"] == EINVOICE,
            country=self.country,
        )

    def keep(self, file: str, invoice: WrittenInvoice) -> None:
        """Write it out, `a.pdf` to `a.pdf.ubl.xml`, and say on stderr what is to be known."""
        if self.folder is None:
            sys.stdout.buffer.write(invoice.xml)
            sys.stdout.buffer.flush()
        else:
            try:
                path = self.folder / f"{Path(file).name}.{self.syntax}.xml"
                path.write_bytes(invoice.xml)
            except OSError:
                raise console.stopped(f"{path} cannot be written", code=1) from None
        for note in invoice.notes:
            console.err.print(f"{file}: {note}", markup=False, soft_wrap=True)
