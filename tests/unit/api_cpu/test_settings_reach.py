"""Variables that nothing else is tested through: each reaches what it is said to change."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from apps.api_cpu.archive.retention import INPUTS
from apps.api_cpu.artifacts.index import ArtifactKind
from apps.api_cpu.artifacts.stores.build import bucket_of, build_artifact_store
from apps.api_cpu.ocr_workers import build_ocr_workers
from apps.api_cpu.settings import Settings, load_settings, variable_names
from lib.domain.deadline import Deadline
from lib.domain.document import PageImage
from lib.errors import Error
from lib.ocr.engine_settings import EngineSettings

KEY = "extracts/2026-11-20/a.json"
BLANK = PageImage(64, 64, b"\xff" * 64 * 64 * 3)


class _Given:
    """Settings from the environment."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def __call__(self, **variables: str) -> Settings:
        for name, value in variables.items():
            self._monkeypatch.setenv(name, value)
        return load_settings()


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> _Given:
    for name in variable_names():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATA_ROOT", str(tmp_path / "data"))
    return _Given(monkeypatch)


@pytest.mark.parametrize(("allowed", "kept"), [("", b"first"), ("0", b"first"), ("1", b"second")])
def test_an_artifact_is_replaced_where_that_is_allowed(
    given: _Given, allowed: str, kept: bytes
) -> None:
    with ExitStack() as opened:
        store = build_artifact_store(given(S3_ALLOW_OVERWRITE=allowed), opened)
        store.put(KEY, b"first")
        if kept == b"first":
            with pytest.raises(Error) as refused:
                store.put(KEY, b"second")
            assert refused.value.code == "conflict"
        else:
            store.put(KEY, b"second")
        assert store.get(KEY) == kept


def test_a_bucket_is_in_its_region_and_below_its_prefix(given: _Given) -> None:
    bucket = bucket_of(
        given(
            S3_BUCKET="artifacts",
            S3_ENDPOINT_URL="https://s3.eu-central-1.example",
            S3_REGION="eu-central-1",
            S3_PREFIX="production",
            AWS_ACCESS_KEY_ID="an id",
            AWS_SECRET_ACCESS_KEY="a secret",
        )
    )
    assert (bucket.region, bucket.prefix) == ("eu-central-1", "production/")


def test_each_kind_is_kept_for_the_days_of_its_own_variable(given: _Given) -> None:
    kinds = [kind.value for kind in ArtifactKind if kind is not ArtifactKind.ERASURES] + [INPUTS]
    settings = given(
        **{f"RETENTION_DAYS_{kind.upper()}": str(n) for n, kind in enumerate(kinds, 1)}
    )
    assert settings.retention_days == {kind: n for n, kind in enumerate(kinds, 1)}


def test_pages_are_read_by_the_runtime_and_in_the_time_that_are_set(given: _Given) -> None:
    with build_ocr_workers(given(OCR_WORKERS="1", OCR_RUNTIME="onnxruntime")) as pool:
        assert pool.read(BLANK, Deadline.after(100)).lines == ()
        assert pool.engine_name.endswith("/onnxruntime")
    # So large that it is not read before its time is up, however late the clock is looked at.
    large = PageImage(3000, 3000, b"\xff" * 3000 * 3000 * 3)
    with build_ocr_workers(given(OCR_PAGE_TIMEOUT_S="0.000001")) as pool:
        with pytest.raises(Error):
            pool.read(large, Deadline.after(100))
        # No word on how it is answered: in so short a time a worker may not even have taken it.
        assert pool.stats.restarts > 0


def test_a_page_alone_has_the_threads_that_are_set(given: _Given) -> None:
    def threads(**settings: str) -> int:
        with build_ocr_workers(given(**settings)) as pool:
            pool.read(BLANK, Deadline.after(100))
            child = psutil.Process().children()[0]
            return EngineSettings.from_json(child.cmdline()[-1]).threads

    assert threads(OCR_WORKERS="2") == 2
    assert threads(OCR_WORKERS="2", OCR_THREADS="1") == 1
    assert threads(OCR_WORKERS="1", OCR_THREADS="3") == 1


def test_a_worker_that_has_more_memory_than_is_set_is_replaced(given: _Given) -> None:
    # Less than any has that has loaded its models.
    with build_ocr_workers(given(OCR_WORKERS="1", WORKER_MEMORY_MB="100")) as pool:
        pool.read(BLANK, Deadline.after(100))
        end = time.monotonic() + 100
        while pool.stats.recycled == 0:
            assert time.monotonic() < end
            time.sleep(0.02)
