"""Pictures of places on pages: small JPEG crops of documents opened again, as data URIs."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lib.domain.deadline import Deadline
from lib.domain.document import PageImage
from lib.domain.geometry import Polygon
from lib.domain.source import DocumentLoader, OpenDocument
from lib.errors import Error
from lib.evaluation.evaluate import Place, Prediction

_MARGIN_X, _MARGIN_Y = 0.06, 0.02  # of the page, around the place: neighbours tell what it is
_WIDEST_PX, _HIGHEST_PX = 560, 220
_JPEG_QUALITY = 60
_INK = {"answer": (196, 30, 58), "truth": (0, 122, 94)}  # RGB of the frames
_OPENING_S = 30.0

Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of a page: which, and a JPEG data URI with the place framed; `role` is of `_INK`."""

    role: str
    page: int
    uri: str


def cut(
    loader: DocumentLoader,
    file: Path,
    prediction: Prediction,
    wanted: Sequence[Mapping[str, Place]],
) -> list[list[Crop]]:
    """For each of `wanted` (by role) the crops; none where the document cannot be opened again.

    Places are in the pages as they were read: each page is turned as `prediction.pages` says.
    """
    deadline = Deadline.after(_OPENING_S)
    turns = {page.number: page.rotation for page in prediction.pages}
    images: dict[int, Image] = {}
    try:
        with loader.open(file.read_bytes(), deadline) as document:
            for number in sorted({place.page for places in wanted for place in places.values()}):
                images[number] = _upright(document, number, turns.get(number, 0), deadline)
    except (Error, OSError):
        return [[] for _ in wanted]
    return [
        [
            Crop(role, place.page, _jpeg(images[place.page], place.polygon, role))
            for role, place in places.items()
        ]
        for places in wanted
    ]


def _upright(document: OpenDocument, number: int, turn: int, deadline: Deadline) -> Image:
    return np.rot90(_pixels(document.image(number, deadline)), -turn // 90)


def _pixels(image: PageImage) -> Image:
    return np.frombuffer(image.pixels, np.uint8).reshape(image.height, image.width, 3)


def _jpeg(page: Image, polygon: Polygon, role: str) -> str:
    height, width = page.shape[:2]
    left, right = _span(polygon.x0 - _MARGIN_X, polygon.x1 + _MARGIN_X, width)
    top, bottom = _span(polygon.y0 - _MARGIN_Y, polygon.y1 + _MARGIN_Y, height)
    crop = np.ascontiguousarray(page[top:bottom, left:right])
    scale = min(1.0, _WIDEST_PX / crop.shape[1], _HIGHEST_PX / crop.shape[0])
    size = (max(1, round(crop.shape[1] * scale)), max(1, round(crop.shape[0] * scale)))
    crop = cv2.resize(crop, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    corner = (
        round((polygon.x0 * width - left) * scale),
        round((polygon.y0 * height - top) * scale),
    )
    opposite = (
        round((polygon.x1 * width - left) * scale),
        round((polygon.y1 * height - top) * scale),
    )
    cv2.rectangle(crop, corner, opposite, _INK[role], 2)
    quality = [int(cv2.IMWRITE_JPEG_QUALITY), _JPEG_QUALITY]
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), quality)
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")


def _span(low: float, high: float, pixels: int) -> tuple[int, int]:
    start = min(pixels - 1, max(0, int(low * pixels)))
    return start, max(start + 1, min(pixels, round(high * pixels)))
