"""docs/security.md names only files and tests that exist, and all ten risks."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs" / "security.md").read_text("utf-8")
_NAMED = re.compile(r"`((?:apps|lib|tests|docs|scripts)/[\w./-]+\.\w+)(?:::(\w+))?`")


def test_every_file_and_test_that_is_named_exists() -> None:
    named = _NAMED.findall(TEXT)
    assert len(named) > 40
    missing = []
    for path, test in named:
        file = ROOT / path
        if not file.is_file() or (test and f"def {test}(" not in file.read_text("utf-8")):
            missing.append(f"{path}::{test}")
    assert missing == []


def test_each_risk_has_its_attacks_its_defences_and_its_tests() -> None:
    sections = re.split(r"^## ", TEXT, flags=re.MULTILINE)
    risks = [section for section in sections if section.startswith("API")]
    assert [risk.partition(":")[0] for risk in risks] == [f"API{n}" for n in range(1, 11)]
    for risk in risks:
        assert re.search(r"^\*Tried\*: .+^\*Against it\*: .+^\*Shown by\*", risk, re.S | re.M), risk
        assert re.search(r"`tests/\S+", risk.partition("*Shown by*")[2]), risk
