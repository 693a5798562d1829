from __future__ import annotations

import io
import math

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pillow_heif import register_heif_opener

from lib.errors import Error
from lib.loading.limits import LoadingLimits
from lib.loading.media_type import MediaType, detect_media_type
from lib.loading.raster import RasterFile, webp_size

register_heif_opener()

LIMITS = LoadingLimits()
T = Image.Transpose
# How a camera stores an upright picture under each EXIF orientation: the inverse of the tag's turn.
STORED = {
    1: None,
    2: T.FLIP_LEFT_RIGHT,
    3: T.ROTATE_180,
    4: T.FLIP_TOP_BOTTOM,
    5: T.TRANSPOSE,
    6: T.ROTATE_90,
    7: T.TRANSVERSE,
    8: T.ROTATE_270,
}


def encoded(image: Image.Image, image_format: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, image_format, **options)
    return out.getvalue()


def opened(data: bytes, limits: LoadingLimits = LIMITS) -> RasterFile:
    media_type = detect_media_type(data)
    assert media_type is not None
    return RasterFile(data, media_type, limits)


def pixels(data: bytes, number: int = 1, limits: LoadingLimits = LIMITS) -> NDArray[np.uint8]:
    """The page as height x width x 3, after checking that `page` promised that size."""
    file = opened(data, limits)
    page, image = file.page(number), file.image(number)
    assert (page.width, page.height) == (image.width, image.height)
    assert page.text_layer is None
    return np.frombuffer(image.pixels, np.uint8).reshape(image.height, image.width, 3)


