"""Draws pages of kept inputs, and shows the words that were read on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.api_cpu.auth.roles import Caller
from apps.api_cpu.errors import not_found
from apps.api_cpu.extractions.service import ExtractionService
from apps.api_cpu.inputs.service import InputStore
from apps.api_cpu.pages.cache import ImageCache, ImageKey
from lib.domain.deadline import Deadline
from lib.domain.document import Size
from lib.domain.page_images import EncodedImage
from lib.domain.source import DocumentLoader
from lib.errors import Error, Kind

_PATIENCE_S = 30.0


class PageService:
    """For the owner of an extraction, and admins. Safe to share between threads."""

    def __init__(
        self,
        extractions: ExtractionService,
        inputs: InputStore,
        loader: DocumentLoader,
        cache: ImageCache,
    ) -> None:
        self._extractions = extractions
        self._inputs = inputs
        self._loader = loader
        self._cache = cache

    def drawn(self, wanted: ImageKey, caller: Caller) -> EncodedImage | None:
        """The image, where it was drawn lately. Raises `not_found`, `storage_unavailable`."""
        self._extractions.artifact(wanted.request_id, caller)
        return self._cache.get(wanted)

    def image(self, wanted: ImageKey, caller: Caller) -> EncodedImage:
        """A page upright as it was read; it may take as long as opening a document does.

        Raises `not_found`: no such extraction or page, or somebody else's; `input_not_persisted`;
        what opening the document raises; `inference_timeout`; `storage_unavailable`.
        """
        artifact = self._extractions.artifact(wanted.request_id, caller)
        image = self._cache.get(wanted)
        if image is None:
            image = self._draw(artifact, wanted, caller)
            self._cache.add(wanted, image)
        return image

    def words(self, request_id: str, number: int, caller: Caller) -> dict[str, Any]:
        """The words of a page in reading order. Raises `not_found`, `storage_unavailable`."""
        artifact = self._extractions.artifact(request_id, caller)
        page = _page(artifact, number)
        if page is None:
            raise not_found()
        words = [each["words"] for each in artifact["ocr_words"] if each["page"] == number]
        return {
            "request_id": request_id,
            "page": number,
            "width": page["width"],
            "height": page["height"],
            "words": words[0] if words else [],
        }

    def _draw(self, artifact: Mapping[str, Any], wanted: ImageKey, caller: Caller) -> EncodedImage:
        data = self._input(artifact, caller)
        page = _page(artifact, wanted.number)
        rotation = page["rotation"] if page else 0
        deadline = Deadline.after(_PATIENCE_S)
        owner = artifact["owner_key_id"]
        with self._loader.open(data, deadline, owner=owner) as document:
            if wanted.number > document.page_count:
                raise not_found()
            size = _shown(page, wanted.width) if page else None
            image = document.image(wanted.number, deadline, size)
        # Imported here: OpenCV, which a server needs only where somebody looks at pages.
        from lib.loading.drawing import shown_page  # noqa: PLC0415

        return shown_page(image, rotation, wanted.width)

    def _input(self, artifact: Mapping[str, Any], caller: Caller) -> bytes:
        noted = artifact["input"] or {}
        ref = noted.get("input_ref") or noted.get("image_ref") or ""
        if not self._inputs.may_read(ref, caller):
            raise Error(
                "input_not_persisted",
                Kind.CONFLICT,
                "The document was not kept; send `persist_inputs` to be able to see it again.",
            )
        return self._inputs.read(ref, caller)


def _shown(page: Mapping[str, Any], width: int) -> Size:
    """The size of a page as it is stored that is shown so many pixels wide, if it has as many."""
    shown = min(width, page["width"])
    size = shown, max(1, page["height"] * shown // page["width"])
    return size[::-1] if page["rotation"] % 180 else size


def _page(artifact: Mapping[str, Any], number: int) -> Mapping[str, Any] | None:
    """What the response says of a page; None where nothing was read on it."""
    response = artifact["response"] or {}
    return next((page for page in response.get("pages", ()) if page["number"] == number), None)
