"""`python -m apps.api_gpu`: Arctic-TILT on this machine's GPU, settings from the environment."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

from apps.api_gpu.server import NOT_STARTED, end, serve
from apps.api_gpu.settings import SettingsError, load_settings
from apps.api_gpu.tilt_engine import ForkEngine, TiltOptions
from apps.api_gpu.tracing import sdk_is_missing

_NO_SDK = "traces are asked for, and opentelemetry-sdk is not installed here (docs/gpu.md)"
_NO_FORK = "vllm is not installed here: Arctic-TILT needs its own environment (docs/gpu.md)"


def main() -> None:
    """Serve, and end with a status that says how it ended."""
    try:
        settings = load_settings(os.environ)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        end(NOT_STARTED)
        return
    if find_spec("vllm") is None:
        sys.stderr.write(f"{_NO_FORK}\n")
        end(NOT_STARTED)
        return
    if sdk_is_missing(settings):
        sys.stderr.write(f"{_NO_SDK}\n")
        end(NOT_STARTED)
        return
    options = TiltOptions(
        model=settings.tilt_model_path or settings.vllm_model,
        revision=settings.tilt_revision,
        gpu_memory_utilization=settings.tilt_gpu_memory_utilization,
        max_num_seqs=settings.tilt_max_num_seqs,
        max_tokens=settings.tilt_max_tokens,
        max_pages=settings.tilt_max_pages,
    )
    end(serve(settings, ForkEngine(options)))


if __name__ == "__main__":
    main()
