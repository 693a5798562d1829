"""Chooses who records traces: nobody, unless there is a collector to send them to."""

from __future__ import annotations

from importlib.metadata import version

from apps.api_cpu import logs
from apps.api_cpu.settings import Settings
from apps.tracing.tracer import NoTracer, Tracer

_NAME = "ocr-service"


def build_tracer(settings: Settings) -> Tracer:
    """The tracer that the settings ask for."""
    if settings.traces_endpoint is None:
        return NoTracer()
    # Imported here: who sends no traces need not wait for OpenTelemetry.
    from apps.tracing.otel import OtelTracer, Program  # noqa: PLC0415

    return OtelTracer(settings.traces_endpoint, Program(_NAME, version(_NAME)), _say)


def _say(took: bool) -> None:
    if took:
        logs.info("the collector of traces is back")
    else:
        logs.warning("the collector of traces takes none: they are dropped meanwhile")
