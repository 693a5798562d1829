"""Page images as the model's preprocessing wants them."""

from __future__ import annotations

import base64
import io
from typing import Any

import pytest
from PIL import Image

from apps.api_gpu.engine import Limits, Picture
from apps.api_gpu.page_images import page_picture, pillow_image
from lib.errors import Error

LIMITS = Limits(100, 10, 3, 8, image_width=768, image_height=2048, at_once=1)


def uri(image: Image.Image, file_format: str = "PNG", **options: Any) -> str:
    out = io.BytesIO()
    image.save(out, file_format, **options)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def read(image: Image.Image, file_format: str = "PNG", **options: Any) -> Picture:
    return page_picture(uri(image, file_format, **options), image.size, LIMITS, "image")


def refusal(url: str, size: tuple[float, float] = (100, 100)) -> Error:
    with pytest.raises(Error) as caught:
        page_picture(url, size, LIMITS, "image")
    assert caught.value.details["param"] == "image"
    return caught.value


@pytest.mark.parametrize(
    ("mode", "colour", "expected", "sample"),
    [
        ("1", 1, "L", (255,)),
        ("L", 128, "L", (128,)),
        ("LA", (0, 0), "L", (255,)),
        ("I;16", 65535, "L", (255,)),
        ("I;16", 0, "L", (0,)),
        ("RGB", (10, 20, 30), "RGB", (10, 20, 30)),
        ("RGBA", (0, 0, 0, 0), "RGB", (255, 255, 255)),
        ("P", 0, "RGB", (0, 0, 0)),
    ],
)
def test_every_mode_is_grey_or_colour_on_white(
    mode: str, colour: Any, expected: str, sample: tuple[int, ...]
) -> None:
    found = read(Image.new(mode, (384, 100), colour))
    assert (found.mode, found.width, found.height) == (expected, 768, 200)
    assert tuple(found.samples[: len(sample)]) == sample
    assert tuple(found.samples[-len(sample) :]) == sample


def test_a_print_in_four_inks_is_colour() -> None:
    found = read(Image.new("CMYK", (768, 100), (0, 0, 0, 0)), "JPEG")
    assert found.mode == "RGB"
    assert min(found.samples) > 250


def test_a_palette_with_transparency_lies_on_white() -> None:
    found = read(Image.new("P", (768, 10), 0), transparency=0)
    assert set(found.samples) == {255}


def test_the_right_size_is_left_alone() -> None:
    noise = Image.effect_noise((768, 300), 50)
    assert read(noise).samples == noise.tobytes()


def test_what_is_too_tall_is_cut_below() -> None:
    tall = Image.new("L", (384, 2000), 255)
    tall.paste(0, (0, 1024, 384, 2000))
    found = read(tall)
    assert (found.width, found.height) == (768, 2048)
    assert set(found.samples) == {255}


def test_a_thin_strip_is_not_blown_up() -> None:
    # Scaled as a whole it would have 8 gigabytes.
    found = read(Image.new("L", (1, 15_000), 255))
    assert (found.width, found.height) == (768, 2048)


def test_an_orientation_in_the_metadata_is_not_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    found = read(Image.new("RGB", (768, 400)), "JPEG", exif=exif)
    assert (found.width, found.height) == (768, 400)


def test_the_image_has_the_shape_of_its_page() -> None:
    half = uri(Image.new("L", (400, 800)))
    assert page_picture(half, (800.0, 1600.0), LIMITS, "image").height == 1536
    assert page_picture(half, (595.0, 1191.0), LIMITS, "image").height == 1536
    assert "shape" in refusal(half, (800.0, 1500.0)).message


def test_too_many_pixels_are_refused_by_the_header() -> None:
    # 49 million black pixels in 50 kilobytes.
    bomb = uri(Image.new("1", (7000, 7000)), optimize=True)
    assert refusal(bomb, (7000, 7000)).code == "page_too_large"
    assert refusal(uri(Image.new("1", (20_001, 1))), (20_001, 1)).code == "page_too_large"


@pytest.mark.parametrize("file_format", ["GIF", "TIFF", "BMP", "PPM"])
def test_other_formats_are_not_opened(file_format: str) -> None:
    assert refusal(uri(Image.new("RGB", (100, 100)), file_format)).code == "unreadable_document"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://example.org/a.png",
        "file:///etc/passwd",
        "data:text/plain;base64,AAAA",
        "data:,",
    ],
)
def test_nothing_is_fetched(url: str) -> None:
    assert refusal(url).code == "validation_error"


def test_a_picture_is_pillows_again() -> None:
    picture = Picture(2, 1, "RGB", bytes(range(6)))
    assert pillow_image(picture).getpixel((1, 0)) == (3, 4, 5)
