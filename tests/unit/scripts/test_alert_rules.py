"""The rules of docs/grafana/alerts.yaml: whole, explained in docs/sla.md, taken by Prometheus."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

DOCS = Path(__file__).parents[3] / "docs"
RULES = DOCS / "grafana" / "alerts.yaml"
TOLD = Path(__file__).with_name("alert_rules.yaml")
_DURATION = re.compile(r"(\d+(ms|[smhdwy]))+")


def _rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.mark.parametrize("rule", _rules(), ids=lambda rule: str(rule["alert"]))
def test_a_rule_is_whole_and_explained(rule: dict[str, Any]) -> None:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"Ocr[A-Za-z]+", rule["alert"])
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert "for" not in rule or _DURATION.fullmatch(rule["for"])
    expression = rule["expr"]
    assert all(expression.count(a) == expression.count(b) for a, b in ("()", "[]", "{}"))
    assert expression.count('"') % 2 == 0
    assert all(_DURATION.fullmatch(window) for window in re.findall(r"\[([^\]]*)\]", expression))
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    text = (DOCS.parent / page).read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert anchor in {heading.lower().replace(" ", "-") for heading in headings}
    assert text.count(f"`{rule['alert']}`") >= 2, "in the table, and what to do about it"


def test_the_promises_name_no_alert_that_there_is_not() -> None:
    named = set(re.findall(r"`(Ocr\w+)`", (DOCS / "sla.md").read_text(encoding="utf-8")))
    assert named == {rule["alert"] for rule in _rules()}


def test_every_promise_has_its_metric_and_its_alert() -> None:
    text = (DOCS / "sla.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[.+\]\(#([\w-]+)\) \| (.+) \| (.+) \|$", text, re.MULTILINE)
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert [each.lower().replace(" ", "-") for each in headings] == [row[0] for row in rows]
    for anchor, metrics, alerts in rows:
        assert re.search(r"`ocr_\w+`", metrics), anchor
        assert re.search(r"`Ocr\w+`", alerts), anchor


def test_no_alert_waits_for_a_state_that_a_circuit_leaves_again_and_again() -> None:
    # It is open for half a minute at most, then half open: for good where nobody asks.
    asking = [rule for rule in _rules() if "ocr_upstream_circuit_state" in rule["expr"]]
    assert asking
    for rule in asking:
        states = re.findall(r"(\w*)\(ocr_upstream_circuit_state\{[^}]*\}(\[\d+m\])?", rule["expr"])
        assert states
        assert "for" not in rule or all(
            over == "max_over_time" and window for over, window in states
        )
        assert "ocr_upstream_ready" in rule["expr"], "one that nobody asks is never open again"


@pytest.mark.parametrize("what", [("check", RULES), ("test", TOLD)], ids=["check", "test"])
def test_prometheus_itself_takes_them_where_it_is_installed(what: tuple[str, Path]) -> None:
    promtool = shutil.which("promtool")
    if promtool is not None:
        action, file = what
        found = subprocess.run(
            [promtool, action, "rules", file], capture_output=True, text=True, check=False
        )
        assert found.returncode == 0, found.stdout + found.stderr
