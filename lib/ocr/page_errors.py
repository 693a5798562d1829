"""Why the pool gives a page back unread."""

from __future__ import annotations

from lib.errors import Error, Kind


def timed_out() -> Error:
    """The caller's deadline has passed."""
    return Error(
        "inference_timeout",
        Kind.TIMEOUT,
        "The page was not read before the deadline.",
        retryable=True,
    )


def too_long() -> Error:
    """The page used up the time that a page may take."""
    return Error(
        "unreadable_document",
        Kind.UNPROCESSABLE,
        "Reading a page took longer than a page may.",
        {"reason": "timeout"},
    )


def crashed() -> Error:
    """The page ended its worker."""
    return Error(
        "unreadable_document",
        Kind.UNPROCESSABLE,
        "Reading a page ended the OCR process.",
        {"reason": "crashed"},
    )


def lost() -> Error:
    """One worker after the other ended before it had the page."""
    return Error(
        "inference_unavailable",
        Kind.UNAVAILABLE,
        "The OCR processes ended before they had the page.",
        retryable=True,
    )


def shutting_down() -> Error:
    """The pool is closed."""
    return Error("shutting_down", Kind.UNAVAILABLE, "The service is shutting down.", retryable=True)
