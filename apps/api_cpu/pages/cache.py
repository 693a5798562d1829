"""Page images that were drawn lately, up to a number of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from lib.domain.page_images import EncodedImage


@dataclass(frozen=True, slots=True)
class ImageKey:
    """Which image: page `number` from 1, at most `width` pixels wide."""

    request_id: str
    number: int
    width: int


class ImageCache:
    """The image that was not asked for the longest goes first. Safe to share between threads."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._images: OrderedDict[ImageKey, EncodedImage] = OrderedDict()
        self._bytes = 0

    def get(self, key: ImageKey) -> EncodedImage | None:
        """The image, if it is still here."""
        with self._lock:
            found = self._images.get(key)
            if found is not None:
                self._images.move_to_end(key)
            return found

    def add(self, key: ImageKey, image: EncodedImage) -> None:
        """Keep an image, unless it is larger than a quarter of all that is kept."""
        if len(image.data) > self._most_bytes // 4:
            return
        with self._lock:
            self._drop(key)
            self._images[key] = image
            self._bytes += len(image.data)
            while self._bytes > self._most_bytes:
                self._drop(next(iter(self._images)))

    def forget(self, request_id: str) -> None:
        """Drop all images of a request."""
        with self._lock:
            for key in [key for key in self._images if key.request_id == request_id]:
                self._drop(key)

    def _drop(self, key: ImageKey) -> None:
        dropped = self._images.pop(key, None)
        if dropped is not None:
            self._bytes -= len(dropped.data)
