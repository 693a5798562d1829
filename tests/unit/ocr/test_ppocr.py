"""The PP-OCR pipeline over scripted networks: one box, and what its columns say."""

from collections.abc import Iterable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from lib.domain.document import PageImage
from lib.ocr.letter_model import LetterModel, count_letters
from lib.ocr.ppocr import PpOcrEngine
from lib.ocr.runtime import TOP_CLASSES, Columns, Image

PAGE = PageImage(640, 128, bytes(640 * 128 * 3))
MODEL = count_letters([["HARDWARE STORE"]] * 3)


class ScriptedRuntime:
    """Finds one wide box and reads `text` in it, `instead` (index, character) nearly as likely."""

    name = "scripted"

    def __init__(self, text: str, instead: tuple[int, str] | None = None) -> None:
        self.alphabet = ("", *sorted({*text, *(instead[1] if instead else "")}))
        self.seen: Image | None = None
        self._text = text
        self._instead = instead

    def text_map(self, image: Image) -> NDArray[np.float32]:
        self.seen = image
        found = np.zeros(image.shape[:2], np.float32)
        found[50:80, 20:620] = 1.0
        return found

    def top_classes(self, batches: Iterable[Image], threads: int) -> Iterator[Columns]:
        return map(self._top_classes, batches)

    def _top_classes(self, crops: Image) -> Columns:
        columns = 2 * len(self._text)
        classes = np.zeros((len(crops), columns, TOP_CLASSES), np.int64)
        probabilities = np.zeros(classes.shape, np.float32)
        probabilities[..., 0] = 0.99
        for index, character in enumerate(self._text):
            classes[:, 2 * index, 0] = self.alphabet.index(character)
        if self._instead:
            index, character = self._instead
            classes[:, 2 * index, 1] = self.alphabet.index(character)
            probabilities[:, 2 * index, :2] = 0.6, 0.39
        return classes, probabilities


def words(runtime: ScriptedRuntime, model: LetterModel | None) -> list[str]:
    lines = PpOcrEngine(runtime, 640, model).recognize(PAGE)
    return [word.text for line in lines for word in line.words]


def test_full_width_forms_are_folded_before_words_are_cut() -> None:
    assert words(ScriptedRuntime("Ｎｏ\u3000７７７７"), None) == ["No", "7777"]


@pytest.mark.parametrize(("model", "first"), [(None, "HARDWAKE"), (MODEL, "HARDWARE")])
def test_doubtful_letters_are_settled_where_there_is_a_model(
    model: LetterModel | None, first: str
) -> None:
    assert words(ScriptedRuntime("HARDWAKE STORE", (6, "R")), model) == [first, "STORE"]


def test_doubtful_accents_go_before_letters_are_settled() -> None:
    assert words(ScriptedRuntime("HARDWÀRE STORE", (5, "A")), MODEL) == ["HARDWARE", "STORE"]


@pytest.mark.parametrize(
    ("paper", "ink", "shades"),
    [
        (240, 190, (0, 255)),  # faint
        (70, 30, (0, 255)),  # dark
        (240, 20, (20, 240)),
        (240, 230, (230, 240)),  # nothing but noise
    ],
)
def test_faint_pages_are_spread_over_all_shades(
    paper: int, ink: int, shades: tuple[int, int]
) -> None:
    page = np.full((128, 640, 3), paper, np.uint8)
    page[48:80, 40:600:4] = ink
    page[48:80, 41:600:4] = ink
    runtime = ScriptedRuntime("STORE")
    PpOcrEngine(runtime, 640, None).recognize(PageImage(640, 128, page.tobytes()))
    assert runtime.seen is not None
    assert (int(runtime.seen.min()), int(runtime.seen.max())) == shades
