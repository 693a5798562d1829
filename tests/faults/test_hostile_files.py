"""The malformed files of other projects: each listed, with where it is from; few and small."""

from __future__ import annotations

from hostile_files import FILES, FOLDER

from apps.api_cpu.errors import ERROR_CODES

_NOTICES = {"LICENSE", "NOTICE"}


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


def test_every_folder_names_its_source_and_every_end_is_a_code() -> None:
    text = (FOLDER / "README.md").read_text("utf-8")
    for folder in {path.name for path in FOLDER.iterdir() if path.is_dir()}:
        assert f"\n| `{folder}` | " in text
    assert {expected for _, _, expected in FILES} <= {"opens"} | {e.code for e in ERROR_CODES}
