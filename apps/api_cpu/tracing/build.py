"""Chooses who records traces: nobody, unless there is a collector to send them to."""

from __future__ import annotations

from apps.api_cpu.settings import Settings
from apps.api_cpu.tracing.tracer import NoTracer, Tracer


def build_tracer(settings: Settings) -> Tracer:
    """The tracer that the settings ask for."""
    if settings.traces_endpoint is None:
        return NoTracer()
    # Imported here: who sends no traces need not wait for OpenTelemetry.
    from apps.api_cpu.tracing.otel import OtelTracer  # noqa: PLC0415

    return OtelTracer(settings.traces_endpoint)
