"""Page images as sent to pixels as the model wants them; the app's one importer of Pillow."""

from __future__ import annotations

import base64
import binascii
import io
import math
import warnings
from typing import Final, Literal

from PIL import Image

from apps.api_gpu.engine import Limits, Picture
from apps.api_gpu.errors import refused
from lib.errors import Error
from lib.loading.pixel_modes import BROKEN, on_white

MAX_PIXELS: Final = 40_000_000
_MAX_SIDE_PX: Final = 20_000
_FORMATS: Final = ("PNG", "JPEG", "WEBP")
_DATA_URI: Final = "data:image/"
_BASE64: Final = ";base64"

# A scan's sides and the page's sides that OCR was done on are both rounded to whole pixels.
_ASPECT_TOLERANCE: Final = 0.02


def page_picture(url: str, page_size: tuple[float, float], limits: Limits, param: str) -> Picture:
    """The image behind a data URI, `limits.image_width` wide and cut at `limits.image_height`.

    Grey stays grey and colour stays RGB; every other mode becomes the nearer of the two, on white.
    Metadata such as an orientation is not applied: an image shows the page as its boxes lie.
    Raises `Error` (400, about `param`) for what is no image of a page of that size.
    """
    try:
        with _opened(_bytes_of(url, param)) as picture:
            _check_size(picture, page_size, param)
            picture.load()
            return _fitted(picture, limits)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large(param) from None
    except BROKEN:
        raise refused("The page image cannot be decoded.", param, "unreadable_document") from None


def pillow_image(picture: Picture) -> Image.Image:
    """The picture as Pillow's, which is what the model's own preprocessing takes."""
    return Image.frombytes(picture.mode, (picture.width, picture.height), picture.samples)


def _bytes_of(url: str, param: str) -> bytes:
    head, comma, body = url.partition(",")
    if not comma or not head.startswith(_DATA_URI) or not head.endswith(_BASE64):
        raise refused("The page image has to be a data URI with base64; nothing is fetched.", param)
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise refused("The page image is not base64.", param) from None


def _opened(data: bytes) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return Image.open(io.BytesIO(data), formats=_FORMATS)


def _check_size(picture: Image.Image, page_size: tuple[float, float], param: str) -> None:
    """Judged by the header, before a pixel is decoded."""
    width, height = picture.size
    if width < 1 or height < 1:
        raise refused("The page image has no pixels.", param, "unreadable_document")
    if width * height > MAX_PIXELS or max(width, height) > _MAX_SIDE_PX:
        raise _too_large(param)
    page_width, page_height = page_size
    # Boxes are laid over the image by the page's width alone, so it has to have the page's shape.
    expected = page_height * width / page_width
    if abs(height - expected) > max(2.0, _ASPECT_TOLERANCE * expected):
        raise refused(
            f"The image is {width} x {height}, which is not the shape of the page "
            f"({page_width:g} x {page_height:g}).",
            param,
        )


def _too_large(param: str) -> Error:
    return refused(f"The page image has more than {MAX_PIXELS} pixels.", param, "page_too_large")


def _fitted(picture: Image.Image, limits: Limits) -> Picture:
    """In the model's size. What would be cut is cut first: scaled up, a thin strip is gigabytes."""
    rows = min(picture.height, math.ceil(limits.image_height * picture.width / limits.image_width))
    if rows < picture.height:
        picture = picture.crop((0, 0, picture.width, rows))
    mode = _model_mode(picture)
    # Flattened before it is scaled: palettes and bits cannot be interpolated.
    flat = on_white(picture, mode)
    height = max(1, round(flat.height * limits.image_width / flat.width))
    height = min(height, limits.image_height)
    if flat.size != (limits.image_width, height):
        flat = flat.resize((limits.image_width, height), Image.Resampling.BICUBIC)
    return Picture(flat.width, flat.height, mode, flat.tobytes())


def _model_mode(picture: Image.Image) -> Literal["L", "RGB"]:
    grey = picture.mode in {"1", "L", "LA", "La", "F"} or picture.mode.startswith("I")
    return "L" if grey else "RGB"
