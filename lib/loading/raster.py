"""Raster images through Pillow: frames, orientation, depth, transparency. Runs in a decoder."""

from __future__ import annotations

import io
import math
import struct
import warnings
from typing import Final

import pillow_heif
from PIL import Image

from lib.domain.document import PageImage, Size
from lib.domain.source import SourcePage
from lib.errors import Error
from lib.loading import failures
from lib.loading.limits import LoadingLimits
from lib.loading.media_type import MediaType
from lib.loading.pixel_modes import BROKEN, on_white

pillow_heif.register_heif_opener()

_FORMATS: Final = {
    MediaType.JPEG: "JPEG",
    MediaType.PNG: "PNG",
    MediaType.WEBP: "WEBP",
    MediaType.TIFF: "TIFF",
    MediaType.BMP: "BMP",
    MediaType.HEIC: "HEIF",
}

_FAX_RATIOS: Final = (1.5, 2.5)
_MIRRORED_SIDES: Final = range(5, 9)
_ORIENTATION_TAG: Final = 0x0112


class RasterFile:
    """An image file in memory, with a page for each TIFF frame and one page for any other format.

    Raises `Error`; not safe to share between threads.
    """

    def __init__(self, data: bytes, media_type: MediaType, limits: LoadingLimits) -> None:
        """Open and judge every header; no pixel is decoded yet."""
        self._limits = limits
        self._multiple = media_type is MediaType.TIFF
        # Pillow's own guard against bombs; ours is stricter and speaks of sides too.
        Image.MAX_IMAGE_PIXELS = limits.max_pixels
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        if media_type is MediaType.WEBP:
            # Pillow asks libwebp for the whole canvas before it knows the size.
            self._check_size(*webp_size(data))
        try:
            self._file = Image.open(io.BytesIO(data), formats=[_FORMATS[media_type]])
            self._data = data
            self._sizes = self._judge_frames()
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise self._too_large() from None
        except BROKEN:
            raise failures.unreadable("damaged") from None
        self.page_count = len(self._sizes)

    def page(self, number: int) -> SourcePage:
        """Size of page `number` (from 1) as `image` gives it."""
        width, height = self._sizes[number - 1]
        return SourcePage(number, *self._handed_on(width, height), None)

    def image(self, number: int, size: Size | None = None) -> PageImage:
        """Page `number` upright by its metadata, on white, in 8-bit RGB; `size` at the least."""
        try:
            if self._multiple:
                self._file.seek(number - 1)
            picture = self._decoded()
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise self._too_large() from None
        except BROKEN:
            raise failures.unreadable("damaged") from None
        if size is not None:
            spare = int(min(picture.width / size[0], picture.height / size[1]))
            picture = picture.reduce(spare) if spare > 1 else picture
        return PageImage(picture.width, picture.height, picture.tobytes())

    def _judge_frames(self) -> list[tuple[int, int]]:
        """Upright sizes of all frames, each within the limits."""
        sizes: list[tuple[int, int]] = []
        while True:
            sizes.append(self._upright_size())
            if len(sizes) > self._limits.max_pages:
                raise failures.too_many_pages(self._limits.max_pages)
            if not self._multiple:
                return sizes
            try:
                self._file.seek(len(sizes))
            except EOFError:
                return sizes

    def _upright_size(self) -> tuple[int, int]:
        width, height = self._square_size() if self._multiple else self._file.size
        self._check_size(width, height)
        # Pillow reports TIFF sizes already turned.
        if not self._multiple and _orientation(self._file) in _MIRRORED_SIDES:
            return height, width
        return width, height

    def _square_size(self) -> tuple[int, int]:
        """A TIFF frame's size in square pixels: a fax has 204 x 98 to the inch (ITU-T T.4)."""
        width, height = self._file.size
        across, down = (float(dpi) for dpi in self._file.info.get("dpi", (1, 1)))
        if down > 0 and _FAX_RATIOS[0] <= across / down <= _FAX_RATIOS[1]:
            height = round(height * across / down)
        return width, height

    def _check_size(self, width: int, height: int) -> None:
        if width < 1 or height < 1:
            raise failures.unreadable("damaged")
        if max(width, height) > self._limits.max_side_px:
            raise failures.page_too_large(f"{self._limits.max_side_px} pixels a side")
        if width * height > self._limits.max_pixels:
            raise self._too_large()

    def _too_large(self) -> Error:
        return failures.page_too_large(f"{self._limits.max_pixels} pixels")

    def _handed_on(self, width: int, height: int) -> tuple[int, int]:
        factor = self._reduction(width, height)
        return math.ceil(width / factor), math.ceil(height / factor)

    def _reduction(self, width: int, height: int) -> int:
        """The whole factor that brings an image within the largest side.

        Averaging whole blocks is exact and ten times faster than a resampling filter.
        """
        return math.ceil(max(width, height) / self._limits.max_image_side_px)

    def _decoded(self) -> Image.Image:
        """The current frame, turned upright, as RGB within the largest side."""
        picture = self._file
        width, height = self._square_size() if self._multiple else picture.size
        factor = self._reduction(width, height)
        if factor in {2, 4, 8} and picture.format == "JPEG":
            # libjpeg averages while it decodes, in half the time; the rest is left to `reduce`.
            picture.draft(picture.mode, (max(1, width // factor), max(1, height // factor)))
            factor //= round(max(width, height) / max(picture.size))
        picture.load()
        orientation = 1 if self._multiple else _orientation(picture)
        rgb = on_white(picture, "RGB")
        if self._multiple and rgb.size != (width, height):
            rgb = rgb.resize((width, height), Image.Resampling.BILINEAR)
        return _turned(rgb.reduce(factor) if factor > 1 else rgb, orientation)


def webp_size(data: bytes) -> tuple[int, int]:
    """Width and height in a WebP's first chunk (RFC 9649, 2.5 to 2.7)."""
    kind, chunk = data[12:16], data[20:30].ljust(10, b"\0")
    if kind == b"VP8X":
        return (
            int.from_bytes(chunk[4:7], "little") + 1,
            int.from_bytes(chunk[7:10], "little") + 1,
        )
    if kind == b"VP8L":
        packed = int.from_bytes(chunk[1:5], "little")
        return (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", chunk, 6)
        return width & 0x3FFF, height & 0x3FFF
    raise failures.unreadable("damaged")


def _orientation(picture: Image.Image) -> int:
    """EXIF orientation 1..8; 1 where the metadata is missing or broken."""
    try:
        found = picture.getexif().get(_ORIENTATION_TAG, 1)
    except BROKEN:
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _turned(picture: Image.Image, orientation: int) -> Image.Image:
    """The picture as the camera was held (EXIF 2.32, tag Orientation)."""
    turn = _TURNS.get(orientation)
    return picture if turn is None else picture.transpose(turn)
