"""Settings on their way to a worker, the choice of engine and runtime, the shipped worker."""

import builtins
import importlib
from types import ModuleType
from typing import Any

import pytest

from lib.domain.deadline import Deadline
from lib.domain.document import PageImage
from lib.errors import Error
from lib.ocr import models, runtime
from lib.ocr.build import OcrSettings, build_ocr_pool
from lib.ocr.engine_settings import (
    EngineChoice,
    EngineSettings,
    PaddleModels,
    Precision,
    RuntimeChoice,
)
from lib.ocr.runtime import build_runtime


def test_settings_survive_the_command_line() -> None:
    settings = EngineSettings(
        EngineChoice.PADDLE,
        RuntimeChoice.ONNXRUNTIME,
        Precision.F32,
        1600,
        4,
        PaddleModels("/a b/ü", "/c", '/"d"'),
    )
    assert EngineSettings.from_json(settings.to_json()) == settings


def test_the_shipped_worker_reads_and_names_its_runtime() -> None:
    settings = OcrSettings(EngineSettings(runtime=RuntimeChoice.ONNXRUNTIME), workers=1)
    with build_ocr_pool(settings) as pool:
        reading = pool.read(PageImage(64, 64, b"\xff" * 64 * 64 * 3), Deadline.after(100))
        assert reading.lines == ()
        assert pool.engine_name == "pp-ocrv6-small/onnxruntime"


def test_a_chosen_engine_that_is_not_there_stops_the_start() -> None:
    with pytest.raises(Error) as caught:
        build_ocr_pool(OcrSettings(EngineSettings(engine=EngineChoice.PADDLE)))
    assert caught.value.code == "inference_unavailable"
    assert caught.value.details["missing"]


def test_auto_falls_back_to_onnx_runtime_where_openvino_does_not_import(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = importlib.import_module

    def without_openvino(name: str, package: str | None = None) -> ModuleType:
        if name == "openvino":
            raise OSError("libopenvino.so: cannot open shared object file")
        return real(name, package)

    monkeypatch.setattr(runtime.importlib, "import_module", without_openvino)
    assert build_runtime(RuntimeChoice.AUTO, Precision.AUTO).name == "onnxruntime"
    with pytest.raises(Error) as caught:
        build_runtime(RuntimeChoice.OPENVINO, Precision.AUTO)
    assert caught.value.details == {"missing": ["openvino"]}


def test_missing_models_are_an_error_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(models, "find_spec", lambda name: None)
    with pytest.raises(Error) as caught:
        models.bundled_models()
    assert caught.value.code == "inference_unavailable"
    assert "rapidocr" in caught.value.message


def test_finding_the_models_does_not_import_rapidocrs_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = builtins.__import__

    def watched(name: str, *rest: Any, **more: Any) -> Any:
        assert not name.startswith("rapidocr.")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", watched)
    assert models.bundled_models().recognition.is_file()


def test_both_runtimes_know_the_same_alphabet() -> None:
    pytest.importorskip("openvino")
    one = build_runtime(RuntimeChoice.OPENVINO, Precision.F32)
    other = build_runtime(RuntimeChoice.ONNXRUNTIME, Precision.AUTO)
    assert one.alphabet == other.alphabet
    assert one.alphabet[0] == ""
    assert one.alphabet[-1] == " "
    assert {len(character) for character in one.alphabet[1:]} == {1}
