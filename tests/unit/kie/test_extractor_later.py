"""An extractor that is made when it is needed: once, whoever asks first, and not before."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import date

from lib.domain.document import Page, PageSource
from lib.domain.extraction import Hints
from lib.domain.task import DocumentType, FieldSpec, FieldType, Task
from lib.kie.cpu_extractor import build_cpu_extractor
from lib.kie.extractor import Extractor
from lib.kie.extractor_later import CpuExtractorLater

TASK = Task("t", "", DocumentType.RECEIPT, (FieldSpec("total", FieldType.MONEY, ""),))
PAGES = (Page(1, 100, 100, 0, PageSource.OCR, ()),)
HINTS = Hints(received_on=date(2026, 11, 21))


def test_it_is_the_extractor_that_is_shipped() -> None:
    later, shipped = CpuExtractorLater(), build_cpu_extractor()
    assert later.name == shipped.name
    assert later.extract(PAGES, TASK, HINTS) == shipped.extract(PAGES, TASK, HINTS)


def test_it_is_made_once() -> None:
    later = CpuExtractorLater()
    made: list[Extractor] = []
    threads = [threading.Thread(target=lambda: made.append(later.make())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4
    assert len(set(map(id, made))) == 1


def test_a_server_is_imported_without_it() -> None:
    code = (
        "import sys, apps.api_cpu.server\n"
        "print([m for m in ('lib.kie.cpu_extractor', 'onnxruntime', 'cv2') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
