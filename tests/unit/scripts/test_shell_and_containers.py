"""Shell scripts and container files under their linters, and what they name exists."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from scripts import pod_cost, pod_probe

ROOT = Path(__file__).resolve().parents[3]
BIN = Path(sys.executable).parent


def test_every_shell_script_is_clean() -> None:
    scripts = [*sorted((ROOT / "scripts").glob("*.sh")), ROOT / ".ci" / "run"]
    assert len(scripts) > 3
    found = subprocess.run(
        [BIN / "shellcheck", "-x", "-P", "SCRIPTDIR", *scripts],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("name", ["Dockerfile.dev", "Dockerfile.gpu"])
def test_every_container_file_is_clean(name: str) -> None:
    found = subprocess.run(
        [BIN / "hadolint", ROOT / name], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout


COMPOSE = yaml.safe_load((ROOT / "docker-compose.dev.yml").read_text("utf-8"))


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_every_service_is_hardened(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged")
    assert service.get("user", "10001").partition(":")[0] not in {"0", "root"}
    assert service["read_only"] is True
    for published in service.get("ports", ()):
        assert published.startswith("127.0.0.1:"), "without keys, to this machine only"
    for volume in service.get("volumes", ()):
        assert volume.partition(":")[0] in COMPOSE["volumes"], "nothing of the host is mounted"


def test_no_image_of_ours_runs_as_root() -> None:
    for name in ("Dockerfile.dev", "Dockerfile.gpu"):
        stages = (ROOT / name).read_text("utf-8").split("\nFROM ")
        users = [line for line in stages[-1].splitlines() if line.startswith("USER ")]
        assert users, name
        assert users[-1].removeprefix("USER ") in {"10001:10001", "${POD_USER}"}


METRICS = """
# HELP vllm:num_requests_running Number of requests in model execution batches.
vllm:num_requests_running{engine="0",model_name="m"} 2.0
vllm:num_requests_waiting{engine="0",model_name="m"} 1.0
vllm:request_success_total{finished_reason="stop",model_name="m"} 10.0
vllm:request_success_total{finished_reason="length",model_name="m"} 2.0
vllm:generation_tokens_total{model_name="m"} 345.0
tilt_pages_total 7.0
"""


def test_activity_is_read_from_the_metrics() -> None:
    assert pod_probe.activity(METRICS) == (3.0, 357.0)
    assert pod_probe.activity("tilt_documents_held 1.0\n") == (1.0, 0.0)
    assert pod_probe.activity("") == (0.0, 0.0)


def test_pages_are_counted_or_estimated_from_requests() -> None:
    assert pod_cost.pages_in(METRICS, Decimal("1.5")) == 7 + 18


def test_a_sprint_is_paid_by_the_hour() -> None:
    sprint = pod_cost.Sprint(Decimal("6.5"), Decimal("0.27"), 18_250, volume_gb=Decimal(100))
    assert sprint.gpu_cost == Decimal("1.755")
    assert sprint.volume_cost.quantize(Decimal("0.001")) == Decimal("0.062")
    assert sprint.lines()[-1].strip() == "10042 pages a dollar, $0.100 a thousand pages"
    assert len(pod_cost.Sprint(Decimal(1), Decimal(0), 5).lines()) == 3


def test_the_price_is_the_cards() -> None:
    assert pod_cost.card_price("Qwen/Qwen2.5-VL-7B-Instruct") > 0
