"""Fonts of Debian packages: where they are and how wide their letters are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fontTools.ttLib import TTFont

FOLDER = Path("/usr/share/fonts/truetype")
# name: (regular, bold, Debian package). The first of each use is needed, the others are variety.
FILES = {
    "dejavu-sans": ("dejavu/DejaVuSansCondensed.ttf", "dejavu/DejaVuSansCondensed-Bold.ttf"),
    "dejavu-serif": ("dejavu/DejaVuSerifCondensed.ttf", "dejavu/DejaVuSerifCondensed-Bold.ttf"),
    "dejavu-mono": ("dejavu/DejaVuSansMono.ttf", "dejavu/DejaVuSansMono-Bold.ttf"),
    "liberation-sans": (
        "liberation/LiberationSans-Regular.ttf",
        "liberation/LiberationSans-Bold.ttf",
    ),
    "liberation-narrow": (
        "liberation/LiberationSansNarrow-Regular.ttf",
        "liberation/LiberationSansNarrow-Bold.ttf",
    ),
    "liberation-serif": (
        "liberation/LiberationSerif-Regular.ttf",
        "liberation/LiberationSerif-Bold.ttf",
    ),
    "liberation-mono": (
        "liberation/LiberationMono-Regular.ttf",
        "liberation/LiberationMono-Bold.ttf",
    ),
}


@dataclass(frozen=True)
class Face:
    """One font file and the advance widths of its letters."""

    path: Path

    @cached_property
    def _advances(self) -> tuple[dict[int, int], int, int]:
        font = TTFont(self.path, lazy=True)
        metrics = font["hmtx"].metrics
        widths = {code: metrics[glyph][0] for code, glyph in font.getBestCmap().items()}
        return widths, metrics[".notdef"][0], font["head"].unitsPerEm

    def width(self, text: str, size: float) -> float:
        """Width of `text` in points, without kerning."""
        widths, missing, em = self._advances
        return sum(widths.get(ord(letter), missing) for letter in text) * size / em

    def shows(self, text: str) -> bool:
        """Whether the font has a glyph for every letter."""
        widths, _, _ = self._advances
        return all(ord(letter) in widths for letter in text)


@dataclass(frozen=True)
class Family:
    name: str
    regular: Face
    bold: Face

    def face(self, *, bold: bool) -> Face:
        return self.bold if bold else self.regular

    def shown(self, texts: list[str]) -> list[str]:
        """Those that both faces can print."""
        return [text for text in texts if self.regular.shows(text) and self.bold.shows(text)]


class Fonts:
    """The families found below a folder. SystemExit names the package where none is there."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self.families = {
            name: Family(name, Face(folder / regular), Face(folder / bold))
            for name, (regular, bold) in FILES.items()
            if (folder / regular).is_file() and (folder / bold).is_file()
        }
        self.missing = sorted(FILES.keys() - self.families.keys())
        if not self.proportional or not self.fixed:
            raise SystemExit(f"{folder} has no usable fonts: install fonts-dejavu, or give --fonts")

    @property
    def fixed(self) -> list[Family]:
        """Fixed-pitch families, for till printers."""
        return [family for name, family in self.families.items() if name.endswith("mono")]

    @property
    def proportional(self) -> list[Family]:
        """All other families."""
        return [family for name, family in self.families.items() if not name.endswith("mono")]
