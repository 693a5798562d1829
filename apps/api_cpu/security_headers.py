"""The headers of every answer that tell a browser what it must not do with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), "
    "payment=(), usb=()",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""An answer that has one of these already keeps its own: the page's policy is another."""


def security_headers(hsts_seconds: int) -> Mapping[str, str]:
    """`SECURITY_HEADERS`, with HSTS (RFC 6797) of so many seconds unless that is 0."""
    if hsts_seconds == 0:
        return SECURITY_HEADERS
    return {**SECURITY_HEADERS, "Strict-Transport-Security": f"max-age={hsts_seconds}"}