def turned_right() -> Image.Exif:
    """What a camera writes that was held upright: its right side is the picture's top."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def corners(width: int = 64, height: int = 32) -> Image.Image:
    """Red at the top left, green at the top right, blue at the bottom left, white at the rest."""
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 15, 15), fill=(255, 0, 0))
    draw.rectangle((width - 16, 0, width, 15), fill=(0, 255, 0))
    draw.rectangle((0, height - 16, 15, height), fill=(0, 0, 255))
    return image


def assert_same(found: NDArray[np.uint8], expected: Image.Image, tolerance: int) -> None:
    assert found.shape == (expected.height, expected.width, 3)
    # The middles of the four corner squares: lossy codecs blur their edges.
    for y in (8, expected.height - 8):
        for x in (8, expected.width - 8):
            difference = found[y, x].astype(int) - np.asarray(expected)[y, x].astype(int)
            assert np.abs(difference).max() <= tolerance, (x, y, found[y, x])


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_orientation_comes_out_upright(image_format: str, orientation: int) -> None:
    turn = STORED[orientation]
    stored = corners() if turn is None else corners().transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 95, "subsampling": 0} if image_format == "JPEG" else {}

    found = pixels(encoded(stored, image_format, exif=exif, **options))

    assert_same(found, corners(), tolerance=40)


def test_heic_is_turned_once() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = corners(128, 64).transpose(T.ROTATE_90)

    found = pixels(encoded(stored, "HEIF", exif=exif.tobytes(), quality=95))

    assert_same(found, corners(128, 64), tolerance=60)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_metadata_leaves_the_picture_readable() -> None:
    data = encoded(corners(), "JPEG", quality=95, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")

    assert_same(pixels(data), corners(), tolerance=60)


def test_bmp() -> None:
    assert_same(pixels(encoded(corners(), "BMP")), corners(), tolerance=0)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA"])
def test_modes_of_png(mode: str) -> None:
    picture = Image.new("L", (64, 32), 255)
    ImageDraw.Draw(picture).rectangle((0, 0, 15, 15), fill=0)

    found = pixels(encoded(picture.convert(mode), "PNG"))

    assert_same(found, picture.convert("RGB"), tolerance=0)


@pytest.mark.parametrize("image_format", ["JPEG", "TIFF"])
def test_cmyk_is_not_inverted(image_format: str) -> None:
    found = pixels(encoded(corners().convert("CMYK"), image_format))

    assert_same(found, corners(), tolerance=60)


@pytest.mark.parametrize(
    ("full", "image_format"), [(65535, "PNG"), (65535, "TIFF"), (4095, "PNG"), (1023, "TIFF")]
)
def test_deep_samples_are_scaled_by_their_depth(full: int, image_format: str) -> None:
    samples = np.full((32, 64), full, np.uint16)
    samples[:16, :16] = 0
    samples[:16, 48:] = full // 2

    found = pixels(encoded(Image.fromarray(samples), image_format))

    assert tuple(found[8, 8]) == (0, 0, 0)
    assert tuple(found[24, 24]) == (255, 255, 255)
    assert abs(int(found[8, 56, 0]) - 127) <= 1


@pytest.mark.parametrize(("samples", "white"), [(np.float32, 1.0), (np.int32, 65535)])
def test_samples_of_32_bits(samples: type, white: float) -> None:
    picture = np.full((32, 64), white, samples)
    picture[:16, :16] = 0

    found = pixels(encoded(Image.fromarray(picture), "TIFF"))

    assert tuple(found[8, 8]) == (0, 0, 0)
    assert tuple(found[24, 24]) == (255, 255, 255)


@pytest.mark.parametrize("image_format", ["PNG", "WEBP", "TIFF"])
def test_transparency_shows_white_paper(image_format: str) -> None:
    picture = Image.new("RGBA", (64, 32), (0, 0, 0, 0))
    ImageDraw.Draw(picture).rectangle((0, 0, 15, 15), fill=(0, 0, 0, 255))
    expected = Image.new("RGB", (64, 32), "white")
    ImageDraw.Draw(expected).rectangle((0, 0, 15, 15), fill="black")
    options = {"lossless": True} if image_format == "WEBP" else {}

    assert_same(pixels(encoded(picture, image_format, **options)), expected, tolerance=2)


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_a_transparent_colour_shows_white_paper(mode: str) -> None:
    picture = Image.new("L", (64, 32), 7).convert(mode)
    colour = picture.getpixel((40, 20))

    found = pixels(encoded(picture, "PNG", transparency=colour))

    assert tuple(found[20, 40]) == (255, 255, 255)


@pytest.mark.parametrize("image_format", ["PNG", "WEBP"])
def test_of_an_animation_the_first_frame_counts(image_format: str) -> None:
    other = Image.new("RGB", (64, 32), "black")
    options = {"lossless": True} if image_format == "WEBP" else {}
    data = encoded(corners(), image_format, save_all=True, append_images=[other], **options)

    assert opened(data).page_count == 1
    assert_same(pixels(data), corners(), tolerance=2)


def test_every_page_of_a_tiff_in_any_order() -> None:
    pages = [Image.new("L", (20 + n, 30), 10 * n) for n in range(4)]
    data = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    file = opened(data)

    assert file.page_count == 4
    for number in (4, 1, 3, 2):
        image = file.image(number)
        assert (image.width, image.height) == (19 + number, 30)
        assert image.pixels[0] == 10 * (number - 1)


@pytest.mark.parametrize(
    ("dpi", "height"), [((204, 98), 208), ((204, 196), 100), ((300, 300), 100), ((300, 1), 100)]
)
def test_a_coarse_fax_gets_square_pixels(dpi: tuple[int, int], height: int) -> None:
    bar = Image.new("1", (170, 100), 1)
    bar.paste(0, (0, 0, 170, 50))

    found = pixels(encoded(bar, "TIFF", dpi=dpi, compression="group4"))

    assert found.shape == (height, 170, 3)
    dark = found[:, 80, 0] < 128
    assert dark.sum() == height / 2
    assert dark[: height // 2].all()


@pytest.mark.parametrize(
    ("size", "given"),
    [
        ((120, 90), (120, 90)),
        ((61, 46), (120, 90)),
        ((60, 45), (60, 45)),
        ((31, 20), (40, 30)),
        ((90, 120), (120, 90)),
        ((1, 1), (2, 1)),
    ],
)
def test_a_picture_has_at_least_the_pixels_that_are_wanted(
    size: tuple[int, int], given: tuple[int, int]
) -> None:
    file = opened(encoded(Image.new("RGB", (120, 90), "red"), "JPEG", exif=turned_right()))
    whole = file.image(1)
    assert (whole.width, whole.height) == (90, 120), "turned by what the camera says"
    image = file.image(1, size[::-1])
    assert (image.height, image.width) == given
    again = file.image(1)
    assert (again.width, again.height) == (90, 120)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
@pytest.mark.parametrize(("side", "factor"), [(1600, 1), (1599, 2), (401, 4), (300, 6)])
def test_a_large_image_is_averaged_down(image_format: str, side: int, factor: int) -> None:
    """Grey from stripes: every pixel counts, as averaging wants it."""
    stripes = np.zeros((800, 1600), np.uint8)
    stripes[:, ::2] = 255
    limits = LoadingLimits(max_image_side_px=side)

    found = pixels(encoded(Image.fromarray(stripes), image_format, quality=95), limits=limits)

    assert found.shape == (math.ceil(800 / factor), math.ceil(1600 / factor), 3)
    inside = found[10:-10, 10:-10].astype(int)
    assert np.abs(inside - 127).max() <= 12 if factor > 1 else np.ptp(inside) > 200


def test_a_strip_thinner_than_the_factor() -> None:
    data = encoded(Image.new("L", (1600, 2), 90), "JPEG")

    found = pixels(data, limits=LoadingLimits(max_image_side_px=200))

    assert found.shape == (1, 200, 3)
    assert abs(int(found.mean()) - 90) <= 2


def test_a_large_image_that_is_turned_keeps_its_shape() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = corners(1000, 500).transpose(T.ROTATE_90)
    limits = LoadingLimits(max_image_side_px=250)

    found = pixels(encoded(stored, "JPEG", exif=exif), limits=limits)

    assert found.shape == (125, 250, 3)


@pytest.mark.parametrize(("lossless", "exif"), [(True, b""), (False, b""), (True, b"Exif\0\0")])
def test_webp_size_in_all_three_kinds_of_first_chunk(lossless: bool, exif: bytes) -> None:
    data = encoded(Image.new("RGB", (321, 123)), "WEBP", lossless=lossless, exif=exif)

    assert webp_size(data) == (321, 123)


def test_sides_and_area_are_limited() -> None:
    data = encoded(Image.new("L", (300, 200)), "PNG")

    for limits in (LoadingLimits(max_side_px=299), LoadingLimits(max_pixels=59_999)):
        with pytest.raises(Error) as raised:
            opened(data, limits)
        assert raised.value.code == "page_too_large"
    assert opened(data, LoadingLimits(max_side_px=300, max_pixels=60_000)).page_count == 1


def test_the_type_is_not_guessed_again() -> None:
    """Bytes that pass as one type are not opened as another."""
    with pytest.raises(Error) as raised:
        RasterFile(encoded(corners(), "PNG"), MediaType.JPEG, LIMITS)

    assert raised.value.code == "unreadable_document"
