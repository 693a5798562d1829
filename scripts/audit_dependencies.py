#!/usr/bin/env python3
"""Compares the locked packages with the known advisories (pip-audit, by way of `uv tool run`).

    .venv/bin/python scripts/audit_dependencies.py [--strict] [LOCK ...]

An advisory fails, unless scripts/accepted_advisories.toml says why it does not matter here. Where
the advisories cannot be reached one line says that nothing was checked; with --strict that fails.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LOCKS = (ROOT / "requirements-cpu.txt",)
ACCEPTED = ROOT / "scripts" / "accepted_advisories.toml"
# Of the environment that runs this; the tool itself is fetched into uv's cache, not into ours.
COMMAND = f"{Path(sys.executable).with_name('uv')} tool run --quiet pip-audit"
# The lock is whole, so nothing has to be resolved or installed.
OPTIONS = ("--no-deps", "--disable-pip", "--progress-spinner=off", "--format=json")
PATIENCE_S = 300


@dataclass(frozen=True)
class Finding:
    """A locked package that an advisory names; `names` are the advisory's id and its aliases."""

    package: str
    names: tuple[str, ...]
    fixed_in: tuple[str, ...]

    def __str__(self) -> str:
        fixed = ", ".join(self.fixed_in) or "no version yet"
        return f"{self.package}: {', '.join(self.names)}; fixed in {fixed}"


class NotAuditedError(Exception):
    """Nothing was compared with anything; the text says why."""


def audit(command: Sequence[str], lock: Path) -> tuple[list[Finding], list[str]]:
    """The findings, and the packages that could not be looked up. Raises `NotAuditedError`."""
    try:
        done = subprocess.run(
            [*command, f"--requirement={lock}", *OPTIONS],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotAuditedError(f"pip-audit did not run ({type(error).__name__})") from None
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise NotAuditedError(f"pip-audit gave no report: {said[-1][:200]}") from None
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    if len(skipped) == len(packages):
        raise NotAuditedError("the advisories know none of the packages: an index without them?")
    return list(_findings(packages)), skipped


def _findings(packages: Sequence[dict[str, Any]]) -> Iterator[Finding]:
    for package in packages:
        for found in package.get("vulns", ()):
            names = (found["id"], *found.get("aliases", ()))
            fixed_in = tuple(found.get("fix_versions", ()))
            yield Finding(f"{package['name']} {package['version']}", names, fixed_in)


def accepted(path: Path) -> dict[str, str]:
    """Why each advisory does not matter here, by its id. Raises ValueError for one without."""
    entries = tomllib.loads(path.read_text("utf-8")).get("accepted", [])
    for entry in entries:
        if not entry.get("id") or not entry.get("reason", "").strip():
            raise ValueError(f"{path.name}: an entry lacks its id or its reason")
    return {entry["id"]: entry["reason"] for entry in entries}


def main() -> int:
    """0: nothing that matters was found; 1: something was; 3: --strict, and nothing was checked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("locks", nargs="*", type=Path, default=LOCKS, metavar="LOCK")
    parser.add_argument("--strict", action="store_true", help="fail where nothing can be checked")
    parser.add_argument("--command", default=COMMAND, help="how pip-audit is run")
    parser.add_argument("--accepted", type=Path, default=ACCEPTED, metavar="FILE")
    options = parser.parse_args()
    reasons = accepted(options.accepted)
    status = 0
    for lock in options.locks:
        try:
            findings, skipped = audit(shlex.split(options.command), lock)
        except NotAuditedError as reason:
            print(f"NOT AUDITED {lock.name}: {reason}")
            status = max(status, 3 if options.strict else 0)
            continue
        open_ones = [each for each in findings if not reasons.keys() & set(each.names)]
        for finding in findings:
            known = next((reasons[name] for name in finding.names if name in reasons), None)
            print(f"{'ADVISORY' if known is None else f'accepted ({known})'} {finding}")
        print(
            f"{lock.name}: {len(open_ones)} advisories, {len(findings) - len(open_ones)} accepted, "
            f"{len(skipped)} packages not looked up {' '.join(skipped)}".rstrip()
        )
        if open_ones:
            return 1
    return status


if __name__ == "__main__":
    sys.exit(main())
