"""Images for a model: upright, cropped, within the limits, and nothing enlarged."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from lib.domain.document import PageImage, Size
from lib.domain.geometry import BoundingBox
from lib.domain.page_images import WHOLE_PAGE, EncodedImage, ImageLimits, PagePart
from lib.loading.drawing import shown_page
from lib.loading.encoding import PageEncoder

LARGE = ImageLimits(dpi=600, max_pixels=40_000_000)


class Drawn:
    """Pages that are red at the top and blue below, and which were drawn in which sizes."""

    def __init__(self, width: int = 400, height: int = 600) -> None:
        pixels = np.zeros((height, width, 3), np.uint8)
        pixels[: height // 4, :, 0] = 255
        pixels[height // 4 :, :, 2] = 255
        self.picture = PageImage(width, height, pixels.tobytes())
        self.drawn: list[tuple[int, Size | None]] = []

    def image(self, number: int, size: Size | None = None) -> PageImage:
        self.drawn.append((number, size))
        return self.picture


def encoded(
    drawn: Drawn, limits: ImageLimits, box: BoundingBox = WHOLE_PAGE.box, rotation: int = 0
) -> EncodedImage:
    return PageEncoder(drawn.image).encoded(PagePart(1, (400, 600), rotation, box), limits)


def pixels(image: EncodedImage) -> np.ndarray:  # type: ignore[type-arg]
    found = cv2.imdecode(np.frombuffer(image.data, np.uint8), cv2.IMREAD_COLOR)
    assert found is not None
    assert found.shape[:2] == (image.height, image.width)
    return cv2.cvtColor(found, cv2.COLOR_BGR2RGB)


def test_a_small_page_is_sent_as_it_is() -> None:
    image = encoded(Drawn(), LARGE)
    assert (image.media_type, image.width, image.height) == ("image/jpeg", 400, 600)
    assert image.data_uri.startswith("data:image/jpeg;base64,/9j/")
    assert tuple(pixels(image)[10, 10] > 128) == (True, False, False)


@pytest.mark.parametrize(
    ("limits", "size"),
    [
        (ImageLimits(dpi=36, max_pixels=40_000_000), (280, 421)),  # 36 x 297 mm = 420.94
        (ImageLimits(dpi=600, max_pixels=60_000), (200, 300)),
        (ImageLimits(dpi=600, max_pixels=40_000_000, max_width=100), (100, 150)),
        (ImageLimits(dpi=600, max_pixels=40_000_000, multiple=28), (392, 588)),
    ],
)
def test_each_limit_is_kept(limits: ImageLimits, size: tuple[int, int]) -> None:
    image = encoded(Drawn(), limits)
    assert (image.width, image.height) == size


def test_a_part_keeps_the_resolution_of_its_page() -> None:
    image = encoded(Drawn(), ImageLimits(dpi=36, max_pixels=40_000_000), (0, 0.5, 1, 0.75))
    assert (image.width, image.height) == (280, 105)
    assert tuple(pixels(image)[50, 50] > 128) == (False, False, True)


def test_a_part_of_no_height_still_is_a_picture() -> None:
    image = encoded(Drawn(), LARGE, (0, 1, 1, 1))
    assert (image.width, image.height) == (400, 1)


@pytest.mark.parametrize(
    ("rotation", "red_at"), [(0, (5, 300)), (90, (300, 595)), (180, (595, 300)), (270, (300, 5))]
)
def test_a_turned_page_is_sent_upright(rotation: int, red_at: tuple[int, int]) -> None:
    found = pixels(encoded(Drawn(600, 600), LARGE, rotation=rotation))
    assert tuple(found[red_at] > 128) == (True, False, False)


def test_parts_of_one_page_are_cut_from_one_drawing() -> None:
    drawn = Drawn()
    encoder = PageEncoder(drawn.image)
    for number in (1, 2):
        for top in (0.0, 0.3, 0.6):
            encoder.encoded(PagePart(number, (400, 600), 0, (0, top, 1, top + 0.2)), LARGE)
    assert drawn.drawn == [(1, None), (2, None)]


@pytest.mark.parametrize(
    ("rotation", "red_at"), [(0, (5, 200)), (90, (200, 295)), (180, (295, 200)), (270, (200, 5))]
)
def test_a_part_is_cut_from_the_upright_page(rotation: int, red_at: tuple[int, int]) -> None:
    """The half of it in which the stored page's top has come to lie."""
    box = {0: (0, 0, 1, 0.5), 90: (0.5, 0, 1, 1), 180: (0, 0.5, 1, 1), 270: (0, 0, 0.5, 1)}
    image = encoded(Drawn(600, 600), LARGE, box[rotation], rotation)
    assert (image.width, image.height) == ((600, 300) if rotation % 180 == 0 else (300, 600))
    assert tuple(pixels(image)[red_at] > 128) == (True, False, False)


def test_a_fine_pattern_becomes_even_where_it_is_scaled() -> None:
    """No line of the page is left out between the whole factors either, and none counts twice."""
    drawn = Drawn(399, 600)
    lines = np.zeros((600, 399, 3), np.uint8)
    lines[:, ::3] = 255
    drawn.picture = PageImage(399, 600, lines.tobytes())
    found = pixels(encoded(drawn, ImageLimits(dpi=600, max_pixels=40_000_000, max_width=160)))
    assert found.shape[1] == 160
    by_column = found.mean(axis=(0, 2))[2:-2]
    assert by_column.min() > 30
    assert by_column.max() < 140


def test_a_lower_quality_is_fewer_bytes_and_colours_are_halved_either_way() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (600, 400, 3), np.uint8)
    drawn = Drawn()
    drawn.picture = PageImage(400, 600, noise.tobytes())
    by_quality = {
        quality: encoded(drawn, ImageLimits(dpi=600, max_pixels=40_000_000, quality=quality)).data
        for quality in (30, 90, 100)
    }
    assert len(by_quality[30]) < len(by_quality[90]) < len(by_quality[100])
    for data in by_quality.values():
        sampling = [layer[1:3] for layer in Image.open(io.BytesIO(data)).layer]  # type: ignore[attr-defined]
        assert sampling == [(2, 2), (1, 1), (1, 1)]


@pytest.mark.parametrize(("rotation", "size"), [(0, (200, 300)), (90, (300, 200))])
def test_a_whole_page_is_drawn_as_large_as_it_is_sent(rotation: int, size: tuple[int, int]) -> None:
    drawn = Drawn()
    encoded(drawn, ImageLimits(dpi=600, max_pixels=60_000), rotation=rotation)
    assert drawn.drawn == [(1, size)]


def test_a_page_for_people_is_turned_as_it_was_read_and_never_enlarged() -> None:
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[:, :40] = (255, 0, 0)
    image = PageImage(80, 40, pixels.tobytes())
    shown = shown_page(image, 90, 1000)
    assert (shown.media_type, shown.width, shown.height) == ("image/png", 40, 80)
    picture = Image.open(io.BytesIO(shown.data)).convert("RGB")
    assert picture.getpixel((20, 5)) == (255, 0, 0), "what was left is on top now"
    assert picture.getpixel((20, 75)) == (0, 0, 0)
    assert shown_page(image, 0, 20).width == 20
