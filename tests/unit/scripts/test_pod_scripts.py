"""The pod's scripts on a stand-in of vLLM, with something dying in every phase."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import signal
import sys
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pod_volume import (
    CHAT,
    KEY,
    PATIENCE_S,
    REVISION,
    TILT,
    Volume,
    eventually,
    pids_with,
    safetensors,
)

from scripts.service_processes import free_port

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform == "win32", reason="the pod is a Linux machine"),
]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Volume:
    volume = Volume(tmp_path_factory.mktemp("pod"), CHAT)
    done = volume.run("bootstrap_gpu.sh")
    assert done.returncode == 0, done.stderr
    assert "installing" in done.stderr
    return volume


@pytest.fixture(scope="module")
def prepared_tilt(tmp_path_factory: pytest.TempPathFactory) -> Volume:
    volume = Volume(tmp_path_factory.mktemp("tilt"), TILT)
    refused = volume.run("bootstrap_gpu.sh")
    assert refused.returncode == 1
    assert "no Arctic-TILT wheel" in refused.stderr
    volume.add_tilt_wheel()
    done = volume.run("bootstrap_gpu.sh")
    assert done.returncode == 0, done.stderr
    return volume


# --- bootstrap_gpu.sh -------------------------------------------------------------------------


def test_a_second_bootstrap_only_checks(prepared: Volume) -> None:
    made = prepared.workspace / "venvs" / "vllm" / ".made-of"
    before = made.stat().st_mtime_ns
    again = prepared.run("bootstrap_gpu.sh")
    assert again.returncode == 0
    assert again.stderr.count("checked") == 2
    assert "installing" not in again.stderr
    assert made.stat().st_mtime_ns == before


def test_a_check_of_an_empty_volume_fails_and_makes_nothing(tmp_path: Path) -> None:
    volume = Volume(tmp_path, CHAT)
    found = volume.run("bootstrap_gpu.sh", "--check")
    assert found.returncode == 1
    assert "run scripts/bootstrap_gpu.sh" in found.stderr
    assert not list(volume.workspace.iterdir())


def test_an_interrupted_environment_is_made_again(prepared: Volume) -> None:
    (prepared.workspace / "venvs" / "tools" / ".made-of").unlink()
    assert prepared.run("bootstrap_gpu.sh", "--check").returncode == 1
    again = prepared.run("bootstrap_gpu.sh")
    assert again.returncode == 0
    assert "tools: ready" in again.stderr
    assert "vllm: checked" in again.stderr


def test_weights_that_were_cut_are_fetched_again(prepared: Volume) -> None:
    cached = prepared.workspace / "cache" / "huggingface" / CHAT.replace("/", "--") / REVISION
    weights = cached / "model.safetensors"
    weights.write_bytes(safetensors(100)[:-1])
    found = prepared.run("bootstrap_gpu.sh", "--check")
    assert found.returncode == 1
    assert "model.safetensors is cut short" in found.stderr
    assert prepared.run("bootstrap_gpu.sh").returncode == 0
    assert weights.read_bytes() == safetensors(100)


def test_a_missing_shard_is_noticed(prepared: Volume) -> None:
    cached = prepared.workspace / "cache" / "huggingface" / CHAT.replace("/", "--") / REVISION
    index = cached / "model.safetensors.index.json"
    index.write_text(
        json.dumps({"weight_map": {"a": "model.safetensors", "b": "other.safetensors"}})
    )
    found = prepared.run("bootstrap_gpu.sh", "--check")
    index.unlink()
    assert found.returncode == 1
    assert "other.safetensors is missing" in found.stderr


def test_a_branch_is_refused(prepared: Volume) -> None:
    found = prepared.run("bootstrap_gpu.sh", VLLM_REVISION="main")
    assert found.returncode == 1
    assert "not a commit" in found.stderr


def test_a_model_that_nobody_pins_is_looked_up_once_and_held_on_to(
    prepared: Volume, tmp_path: Path
) -> None:
    lock = tmp_path / "deep" / "revisions.json"
    without = {"VLLM_REVISION": "", "REVISION_LOCK": str(lock), "STAND_IN_HEAD": "a" * 40}
    refused = prepared.run("bootstrap_gpu.sh", "--check", **without)
    assert refused.returncode == 1
    assert "no revision is pinned" in refused.stderr
    assert not lock.exists(), "a check changes nothing"

    found = prepared.run("bootstrap_gpu.sh", **without)
    assert found.returncode == 0, found.stderr
    assert f"WARNING: nothing pins {CHAT}" in found.stderr
    assert f"revision {'a' * 12}, pinned by lock" in found.stderr
    assert json.loads(lock.read_text())[CHAT]["revision"] == "a" * 40

    moved = without | {"STAND_IN_HEAD": "b" * 40}
    for arguments in ((), ("--check",)):
        again = prepared.run("bootstrap_gpu.sh", *arguments, **moved)
        assert again.returncode == 0, again.stderr
        assert "WARNING" not in again.stderr
        assert f"revision {'a' * 12}, pinned by lock" in again.stderr
    pinned = prepared.run("bootstrap_gpu.sh", **moved | {"VLLM_REVISION": REVISION})
    assert f"revision {REVISION[:12]}, pinned by environment" in pinned.stderr


def test_another_python_is_refused(prepared: Volume) -> None:
    found = prepared.run("bootstrap_gpu.sh", "--check", PYTHON_WANTED="3.9")
    assert found.returncode == 1
    assert "is not Python 3.9 with venv" in found.stderr


def test_a_full_volume_is_said_before_anything_is_fetched(tmp_path: Path) -> None:
    volume = Volume(tmp_path, CHAT)
    found = volume.run("bootstrap_gpu.sh", MIN_FREE_GB="100000000")
    assert found.returncode == 1
    assert "GB are free" in found.stderr


# --- start_all.sh: what happens before it is ready ----------------------------------------------


@pytest.mark.parametrize(
    ("how", "patience_s", "said"),
    [
        ("refuses", 200, ["model ended before model was ready", "ValueError: the model does not"]),
        ("dies_loading", 200, ["model ended before model was ready", "CUDA out of memory"]),
        # Long enough for a busy machine to get that far.
        ("never_ready", 20, ["model was not ready after 20 s", "not reachable", "| loading"]),
        ("no_answers", 20, ["model was not ready after 20 s", "HTTP Error 500"]),
    ],
)
def test_a_model_that_does_not_come_up_is_said_with_its_log(
    prepared: Volume, how: str, patience_s: int, said: list[str]
) -> None:
    with prepared.running(STAND_IN=how, READY_TIMEOUT_S=str(patience_s)) as pod:
        assert pod.ended() == 1
        for line in said:
            assert line in pod.said


def test_a_volume_that_is_not_prepared_is_said(tmp_path: Path) -> None:
    with Volume(tmp_path, CHAT).running() as pod:
        assert pod.ended() == 1
        assert "is not prepared: run scripts/bootstrap_gpu.sh" in pod.said


@pytest.mark.parametrize("missing", ["VLLM_MODEL", "VLLM_API_KEY"])
def test_model_and_key_are_asked_for(prepared: Volume, missing: str) -> None:
    found = prepared.run("start_all.sh", **{missing: ""})
    assert found.returncode == 1
    assert missing in found.stderr


def test_a_stop_while_it_loads_leaves_nothing(prepared: Volume) -> None:
    with prepared.running(STAND_IN="never_ready") as pod:
        eventually(pod.pids_in_logs, "a model that loads")
        pod.process.send_signal(signal.SIGTERM)
        assert pod.ended() == 0


# --- start_all.sh: what happens once it is ready ------------------------------------------------


def test_a_ready_pod_stops_when_asked(prepared: Volume) -> None:
    with prepared.running() as pod:
        pod.wait_until("ready after")
        pod.process.send_signal(signal.SIGTERM)
        assert pod.ended() == 0
        assert KEY not in pod.said
    starts = (prepared.workspace / "logs" / "starts.jsonl").read_text()
    start = json.loads(starts)
    assert start["model"] == CHAT
    phases = [start[name] for name in ("checks", "model_ready", "api_ready")]
    assert all(seconds >= 0 for seconds in phases)
    assert sum(phases) == start["seconds"]


def test_a_model_that_ignores_the_request_to_stop_is_killed(prepared: Volume) -> None:
    with prepared.running(STAND_IN="deaf", STOP_GRACE_S="1") as pod:
        pod.wait_until("ready after")
        pod.process.send_signal(signal.SIGTERM)
        assert pod.ended() == 0


def ask(volume: Volume, tokens: int, model: str = CHAT, content: Any = "1") -> None:
    body = {
        "model": model,
        "max_tokens": tokens,
        "messages": [{"role": "user", "content": content}],
    }
    request = urllib.request.Request(
        f"http://127.0.0.1:{volume.port}/v1/chat/completions",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {KEY}"},
    )
    urllib.request.urlopen(request, timeout=PATIENCE_S).read()


def test_an_engine_that_dies_ends_the_pod_though_vllm_ends_with_0(prepared: Volume) -> None:
    with prepared.running(STAND_IN="engine_dies") as pod:
        pod.wait_until("ready after")
        ask(prepared, 2)
        assert pod.ended() == 1
        assert "model ended with status 0" in pod.said


def test_a_killed_model_ends_the_pod(prepared: Volume) -> None:
    with prepared.running() as pod:
        pod.wait_until("ready after")
        parent = (
            Path(f"/proc/{pod.pids_in_logs()[0]}/stat").read_text().rpartition(")")[2].split()[1]
        )
        os.kill(int(parent), signal.SIGKILL)
        assert pod.ended() == 128 + signal.SIGKILL
        assert "model ended with status 137" in pod.said


def test_an_idle_pod_stops_itself_and_a_used_one_does_not(prepared: Volume, tmp_path: Path) -> None:
    stopped = tmp_path / "stopped"
    # Long enough for a busy machine to come from the line that it is ready to the first question.
    with prepared.running(IDLE_STOP_MINUTES="0.2", STOP_COMMAND=f"touch {stopped}") as pod:
        pod.wait_until("ready after")
        for _ in range(4):
            ask(prepared, 1)
        assert pod.process.poll() is None
        assert pod.ended() == 0
        assert "nobody has used the pod" in pod.said
    assert stopped.exists()


def test_the_orchestrator_beside_it_reaches_the_model_and_its_death_ends_the_pod(
    prepared: Volume,
) -> None:
    port = free_port()
    with prepared.running(WITH_API="1", API_PORT=str(port), OCR_WORKERS="1") as pod:
        pod.wait_until("ready after")
        assert "api is ready" in pod.said
        address = f"http://127.0.0.1:{port}/v1/health"
        with urllib.request.urlopen(address, timeout=PATIENCE_S) as answer:
            health = json.load(answer)
        assert health["inference"] == {"backend": "vllm", "ready": True, "model": CHAT}
        log = next((prepared.workspace / "logs").glob("*-api.log"))
        for pid in pids_with(f"PORT={port}"):
            with suppress(ProcessLookupError):  # it may have ended with the one before
                os.kill(pid, signal.SIGKILL)
        assert pod.ended() == 128 + signal.SIGKILL
        assert "api ended with status 137" in pod.said
        assert KEY not in log.read_text()


# --- Arctic-TILT --------------------------------------------------------------------------------


def test_tilt_is_served_from_its_own_environment(prepared_tilt: Volume) -> None:
    assert not (prepared_tilt.workspace / "venvs" / "vllm").exists()
    with prepared_tilt.running() as pod:
        pod.wait_until("ready after")
        health = f"http://127.0.0.1:{prepared_tilt.port}/health"
        assert urllib.request.urlopen(health, timeout=PATIENCE_S).status == 200
        pod.process.send_signal(signal.SIGTERM)
        assert pod.ended() == 0


def test_a_dead_tilt_engine_ends_the_pod(prepared_tilt: Volume) -> None:
    picture = io.BytesIO()
    Image.new("L", (16, 16)).save(picture, "PNG")
    page = {
        "width": 16,
        "height": 16,
        "words": ["Total"],
        "bboxes": [[0, 0, 9, 9]],
        "image": {"url": "data:image/png;base64," + base64.b64encode(picture.getvalue()).decode()},
    }
    question = [
        {"type": "ocr_document", "ocr_document": {"pages": [page]}},
        {"type": "text", "text": "kill"},
    ]
    with prepared_tilt.running() as pod:
        pod.wait_until("ready after")
        with pytest.raises(urllib.error.HTTPError, match="500"):
            ask(prepared_tilt, 1, TILT, question)
        assert pod.ended() == 70
        assert "the engine died" in pod.said


def test_two_wheels_of_the_fork_are_one_too_many(prepared_tilt: Volume) -> None:
    wheels = prepared_tilt.workspace / "wheelhouse" / "tilt"
    first = next(wheels.iterdir())
    second = wheels / first.name.replace("tilt", "tilt2")
    shutil.copy(first, second)
    found = prepared_tilt.run("bootstrap_gpu.sh", "--check")
    second.unlink()
    assert found.returncode == 1
    assert "several wheels" in found.stderr
