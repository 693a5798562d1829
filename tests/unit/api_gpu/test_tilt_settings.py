"""The inference service's environment, and what it needs in its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from apps.api_gpu.settings import SettingsError, load_settings

HEAVY = ("vllm", "torch", "numpy", "cv2", "loguru", "sqlalchemy", "httpx", "pypdfium2", "openvino")


def test_defaults_are_for_this_machine_only() -> None:
    settings = load_settings({"PATH": "/bin", "VLLM_USE_V1": "0", "TILT_REVISION": ""})
    assert (settings.host, settings.port) == ("127.0.0.1", 8001)
    assert settings.tilt_revision is None


def test_an_open_address_needs_a_key() -> None:
    with pytest.raises(SettingsError, match="VLLM_API_KEY is missing"):
        load_settings({"HOST": "0.0.0.0"})
    assert load_settings({"HOST": "0.0.0.0", "VLLM_API_KEY": "long-enough"}).vllm_api_key


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ({"TILT_MAX_PAGE": "3"}, "TILT_MAX_PAGE is not a setting"),
        ({"TILT_MAX_PAGES": "0"}, "TILT_MAX_PAGES: Input should be"),
        ({"VLLM_API_KEY": "secret"}, "VLLM_API_KEY: Value should have at least 8"),
        ({"VLLM_API_KEY": "my secret"}, "VLLM_API_KEY has a character"),
    ],
)
def test_what_is_wrong_is_named_without_its_value(environment: dict[str, str], line: str) -> None:
    with pytest.raises(SettingsError, match=line) as caught:
        load_settings(environment)
    assert "secret" not in str(caught.value)


def test_the_service_is_importable_without_what_a_gpu_brings() -> None:
    code = "import sys, apps.api_gpu.__main__; print(*{m.split('.')[0] for m in sys.modules})"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(HEAVY) & set(found.stdout.split())


def test_without_the_fork_it_says_so() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "apps.api_gpu"], capture_output=True, text=True, check=False
    )
    assert found.returncode == 3
    assert found.stderr.splitlines() == [
        "vllm is not installed here: Arctic-TILT needs its own environment (docs/gpu.md)"
    ]
