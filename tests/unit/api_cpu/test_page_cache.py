"""The cache of page images: bounded by bytes, the longest unused goes first."""

from __future__ import annotations

from apps.api_cpu.pages.cache import ImageCache, ImageKey
from lib.domain.page_images import EncodedImage


def _image(size: int) -> EncodedImage:
    return EncodedImage("image/png", 1, 1, bytes(size))


def _key(number: int, request_id: str = "r") -> ImageKey:
    return ImageKey(request_id, number, 100)


def test_what_was_not_asked_for_goes_first() -> None:
    cache = ImageCache(1000)
    for number in range(4):
        cache.add(_key(number), _image(250))
    assert cache.get(_key(0)) is not None
    cache.add(_key(4), _image(250))
    assert cache.get(_key(1)) is None
    assert cache.get(_key(0)) is not None


def test_one_image_does_not_drive_out_all_others() -> None:
    cache = ImageCache(1000)
    cache.add(_key(1), _image(100))
    cache.add(_key(2), _image(251))
    assert cache.get(_key(2)) is None
    assert cache.get(_key(1)) is not None


def test_the_same_image_counts_once() -> None:
    cache = ImageCache(1000)
    for _ in range(50):
        cache.add(_key(1), _image(200))
    cache.add(_key(2), _image(200))
    assert cache.get(_key(1)) is not None


def test_an_erased_requests_images_are_forgotten() -> None:
    cache = ImageCache(1000)
    cache.add(_key(1, "a"), _image(10))
    cache.add(_key(1, "b"), _image(10))
    cache.forget("a")
    assert cache.get(_key(1, "a")) is None
    assert cache.get(_key(1, "b")) is not None
