"""Settings: where they come from, and what stops a start."""

from __future__ import annotations

from pathlib import Path

import pytest
from opentelemetry.sdk import environment_variables

from apps.api_cpu.settings import (
    SettingsError,
    is_loopback,
    load_settings,
    refuse_misspelt,
    variable_names,
)

PEPPER = "sixteen characters or more"


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in variable_names():
        monkeypatch.delenv(name, raising=False)


def test_defaults_work_on_a_laptop() -> None:
    settings = load_settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert not settings.asks_for_keys
    assert settings.worker_count >= 1
    assert settings.concurrency == settings.worker_count + 1
    assert settings.auth_database == settings.data_root / "auth.sqlite3"


def test_arguments_go_before_variables_and_those_before_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PORT", "9001")
    monkeypatch.setenv("MAX_PAGES", "7")
    settings = load_settings(port=9002, host=None)
    assert (settings.port, settings.max_pages, settings.host) == (9002, 7, "127.0.0.1")


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_PAGES", "")
    assert load_settings().max_pages == 50


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("OCR_WORKER", "2", "did you mean OCR_WORKERS?"),
        (
            "WORKER_MEMORY_MB",
            "50",
            "WORKER_MEMORY_MB: Input should be greater than or equal to 100",
        ),
        ("LOG_LEVLE", "INFO", "did you mean LOG_LEVEL?"),
        ("API_KEY_PEPER", "x", "did you mean API_KEY_PEPPER?"),
        ("SYNC_DEADLINE", "1", "did you mean SYNC_DEADLINE_S?"),
        ("MAX_UPLOADS_MB", "1", "did you mean MAX_UPLOAD_MB?"),
        ("AUTH_WHATEVER", "1", "AUTH_WHATEVER is not a setting"),
        ("S3_BUKET", "b", "did you mean S3_BUCKET?"),
        ("S3_BUCKET", "artifacts", "S3_ENDPOINT_URL is missing: S3_BUCKET is given"),
        ("S3_BUCKET", "No_Bucket", "S3_BUCKET: String should match pattern"),
        ("S3_ENDPOINT_URL", "https://r2.example", "S3_BUCKET is missing"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "OTEL_EXPORTER_OTLP_PROTOCOL: Input should be"),
        ("OTEL_TRACES_EXPORTER", "console", "OTEL_TRACES_EXPORTER: Input should be"),
        ("METRICS_HOST", "0.0.0.0", "METRICS_TOKEN is missing: METRICS_HOST is not loopback"),
        ("S3_PREFIX", "production", "S3_BUCKET is missing"),
        ("S3_PREFIX", "../up", "S3_PREFIX: String should match pattern"),
        ("SPOOL_MAX_MIB", "1", "did you mean SPOOL_MAX_MB?"),
        ("VLLM_BASE_URL", "gpu-pod:8001", "VLLM_BASE_URL: an address must be http://"),
        ("VLLM_BASE_URL", "http://me:secret@pod", "VLLM_BASE_URL: an address holds a user"),
        ("VLLM_API_KEY", "two words", "VLLM_API_KEY: the key has a character"),
        ("VLLM_BASE_ULR", "http://x", "did you mean VLLM_BASE_URL?"),
        ("VLLM_READ_TIMEOUT_S", "0", "VLLM_READ_TIMEOUT_S: Input should be greater than 0"),
        ("CASCADE", "1", "CASCADE and FALLBACK_BACKEND need INFERENCE_BACKEND=vllm or mock"),
        ("FALLBACK_BACKEND", "cpu", "CASCADE and FALLBACK_BACKEND need"),
        ("FALLBACK_BACKEND", "gpu", "FALLBACK_BACKEND: Input should be"),
        ("CASCADE_BELOW", "1.5", "CASCADE_BELOW: Input should be less than or equal to 1"),
        ("JOBS_BACKEND", "threads", "JOBS_BACKEND: Input should be"),
        ("CELERY_BROKER_URL", "http://me:secret@pod", "CELERY_BROKER_URL: neither redis://"),
        ("CELERY_BROKER_ULR", "redis://x", "did you mean CELERY_BROKER_URL?"),
        ("INFERENCE_BACKEND", "vllm", "VLLM_MODEL is missing"),
        ("INFERENCE_BACKEND", "gpu", "INFERENCE_BACKEND: Input should be"),
        ("MAX_PAGES", "many", "MAX_PAGES: Input should be a valid integer"),
        ("MAX_PAGES", "0", "MAX_PAGES: Input should be greater than or equal to 1"),
        ("AUTH_ENABLED", "1", "API_KEY_PEPPER is missing"),
        ("HOST", "0.0.0.0", "API_KEY_PEPPER is missing"),
    ],
)
def test_a_wrong_variable_stops_the_start_with_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, part: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "OCR_SERVICE_HOST",
        "OCR_SERVICE_PORT_HTTP",
        "OCR_PORT",
        "OCR_PORT_8000_TCP_ADDR",
        "VLLM_USE_V1",
        "AWS_ACCESS_KEY_ID",
        "HOSTNAME",
        "PATH",
    ],
)
def test_other_programs_variables_are_left_alone(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "x")
    load_settings()


