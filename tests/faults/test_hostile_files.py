"""Hostile documents: enough kinds; files of other projects listed with their licences, small."""

from __future__ import annotations

import re
from pathlib import Path

from hostile import hostile_documents
from hostile_archives import ARCHIVES
from hostile_files import FILES, FOLDER

from apps.api_cpu.errors import ERROR_CODES

_NOTICES = {"LICENSE", "NOTICE"}
_LIMITS = Path(__file__).resolve().parents[2] / "docs" / "limits.md"


def test_there_are_as_many_kinds_as_the_documentation_says() -> None:
    text = _LIMITS.read_text("utf-8")
    (said,) = re.findall(r"tried with (\d+) kinds", text)
    made = [each.name for each in hostile_documents() if not each.name.startswith("file: ")]
    assert len(set(made)) == len(made) == int(said)
    assert len(made) >= 100
    assert f"ZIPs of {len(ARCHIVES)} kinds" in text


def test_every_file_is_listed_and_every_listed_one_is_there() -> None:
    kept = {
        str(path.relative_to(FOLDER))
        for path in FOLDER.rglob("*")
        if path.is_file() and path.parent != FOLDER and path.name not in _NOTICES
    }
    listed = [name.removeprefix("file: ") for name, _, _ in FILES]
    assert sorted(listed) == sorted(kept)
    assert 20 <= len(kept) <= 60
    assert sum((FOLDER / name).stat().st_size for name in kept) < 500_000


def test_every_folder_has_its_licence_and_every_end_is_a_code() -> None:
    text = (FOLDER / "README.md").read_text("utf-8")
    licences = dict(re.findall(r"^\| `([\w-]+)` \| .+ \| (.+) \|$", text, re.MULTILINE))
    for folder in (path for path in FOLDER.iterdir() if path.is_dir()):
        licence = licences[folder.name]
        for name in re.findall(r"`([\w-]+/\w+)`", licence):
            assert (FOLDER / name).stat().st_size > 0
        # In the public domain there is no text to pass on; qpdf's is this repository's own.
        has_its_text = any((folder / notice).is_file() for notice in _NOTICES)
        assert has_its_text is not licence.startswith("public domain"), folder
    assert {expected for _, _, expected in FILES} <= {"opens"} | {e.code for e in ERROR_CODES}
