"""Pages for people who look at them: turned, scaled, encoded as PNG. Brings OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lib.domain.document import PageImage, Size
from lib.domain.page_images import EncodedImage
from lib.errors import Error, Kind

# zlib's level: higher ones take three times as long for a tenth of the size.
_PNG_COMPRESSION = 2
_TURNS = {
    90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
}

# As in the OCR workers. By itself OpenCV has a thread more for each other core, which look for
# work without a rest once they had some: of a page that one thread has encoded in half a
# millisecond they make more than a millisecond of processor time.
cv2.setNumThreads(1)

# Height x width x 3, red first.
_Pixels = NDArray[np.uint8]


def shown_page(image: PageImage, rotation: int, width: int) -> EncodedImage:
    """A page for people: turned clockwise by `rotation` degrees, at most `width` pixels, as PNG."""
    upright = _turned(image, rotation)
    scale = min(1.0, width / upright.shape[1])
    drawn = _scaled(upright, (int(upright.shape[1] * scale), max(1, int(upright.shape[0] * scale))))
    options = (cv2.IMWRITE_PNG_COMPRESSION, _PNG_COMPRESSION)
    done, encoded = cv2.imencode(".png", cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise Error("internal_error", Kind.INTERNAL, "A page image could not be encoded.")
    return EncodedImage("image/png", drawn.shape[1], drawn.shape[0], encoded.tobytes())


def _turned(image: PageImage, rotation: int) -> _Pixels:
    pixels = np.frombuffer(image.pixels, np.uint8).reshape(image.height, image.width, 3)
    turn = _TURNS.get(rotation)
    return pixels if turn is None else np.asarray(cv2.rotate(pixels, turn), np.uint8)


def _scaled(pixels: _Pixels, size: Size) -> _Pixels:
    width, height = size
    if (height, width) == pixels.shape[:2]:
        return pixels
    resized = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return np.asarray(resized, np.uint8)