def test_a_wrong_secret_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY_PEPPER", "too-short")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "API_KEY_PEPPER" in str(caught.value)
    assert "too-short" not in str(caught.value)


def test_keys_are_asked_for_unless_only_this_machine_can_call() -> None:
    assert load_settings(host="0.0.0.0", api_key_pepper=PEPPER).asks_for_keys
    assert not load_settings(host="0.0.0.0", auth_enabled=False).asks_for_keys
    assert load_settings(auth_enabled=True, api_key_pepper=PEPPER).asks_for_keys


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.0.2", False),
        ("localhost.example.org", False),
    ],
)
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_the_pepper_is_not_in_the_settings_text() -> None:
    settings = load_settings(auth_enabled=True, api_key_pepper=PEPPER)
    assert PEPPER not in repr(settings)


def test_a_missing_file_of_defaults_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("apps.api_cpu.settings.DEFAULTS_FILE", tmp_path / "default.yaml")
    with pytest.raises(SettingsError, match=r"configs/default\.yaml is missing"):
        load_settings()


def test_the_mock_needs_no_more_than_its_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOCK_VLLM", "1")
    settings = load_settings()
    assert (settings.backend, settings.vllm_base_url) == ("mock", "http://127.0.0.1:8001")
    monkeypatch.setenv("INFERENCE_BACKEND", "vllm")
    with pytest.raises(SettingsError, match="contradicts"):
        load_settings()


def test_more_extractions_run_where_they_wait_for_a_model() -> None:
    assert load_settings(ocr_workers=2).concurrency == 3
    assert load_settings(ocr_workers=2, mock_vllm=True).concurrency == 34
    assert load_settings(ocr_workers=2, mock_vllm=True, extract_concurrency=4).concurrency == 4


def test_an_inference_key_shows_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_API_KEY", "sk-very-secret")
    settings = load_settings()
    assert settings.inference_key == "sk-very-secret"
    assert "very-secret" not in repr(settings)


def test_a_bucket_is_named_with_all_that_opens_it() -> None:
    given = {
        "s3_bucket": "artifacts",
        "s3_endpoint_url": "https://0123.r2.cloudflarestorage.com",
        "aws_access_key_id": "an id",
        "aws_secret_access_key": "a secret",
    }
    settings = load_settings(**given)
    assert settings.artifacts_place == "the bucket artifacts"
    assert "a secret" not in repr(settings)
    for name in given:
        with pytest.raises(
            SettingsError, match=f"^{name.upper()} is missing: .*S3_BUCKET|S3_BUCKET is missing"
        ):
            load_settings(**{other: value for other, value in given.items() if other != name})


@pytest.mark.parametrize(
    "url",
    ["0123.r2.cloudflarestorage.com", "https://r2.example/artifacts", "https://me:x@r2.example"],
)
def test_the_bucket_is_no_part_of_its_stores_address(url: str) -> None:
    with pytest.raises(SettingsError, match="S3_ENDPOINT_URL must be"):
        load_settings(
            s3_bucket="artifacts",
            s3_endpoint_url=url,
            aws_access_key_id="id",
            aws_secret_access_key="secret",
        )


def test_no_variable_of_opentelemetry_is_taken_for_a_misspelt_one_of_ours() -> None:
    theirs = {name for name in vars(environment_variables) if name.startswith("OTEL_")}
    assert len(theirs) > 40
    refuse_misspelt(theirs)


@pytest.mark.parametrize(
    ("variables", "endpoint"),
    [
        ({}, None),
        ({"ENDPOINT": "http://c:4318"}, "http://c:4318/v1/traces"),
        ({"ENDPOINT": "http://c:4318/otlp/"}, "http://c:4318/otlp/v1/traces"),
        ({"TRACES_ENDPOINT": "http://c/spans", "ENDPOINT": "http://d"}, "http://c/spans"),
    ],
)
def test_traces_are_sent_where_the_variables_say(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], endpoint: str | None
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{name}", value)
    assert load_settings().traces_endpoint == endpoint
    for name, value in (("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")):
        with monkeypatch.context() as one:
            one.setenv(name, value)
            assert load_settings().traces_endpoint is None
