"""Images for a model: upright, cropped, within the limits, and nothing enlarged."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from lib.domain.deadline import Deadline
from lib.domain.document import Page, PageImage, PageSource
from lib.domain.geometry import Polygon
from lib.domain.page_images import WHOLE_PAGE, EncodedImage, ImageLimits
from lib.loading.drawing import shown_page
from lib.loading.page_images import DocumentImages

LARGE = ImageLimits(dpi=600, max_pixels=40_000_000)


class Drawn:
    """A page that is red at the top and blue below, and in which sizes it was drawn."""

    def __init__(self, width: int = 400, height: int = 600) -> None:
        pixels = np.zeros((height, width, 3), np.uint8)
        pixels[: height // 4, :, 0] = 255
        pixels[height // 4 :, :, 2] = 255
        self.picture = PageImage(width, height, pixels.tobytes())
        self.sizes: list[tuple[int, int] | None] = []

    def image(
        self, number: int, deadline: Deadline, size: tuple[int, int] | None = None
    ) -> PageImage:
        self.sizes.append(size)
        return self.picture


def encoded(
    drawn: Drawn, limits: ImageLimits, part: Polygon = WHOLE_PAGE, rotation: int = 0
) -> EncodedImage:
    images = DocumentImages(drawn, Deadline.after(60))  # type: ignore[arg-type]
    return images.encoded(Page(1, 400, 600, rotation, PageSource.OCR, ()), part, limits)


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
    part = Polygon.from_box(0, 0.5, 1, 0.75)
    image = encoded(Drawn(), ImageLimits(dpi=36, max_pixels=40_000_000), part)
    assert (image.width, image.height) == (280, 105)
    assert tuple(pixels(image)[50, 50] > 128) == (False, False, True)


def test_a_part_of_no_height_still_is_a_picture() -> None:
    image = encoded(Drawn(), LARGE, Polygon.from_box(0, 1, 1, 1))
    assert (image.width, image.height) == (400, 1)


@pytest.mark.parametrize(
    ("rotation", "red_at"), [(0, (5, 300)), (90, (300, 595)), (180, (595, 300)), (270, (300, 5))]
)
def test_a_turned_page_is_sent_upright(rotation: int, red_at: tuple[int, int]) -> None:
    found = pixels(encoded(Drawn(600, 600), LARGE, rotation=rotation))
    assert tuple(found[red_at] > 128) == (True, False, False)


def test_parts_of_one_page_are_cut_from_one_drawing() -> None:
    drawn = Drawn()
    images = DocumentImages(drawn, Deadline.after(60))  # type: ignore[arg-type]
    page = Page(1, 400, 600, 0, PageSource.OCR, ())
    for top in (0.0, 0.3, 0.6):
        images.encoded(page, Polygon.from_box(0, top, 1, top + 0.2), LARGE)
    assert drawn.sizes == [None]


@pytest.mark.parametrize(("rotation", "size"), [(0, (200, 300)), (90, (300, 200))])
def test_a_whole_page_is_drawn_as_large_as_it_is_sent(rotation: int, size: tuple[int, int]) -> None:
    drawn = Drawn()
    encoded(drawn, ImageLimits(dpi=600, max_pixels=60_000), rotation=rotation)
    assert drawn.sizes == [size]


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
