"""`ocr serve` with a decoder that gives up sooner, so that bombs take seconds and not minutes."""

from __future__ import annotations

import sys
from dataclasses import replace

from apps.api_cpu import logs
from apps.api_cpu.main import create_app
from apps.api_cpu.server import Server, give_large_buffers_back
from apps.api_cpu.settings import Settings, load_settings
from apps.api_cpu.stations import Reader, build_reader
from lib.loading.limits import LoadingLimits
from lib.loading.loader import build_loader


def _strict_reader(settings: Settings) -> Reader:
    reader = build_reader(settings)
    limits = LoadingLimits(
        cpu_seconds=2,
        memory_bytes=700_000_000,
        documents_per_process=settings.decoder_documents,
    )
    loader = build_loader(limits)

    def close() -> None:
        loader.close()
        reader.close()

    return replace(reader, stations=replace(reader.stations, loader=loader), close=close)


def _announce(host: str, port: int) -> None:
    sys.stdout.write(f"http://{host}:{port}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    settings = load_settings(port=0)
    logs.set_up_logging(settings.log_level, "json")
    give_large_buffers_back()
    Server(create_app(settings, _strict_reader), settings, _announce).run()
