"""What a model is asked with for one document: its images, its time, and what is kept of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lib.domain.cancellation import Cancellation
from lib.domain.deadline import Deadline
from lib.domain.document import Page, Word
from lib.domain.geometry import Polygon
from lib.domain.model_calls import Journal
from lib.domain.page_images import WHOLE_PAGE, PageImages
from lib.domain.tracing import NO_SPAN, Span


@dataclass(frozen=True, slots=True)
class Asking:
    """Whose document it is, what they may want of a model, and where its calls are noted.

    `model` is a served name other than the usual one, `temperature` one other than the card's.
    `span` is what its calls are parts of. `meanwhile` is what this thread does while others work
    for it: a field reader, or a model that writes its answer. It may be called for each question.
    """

    journal: Journal = field(default_factory=Journal)
    model: str | None = None
    temperature: float | None = None
    cancellation: Cancellation | None = None
    request_id: str | None = None
    owner: str | None = None
    span: Span = NO_SPAN
    meanwhile: Callable[[], object] | None = None


@dataclass(frozen=True, slots=True)
class Sight:
    """The open document as the model may see it, and until when."""

    images: PageImages
    deadline: Deadline
    asking: Asking = field(default_factory=Asking)


@dataclass(frozen=True, slots=True)
class View:
    """A part of a page that is shown to the model, in 0..1 of the page as it is read."""

    page: Page
    part: Polygon = WHOLE_PAGE

    @property
    def words(self) -> tuple[Word, ...]:
        """The page's words whose middles lie in the part, in reading order."""
        if self.part == WHOLE_PAGE:
            return self.page.words
        return tuple(word for word in self.page.words if self._holds(word.polygon))

    @property
    def text(self) -> str:
        """The lines of the part."""
        lines = (
            " ".join(word.text for word in line.words if self._holds(word.polygon))
            for line in self.page.lines
        )
        return "\n".join(line for line in lines if line)

    def _holds(self, polygon: Polygon) -> bool:
        x, y = (polygon.x0 + polygon.x1) / 2, (polygon.y0 + polygon.y1) / 2
        part = self.part
        return part.x0 <= x <= part.x1 and part.y0 <= y <= part.y1


def both_ends(views: Sequence[View], most: int) -> tuple[View, ...]:
    """At most `most` of the views: of more the first ones and the last.

    Letterhead, parties and dates stand on the first page, sums on the last.
    """
    if len(views) <= most:
        return tuple(views)
    return (*views[: most - 1], views[-1]) if most > 1 else (views[0],)
