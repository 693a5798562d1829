"""The PaddleOCR adapter: settings checked before Paddle is asked, and results of its shape."""

import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from lib.errors import Error
from lib.ocr.engine_settings import PaddleModels
from lib.ocr.paddle import build_paddle, check_paddle, to_reading


def install(folder: Path, version: str) -> str:
    """Empty packages `paddle` and `paddleocr` of that version, as pip would lay them out."""
    for package in ("paddle", "paddleocr"):
        (folder / package).mkdir(parents=True)
        (folder / package / "__init__.py").touch()
    metadata = folder / f"paddleocr-{version}.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text(f"Metadata-Version: 2.1\nName: paddleocr\nVersion: {version}\n")
    return str(folder)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """As if the packages were there."""
    monkeypatch.syspath_prepend(install(tmp_path_factory.mktemp("site"), "3.7.0"))


def import_as_paddleocr(
    monkeypatch: pytest.MonkeyPatch, constructor: Callable[..., object]
) -> None:
    module = ModuleType("paddleocr")
    module.__spec__ = ModuleSpec("paddleocr", None)
    module.PaddleOCR = constructor  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "paddleocr", module)


def model_folder(parent: Path, name: str) -> str:
    folder = parent / name
    folder.mkdir()
    (folder / "inference.yml").write_text(f"Global:\n  model_name: {name}\n")
    return str(folder)


def test_a_missing_package_is_named() -> None:
    with pytest.raises(Error) as caught:
        check_paddle(PaddleModels("a", "b"))
    assert caught.value.code == "inference_unavailable"
    assert caught.value.details == {"missing": ["paddleocr"]}


def test_a_version_that_downloads_models_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(install(tmp_path, "2.10.0"))
    with pytest.raises(Error, match="too old"):
        check_paddle(PaddleModels("a", "b"))


@pytest.mark.usefixtures("installed")
def test_missing_folders_are_named_without_their_paths(tmp_path: Path) -> None:
    empty = tmp_path / "secret-place"
    empty.mkdir()
    with pytest.raises(Error) as caught:
        check_paddle(PaddleModels(detection_dir=str(empty), orientation_dir="/nowhere"))
    assert caught.value.details == {
        "missing": ["detection_dir", "orientation_dir", "recognition_dir"]
    }
    assert "secret-place" not in caught.value.message


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("text", ["", "- a\n", "Global: 3\n", "{", "\xff\xfe"])
def test_a_folder_with_another_inference_yml_is_no_model(tmp_path: Path, text: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "inference.yml").write_bytes(text.encode("latin-1"))
    with pytest.raises(Error):
        check_paddle(PaddleModels(str(folder), str(folder)))


@pytest.mark.usefixtures("installed")
def test_paddle_gets_every_model_by_folder_and_name_and_fetches_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}
    import_as_paddleocr(monkeypatch, lambda **options: given.update(options))
    models = PaddleModels(model_folder(tmp_path, "DET"), model_folder(tmp_path, "REC"))
    assert build_paddle(models).name == "paddleocr/DET+REC"
    assert given["text_detection_model_name"] == "DET"
    assert given["text_recognition_model_dir"] == models.recognition_dir
    switches = {name: on for name, on in given.items() if name.startswith("use_")}
    assert switches == {
        "use_doc_orientation_classify": False,
        "use_doc_unwarping": False,
        "use_textline_orientation": False,
    }


@pytest.mark.usefixtures("installed")
def test_what_paddle_says_about_a_model_stays_inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**options: Any) -> None:
        raise Exception(f"cannot open {options['text_detection_model_dir']}")  # noqa: TRY002

    import_as_paddleocr(monkeypatch, refuse)
    with pytest.raises(Error) as caught:
        build_paddle(PaddleModels(model_folder(tmp_path, "D"), model_folder(tmp_path, "R")))
    assert caught.value.code == "inference_unavailable"
    assert str(tmp_path) not in str(caught.value)


def result(text: str, corners: list[tuple[int, int]], **more: Any) -> dict[str, Any]:
    return {
        "rec_texts": [text],
        "rec_scores": [0.9],
        "rec_polys": [np.array(corners, np.int16)],
        **more,
    }


LEVEL = [(100, 100), (300, 100), (300, 120), (100, 120)]


def test_without_word_boxes_characters_are_spread_evenly() -> None:
    reading = to_reading(result("ab cd", LEVEL), 1000, 1000)
    first, second = reading.lines[0].words
    assert (first.text, second.text, first.confidence) == ("ab", "cd", pytest.approx(0.9))
    assert first.polygon.x1 == pytest.approx(0.18, abs=1e-3)


def test_word_boxes_place_the_words() -> None:
    places = [[(100, 100), (130, 100), (130, 120), (100, 120)], [(240, 100), (300, 100)] * 2]
    boxed = result("ab cd", LEVEL, text_word=[["ab", "cd"]], text_word_region=[places])
    first, second = (word for line in to_reading(boxed, 1000, 1000).lines for word in line.words)
    assert first.polygon.x1 < 0.15
    assert second.polygon.x0 > 0.22


def test_pieces_in_another_order_than_the_text_do_no_harm() -> None:
    places = [[(240, 100), (300, 100)] * 2, [(100, 100), (130, 100)] * 2]
    boxed = result("ab cd", LEVEL, text_word=[["cd", "ab"]], text_word_region=[places])
    reading = to_reading(boxed, 1000, 1000)
    assert [word.text for line in reading.lines for word in line.words] == ["ab", "cd"]


def test_text_that_runs_down_the_page() -> None:
    corners = [(100, 100), (120, 100), (120, 300), (100, 300)]
    reading = to_reading(result("ab cd", corners), 1000, 1000)
    first, second = reading.lines[0].words
    assert first.polygon.y1 <= second.polygon.y0 + 1e-6
    assert first.polygon.x0 == pytest.approx(0.1)


def test_the_angle_becomes_the_turn_that_was_made() -> None:
    turned = result("ab", LEVEL, doc_preprocessor_res={"angle": 90})
    reading = to_reading(turned, 400, 1000)
    assert (reading.rotation, reading.width, reading.height) == (270, 1000, 400)
    unasked = result("ab", LEVEL, doc_preprocessor_res={"angle": -1})
    assert to_reading(unasked, 400, 1000).rotation == 0
