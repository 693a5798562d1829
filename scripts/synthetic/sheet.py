"""A page as marks in points: what every renderer draws from. Origin top left, y downwards."""

from __future__ import annotations

from dataclasses import dataclass, field

from synthetic.fonts import Family

Colour = tuple[int, int, int]
BLACK: Colour = (0, 0, 0)


@dataclass(frozen=True)
class Text:
    """`x` is the left edge, `y` the baseline."""

    x: float
    y: float
    text: str
    size: float
    family: Family
    bold: bool = False
    colour: Colour = BLACK

    @property
    def width(self) -> float:
        return self.family.face(bold=self.bold).width(self.text, self.size)


@dataclass(frozen=True)
class Rule:
    x0: float
    y0: float
    x1: float
    y1: float
    weight: float = 0.6
    colour: Colour = BLACK


@dataclass(frozen=True)
class Band:
    """A filled box; marks drawn later lie on it."""

    x0: float
    y0: float
    x1: float
    y1: float
    colour: Colour


Mark = Text | Rule | Band


@dataclass
class Sheet:
    """One page. `family` is what its texts are set in."""

    width: float
    height: float
    family: Family
    marks: list[Mark] = field(default_factory=list)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        *,
        bold: bool = False,
        align: str = "L",
        colour: Colour = BLACK,
    ) -> float:
        """Put text with `x` at its left edge, right edge or middle (L, R, C); returns its width."""
        width = self.measure(text, size, bold=bold)
        left = x - {"L": 0.0, "R": width, "C": width / 2}[align]
        if text.strip():
            self.marks.append(Text(left, y, text, size, self.family, bold, colour))
        return width

    def measure(self, text: str, size: float, *, bold: bool = False) -> float:
        return self.family.face(bold=bold).width(text, size)

    def wrap(self, text: str, size: float, width: float) -> list[str]:
        """Lines of whole words no wider than `width`; a longer word stands alone."""
        lines: list[str] = []
        for word in text.split():
            if lines and self.measure(f"{lines[-1]} {word}", size) <= width:
                lines[-1] += f" {word}"
            else:
                lines.append(word)
        return lines

    def rule(self, x0: float, y0: float, x1: float, y1: float, weight: float = 0.6) -> None:
        self.marks.append(Rule(x0, y0, x1, y1, weight))

    def box(self, x0: float, y0: float, x1: float, y1: float) -> None:
        for line in ((x0, y0, x1, y0), (x1, y0, x1, y1), (x0, y1, x1, y1), (x0, y0, x0, y1)):
            self.rule(*line)

    def band(self, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
        self.marks.append(Band(x0, y0, x1, y1, colour))

    def bars(self, x: float, y: float, height: float, modules: list[int]) -> None:
        """A bar code: widths in points, black and white in turn."""
        for index, module in enumerate(modules):
            if index % 2 == 0:
                self.band(x, y, x + module * 0.9, y + height, BLACK)
            x += module * 0.9
