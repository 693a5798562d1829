"""What is particular to Pillow's pictures: their modes made plain, and what they fail with."""

from __future__ import annotations

import struct
from typing import Final, Literal

from PIL import Image

BROKEN: Final = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    NotImplementedError,
    OverflowError,
    ZeroDivisionError,
    RuntimeError,
    struct.error,
)
"""What Pillow's decoders raise on broken data, beside UnidentifiedImageError (an OSError)."""

# Full scales of the usual sample depths above 8 bits: 10, 12, 14 and 16.
_FULL_SCALES: Final = (1023, 4095, 16383, 65535)


def on_white(picture: Image.Image, mode: Literal["L", "RGB"]) -> Image.Image:
    """The picture in `mode`, 8 bits a sample; the same object where it is so already.

    Deep samples are scaled, and transparency is laid on white.
    """
    if picture.mode.startswith("I") or picture.mode == "F":
        picture = _to_eight_bits(picture)
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        paper = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(paper, layer).convert(mode)
    return picture if picture.mode == mode else picture.convert(mode)


def _to_eight_bits(picture: Image.Image) -> Image.Image:
    """Samples above 8 bits scaled by their full scale.

    The depth in use is the smallest usual one that holds the brightest sample, since a 12-bit scan
    often comes in 16-bit words. Floating-point samples are taken as 0..1 where none exceeds 1.
    """
    wide = picture.convert("F")
    high = wide.getextrema()[1]
    brightest = float(high) if isinstance(high, (int, float)) else 65535.0
    if picture.mode == "F" and brightest <= 1.0:
        full = 1.0
    elif brightest <= 255 and picture.mode in {"F", "I"}:
        full = 255.0
    else:
        full = float(next((s for s in _FULL_SCALES if brightest <= s), brightest))
    return wide.point(lambda sample: sample * (255.0 / full) + 0.5).convert("L")
