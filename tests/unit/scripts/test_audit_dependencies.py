"""The audit of locked packages: what a finding, an accepted one and a missing service come to."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "scripts" / "audit_dependencies.py"
SAFE = {"name": "httpx", "version": "0.28.1", "vulns": []}
SKIPPED = {"name": "ours", "skip_reason": "Dependency not found on PyPI"}
BAD = {
    "name": "pillow",
    "version": "11.0.0",
    "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-2026-1"], "fix_versions": ["11.0.1"]}],
}


def _audited(
    tmp_path: Path, report: Any, *options: str, accepted: str = "", status: int = 0
) -> subprocess.CompletedProcess[str]:
    """The script, with a pip-audit that gives this report, or fails as it does when offline."""
    fake = tmp_path / "pip_audit.py"
    said = json.dumps({"dependencies": report}) if isinstance(report, list) else ""
    fake.write_text(
        "import sys\n"
        "assert any(each.endswith('requirements-cpu.txt') for each in sys.argv)\n"
        f"print({said!r})\n"
        f"print({report if not said else ''!r}, file=sys.stderr)\n"
        f"sys.exit({status})\n"
    )
    listed = tmp_path / "accepted.toml"
    listed.write_text(accepted)
    command = [sys.executable, SCRIPT, f"--command={sys.executable} {fake}"]
    return subprocess.run(
        [*command, f"--accepted={listed}", *options], capture_output=True, text=True, check=False
    )


def test_a_finding_fails_and_is_named(tmp_path: Path) -> None:
    done = _audited(tmp_path, [SAFE, BAD], status=1)
    assert done.returncode == 1
    assert "ADVISORY pillow 11.0.0: PYSEC-1, CVE-2026-1; fixed in 11.0.1" in done.stdout


@pytest.mark.parametrize("name", ["PYSEC-1", "CVE-2026-1"])
def test_an_accepted_finding_is_shown_with_its_reason(tmp_path: Path, name: str) -> None:
    listed = f'[[accepted]]\nid = "{name}"\nreason = "not used"\n'
    done = _audited(tmp_path, [SAFE, BAD], accepted=listed, status=1)
    assert done.returncode == 0
    assert "accepted (not used) pillow" in done.stdout


def test_acceptance_needs_a_reason(tmp_path: Path) -> None:
    done = _audited(tmp_path, [SAFE], accepted='[[accepted]]\nid = "PYSEC-1"\nreason = " "\n')
    assert done.returncode == 1
    assert "lacks its id or its reason" in done.stderr


def test_nothing_found_says_what_was_not_looked_up(tmp_path: Path) -> None:
    done = _audited(tmp_path, [SAFE, SKIPPED])
    assert done.returncode == 0
    assert "0 advisories, 0 accepted, 1 packages not looked up ours" in done.stdout


@pytest.mark.parametrize(
    ("report", "status", "said"),
    [
        ("ERROR:pip_audit._cli:Connection to PyPI failed", 1, "Connection to PyPI failed"),
        # What an index without the advisories gives: a green report about nothing.
        ([SKIPPED, SKIPPED], 0, "know none of the packages"),
    ],
)
def test_offline_it_says_so_and_fails_only_when_asked(
    tmp_path: Path, report: Any, status: int, said: str
) -> None:
    done = _audited(tmp_path, report, status=status)
    assert done.returncode == 0
    assert done.stdout.startswith("NOT AUDITED requirements-cpu.txt: ")
    assert said in done.stdout
    assert _audited(tmp_path, report, "--strict", status=status).returncode == 3


def test_the_list_of_the_repository_can_be_read(tmp_path: Path) -> None:
    listed = (ROOT / "scripts" / "accepted_advisories.toml").read_text("utf-8")
    assert _audited(tmp_path, [SAFE], accepted=listed).returncode == 0


def test_the_tests_command_audits() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    recipe = makefile.partition("\ntest: check\n")[2].partition("\n\n")[0]
    assert "scripts/audit_dependencies.py" in recipe
