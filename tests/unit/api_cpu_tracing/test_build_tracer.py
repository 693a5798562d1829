"""Who records traces, and that nobody waits for its SDK who sends none."""

from __future__ import annotations

import subprocess
import sys

import pytest

from apps.api_cpu.settings import load_settings
from apps.api_cpu.tracing.build import build_tracer
from apps.tracing.otel import OtelTracer
from apps.tracing.tracer import NoTracer

_LOADED = """
import sys, apps.api_cpu.main, apps.api_cpu.worker
from apps.api_cpu.settings import load_settings
from apps.api_cpu.tracing.build import build_tracer
build_tracer(load_settings())
print([name for name in sys.modules if name in {"opentelemetry.sdk", "opentelemetry.exporter"}])
"""


def test_traces_are_recorded_where_there_is_a_collector() -> None:
    assert isinstance(build_tracer(load_settings()), NoTracer)
    tracer = build_tracer(load_settings(otel_exporter_otlp_endpoint="http://127.0.0.1:9"))
    assert isinstance(tracer, OtelTracer)
    tracer.stop()


@pytest.mark.slow
def test_opentelemetrys_sdk_is_not_loaded_without_a_collector() -> None:
    found = subprocess.run(
        [sys.executable, "-c", _LOADED], capture_output=True, text=True, check=True, timeout=110
    )
    assert found.stdout.strip() == "[]"
