"""What a document may cost: bytes, pages, pixels, memory and time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LoadingLimits:
    """Ceilings that hold before and while a document is decoded.

    `max_side_px` and `max_pixels` are judged from an image's header, before decoding;
    `max_image_side_px` is what is handed on: larger images are averaged down by a whole factor.
    `memory_bytes` is the address space of one decoder process, `cpu_seconds` its processor time per
    request, `wall_seconds` the time that one request may take even when the deadline is later.
    `render_dpi` is for PDF pages that are drawn; a scan is rendered at its own resolution, at most
    `max_scan_dpi`.

    A process reads up to `documents_per_process` of one owner, one after the other, unless it has
    ever had more than `kept_bytes` resident; at most `kept_processes` wait for the next one, each
    at most `kept_seconds`.
    """

    max_bytes: int = 20_000_000
    max_pages: int = 50
    max_side_px: int = 10_000
    max_pixels: int = 40_000_000
    max_page_inches: float = 200.0
    max_page_characters: int = 200_000
    max_einvoice_bytes: int = 10_000_000
    max_image_side_px: int = 4_096
    render_dpi: int = 200
    max_scan_dpi: int = 300
    memory_bytes: int = 1_500_000_000
    cpu_seconds: int = 20
    wall_seconds: float = 60.0
    max_processes: int = 8
    documents_per_process: int = 1
    kept_processes: int = 2
    kept_bytes: int = 100_000_000
    kept_seconds: float = 60.0
