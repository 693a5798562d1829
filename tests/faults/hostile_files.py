"""Malformed files that broke other readers, as malformed/README.md lists them."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

FOLDER = Path(__file__).with_name("malformed")
_ROW = re.compile(r"^\| `(?P<file>[^`]+/[^`]+)` \| [^|]+ \| `(?P<expected>\w+)` \|$", re.MULTILINE)

FILES = tuple(
    (f"file: {row['file']}", partial(Path.read_bytes, FOLDER / row["file"]), row["expected"])
    for row in _ROW.finditer((FOLDER / "README.md").read_text("utf-8"))
)
