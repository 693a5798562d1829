"""The HTML report: whole, self-contained, escaped, and with the right pictures."""

import base64
import json
import re
from datetime import UTC, datetime

import cv2
import numpy as np
import pytest
from lxml import html

from apps.api_cpu.evals.gallery import MOST_PER_FIELD, gallery
from apps.api_cpu.evals.html_report import evaluation_page
from apps.api_cpu.evals.service import load_truth, run_evaluation
from lib.domain.document import Line, Page, PageImage, PageSource, Word
from lib.domain.geometry import Polygon
from lib.domain.task import DocumentType, FieldSpec, FieldType, Task
from lib.errors import Error, Kind
from lib.evaluation.evaluate import Place, Prediction

TASK = Task(
    id="receipt_fields_v1",
    description="",
    document_type=DocumentType.RECEIPT,
    fields=(FieldSpec("vendor_name", FieldType.NAME, ""), FieldSpec("total", FieldType.MONEY, "")),
)
TYPES = {"vendor_name": FieldType.NAME, "total": FieldType.MONEY}
ANSWER_BOX, TRUTH_BOX = Polygon.from_box(0.1, 0.1, 0.3, 0.15), Polygon.from_box(0.5, 0.8, 0.7, 0.85)
RED, GREEN = (255, 0, 0), (0, 255, 0)


class Photo:
    """A white page, red where the answer was read and green where the truth stands, lying on its
    side in the file: turned clockwise by 90 degrees it is upright."""

    page_count, mime_type, einvoice = 1, "image/jpeg", None

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        pass

    def image(self, number, deadline, size=None):
        assert number == 1
        upright = np.full((400, 300, 3), 255, np.uint8)
        upright[40:60, 30:90] = RED
        upright[320:340, 150:210] = GREEN
        stored = np.ascontiguousarray(np.rot90(upright))
        return PageImage(400, 300, stored.tobytes())


class Loader:
    def __init__(self, broken=False):
        self.broken = broken
        self.opened = []

    def open(self, data, deadline, cancellation=None, owner=None):
        self.opened.append(data)
        if self.broken:
            raise Error("unreadable_document", Kind.UNPROCESSABLE, "")
        return Photo()


class Reader:
    name = "pipeline"

    def read(self, document_id, file_name, data):
        if document_id.startswith("failed"):
            return Prediction(document_id, error="unreadable_document")
        page = Page(1, 300, 400, 90, PageSource.OCR, (Line((Word("5.00", TRUTH_BOX),)),))
        return Prediction(
            document_id,
            document_type=DocumentType.RECEIPT,
            result={"total": 7, "vendor_name": "<script>alert(1)</script>"},
            confidences={"total": 0.97, "vendor_name": 0.5},
            places={"total": Place(1, ANSWER_BOX)},
            pages=(page,),
            page_count=1,
            milliseconds=300,
        )


@pytest.fixture
def run(tmp_path):
    def make(*ids, **fields):
        lines = []
        for name in ids:
            (tmp_path / name).write_bytes(name.encode())
            known = {"vendor_known": True} if name == "known" else {}
            truth = fields or {"total": "5.00", "vendor_name": "ACME & Sons"}
            lines.append(json.dumps({"id": name, "file": name, "fields": truth, **known}))
        (tmp_path / "truth.jsonl").write_text("\n".join(lines))
        return run_evaluation(load_truth(tmp_path / "truth.jsonl", [TASK]), Reader(), [TASK])

    return make


def page_of(done, shown):
    text = evaluation_page(done, "e1", datetime(2026, 11, 21, tzinfo=UTC), "0.1.0", shown)
    return text, html.document_fromstring(text)


def pictures(tree):
    found = []
    for image in tree.iter("img"):
        head, data = image.get("src").split(",", 1)
        assert head == "data:image/jpeg;base64"
        pixels = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
        found.append((image.get("alt"), pixels[:, :, ::-1]))
    return found


def share_of(picture, color):
    return (np.abs(picture.astype(int) - color).max(axis=2) < 60).mean()


def test_both_places_are_shown_upright(run):
    done = run("a", total="5.00")
    _, tree = page_of(done, gallery(done, TYPES, Loader()))
    (answer_alt, answer), (truth_alt, truth) = pictures(tree)
    assert answer_alt == "where the answer was read, page 1"
    assert truth_alt == "where the truth stands, page 1"
    assert share_of(answer, RED) > 0.2
    assert share_of(answer, GREEN) == 0
    assert share_of(truth, GREEN) > 0.2
    assert answer.shape[1] > answer.shape[0]


def test_the_page_needs_nothing_else_and_runs_nothing(run):
    done = run("a", "known", "failed")
    text, tree = page_of(done, gallery(done, TYPES, Loader()))
    assert not list(tree.iter("script", "link", "iframe"))
    assert not re.search(r"""(?:src|href|url\()\s*=?\s*["']?(?:https?:)?//""", text)
    assert "&lt;script&gt;alert(1)" in text
    assert "ACME &amp; Sons" in text
    assert tree.get("lang") == "en"
    assert all(image.get("alt") for image in tree.iter("img"))
    assert all(chart.get("aria-label") for chart in tree.iter("svg"))


def test_the_figures_are_in_it(run):
    done = run("a", "known", "failed")
    _, tree = page_of(done, {})
    rows = {
        row[0].text_content(): [cell.text_content() for cell in row[1:]]
        for row in tree.iter("tr")
        if len(row)
    }
    assert rows["total"][:2] == ["3", "2"]
    assert rows["total"][-3:] == ["2", "1", ""]
    assert rows["known"][0] == "1"
    assert rows["0.9 to 1.0"][:3] == ["2", "0.970", "0.000"]
    assert "unreadable_document 1" in tree.text_content()


def test_an_evaluation_without_answers_has_a_report_too(run):
    done = run("failed")
    _, tree = page_of(done, gallery(done, TYPES, Loader(broken=True)))
    assert "Mistakes" in tree.text_content()
    assert not list(tree.iter("svg", "img"))


def test_a_document_is_opened_once_and_one_that_fails_has_no_pictures(run):
    done = run("a", "b")
    loader = Loader(broken=True)
    shown = gallery(done, TYPES, loader)
    assert loader.opened == [b"a", b"b"]
    assert [one.crops for one in shown["total"]] == [(), ()]


def test_mistakes_are_capped_per_field(run):
    done = run(*(f"d{n}" for n in range(MOST_PER_FIELD + 3)))
    shown = gallery(done, TYPES, None)
    assert [len(of_field) for of_field in shown.values()] == [MOST_PER_FIELD] * 2
