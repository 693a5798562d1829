"""`ocr evals compare` on artifacts written here."""

import json

import pytest
from lxml import html
from typer.testing import CliRunner

from apps.api_cpu.evals.compare_command import evals_commands


@pytest.fixture
def compare(tmp_path):
    def write(name, outcomes):
        content = {
            "eval_id": name,
            "created_at": "2026-11-21T06:00:00.000Z",
            "version": "0.1.0",
            "truth_sha256": "t",
            "items": [{"id": key, "outcomes": found} for key, found in outcomes.items()],
        }
        (tmp_path / name).write_text(json.dumps(content))
        return str(tmp_path / name)

    def run(a, b, *options):
        paths = [write("a.json", a), write("b.json", b)]
        return CliRunner().invoke(evals_commands, ["compare", *paths, *options])

    return run


WRONG = {str(n): {"total": "wrong", "vendor_name": "relaxed"} for n in range(8)}
RIGHT = {str(n): {"total": "exact", "vendor_name": "relaxed"} for n in range(8)}


def test_the_table_shows_what_changed_and_how_likely_by_chance(compare):
    result = compare(WRONG, RIGHT)
    assert result.exit_code == 0, result.output
    total = next(line for line in result.output.splitlines() if line.split()[:1] == ["total"])
    assert total.split()[:4] == ["total", "8", "0.000", "1.000"]
    assert total.split()[-1] == "0.008"
    assert "8 documents, 8 changes" in result.output


def test_the_rule_can_be_relaxed(compare):
    line = next(x for x in compare(WRONG, RIGHT, "--relaxed").output.splitlines() if "vendor" in x)
    assert line.split()[2:4] == ["1.000", "1.000"]


def test_the_page_lists_the_documents(compare, tmp_path):
    result = compare(WRONG, RIGHT, "--html", str(tmp_path / "c.html"))
    assert result.exit_code == 0, result.output
    tree = html.document_fromstring((tmp_path / "c.html").read_text())
    assert tree.text_content().count("exact") >= 8
    assert not list(tree.iter("script", "link"))


def test_nothing_in_common_or_no_evaluation_stops_with_one_line(compare, tmp_path):
    assert compare(WRONG, {"x": {"total": "exact"}}).exit_code == 2
    assert compare(WRONG, {"1": {"total": "perfect"}}).exit_code == 2
    (tmp_path / "x").write_text("{}")
    broken = CliRunner().invoke(evals_commands, ["compare", str(tmp_path / "x"), "no"])
    assert broken.exit_code == 2
    assert "no evaluation" in broken.output
