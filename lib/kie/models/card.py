"""A model card: how one served model is asked, what it can take, and what an hour of it costs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lib.domain.extraction import ModelWeights
from lib.domain.page_images import ImageLimits

_NAME = r"^[A-Za-z0-9][A-Za-z0-9._/:@+-]{0,199}$"
_FAMILY = r"^[A-Za-z0-9*?][A-Za-z0-9._/:@+*?-]{0,199}$"
_FILE = r"^[a-z0-9][a-z0-9_]{0,63}\.yaml$"


class Dialect(StrEnum):
    """How a model is asked: page images and a schema, or words, boxes and one question a field."""

    CHAT = "chat"
    TILT = "tilt"


class ResponseFormat(StrEnum):
    """Whether the server is asked to hold the answer to a JSON Schema (guided decoding)."""

    JSON_SCHEMA = "json_schema"
    NONE = "none"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Limits(_Part):
    """What one question may hold. `questions`: of the dialect `tilt`, for one document."""

    pages: int = Field(ge=1, le=1000)
    context_tokens: int = Field(ge=512, le=1_000_000)
    answer_tokens: int = Field(ge=16, le=65_536)
    ocr_characters: int = Field(default=0, ge=0, le=200_000)
    table_rows: int = Field(default=60, ge=1, le=1000)
    questions: int = Field(default=64, ge=1, le=1000)


class ImageSize(_Part):
    """How a page is sent: `dpi` is that of an A4 page, whose long side bounds every page's."""

    dpi: int = Field(ge=36, le=600)
    max_pixels: int = Field(ge=50_000, le=40_000_000)
    max_width: int | None = Field(default=None, ge=32, le=10_000)
    multiple: int = Field(default=1, ge=1, le=128)
    quality: int = Field(default=90, ge=30, le=100)

    def as_limits(self) -> ImageLimits:
        """The same for whoever makes the image."""
        return ImageLimits(
            dpi=self.dpi,
            max_pixels=self.max_pixels,
            max_width=self.max_width,
            multiple=self.multiple,
            quality=self.quality,
        )


class Sampling(_Part):
    """Sampling of the first try; a retry is a little warmer, or a loop would only repeat itself."""

    temperature: float = Field(default=0.0, ge=0, le=2)
    retry_temperature: float = Field(default=0.2, ge=0, le=2)
    top_p: float = Field(default=1.0, gt=0, le=1)
    seed: int | None = Field(default=None, ge=0)


_Weight = Annotated[float, Field(ge=-20, le=20, allow_inf_nan=False)]


class Confidence(_Part):
    """The fields of `ModelWeights`, as scripts/fit_model_confidence.py prints them, and of what."""

    fitted_on: str = Field(min_length=1, max_length=300)
    bias: _Weight
    score: _Weight
    word_doubt: _Weight
    margin: _Weight
    confirmed: _Weight
    contradicted: _Weight
    text: _Weight
    repaired: _Weight
    ambiguous: _Weight


class ModelCard(_Part):
    """One file of `configs/models`.

    `served_names` are exact names, `families` shell patterns; the card `generic` is for every other
    name. `price_per_hour` is in US dollars, for the GPU that `gpu` names. `revision`: the commit of
    `source` that pods fetch, in full, as a branch moves and a short one may come to mean two; a
    card of several models has none. `score` is how much an
    answer is believed before it is looked for on the page, where the model gives no score of its
    own. `confidence`: how sure its answers are, of a model that has read labelled documents.
    """

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    dialect: Dialect
    served_names: tuple[Annotated[str, Field(pattern=_NAME)], ...] = ()
    families: tuple[Annotated[str, Field(pattern=_FAMILY)], ...] = ()
    generic: bool = False
    prompt: str = Field(pattern=_FILE)
    response_format: ResponseFormat = ResponseFormat.NONE
    limits: Limits
    image: ImageSize
    sampling: Sampling = Sampling()
    ocr_text: bool = False
    attempts: int = Field(default=2, ge=1, le=5)
    score: float = Field(default=0.8, gt=0, lt=1)
    confidence: Confidence | None = None
    gpu: str = Field(default="", max_length=100)
    price_per_hour: float = Field(ge=0, le=1000)
    source: str = Field(min_length=1, max_length=300)
    revision: str | None = Field(default=None, pattern=r"^[0-9a-f]{40}$")
    licence: str = Field(min_length=1, max_length=200)
    note: str = Field(default="", max_length=2000)

    @property
    def weights(self) -> ModelWeights:
        """How its answers are weighed: as fitted, else by judgement."""
        if self.confidence is None:
            return ModelWeights()
        return ModelWeights(**self.confidence.model_dump(exclude={"fitted_on"}))

    @model_validator(mode="after")
    def _is_reachable(self) -> Self:
        if self.generic == bool(self.served_names or self.families):
            raise ValueError("give `served_names` or `families`, or else `generic: true`")
        if self.dialect is Dialect.TILT and self.response_format is not ResponseFormat.NONE:
            raise ValueError("`response_format` belongs to the dialect chat")
        return self


def pick_card(cards: Sequence[ModelCard], served_name: str) -> ModelCard | None:
    """The card of a served name: named exactly, else by family (longest pattern), else generic.

    Names are compared without regard to case, since folders and hubs differ in it. None when no
    card fits, which the loader of card files excludes.
    """
    wanted = served_name.casefold()
    for card in cards:
        if wanted in (name.casefold() for name in card.served_names):
            return card
    fitting = [
        (len(re.sub(r"[*?]", "", family)), card)
        for card in cards
        for family in card.families
        if fnmatchcase(wanted, family.casefold())
    ]
    if fitting:
        return max(fitting, key=lambda found: found[0])[1]
    return next((card for card in cards if card.generic), None)
