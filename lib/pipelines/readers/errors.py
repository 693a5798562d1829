"""Why a document is given back without its fields."""

from __future__ import annotations

from lib.errors import Error, Kind


def timed_out() -> Error:
    """The caller's deadline has passed."""
    return Error(
        "inference_timeout",
        Kind.TIMEOUT,
        "The document was not read in the time allowed.",
        retryable=True,
    )


def too_long() -> Error:
    """The document used up the time that finding its fields may take."""
    return Error(
        "unreadable_document",
        Kind.UNPROCESSABLE,
        "Finding the fields of the document took longer than it may.",
        {"reason": "timeout"},
    )


def crashed() -> Error:
    """The document ended two field readers."""
    return Error(
        "unreadable_document",
        Kind.UNPROCESSABLE,
        "Finding the fields of the document ended the process that did it.",
        {"reason": "crashed"},
    )


def lost() -> Error:
    """One reader after the other ended before it had the document."""
    return Error(
        "inference_unavailable",
        Kind.UNAVAILABLE,
        "The processes that find fields ended before they had the document.",
        retryable=True,
    )


def failed() -> Error:
    """A bug, whose place is in the log."""
    return Error("internal_error", Kind.INTERNAL, "Finding the fields of the document failed.")


def overloaded(waiting: int) -> Error:
    """More documents wait than may."""
    return Error(
        "inference_unavailable",
        Kind.UNAVAILABLE,
        "Too many documents are waiting to be read.",
        {"waiting": waiting},
        retryable=True,
    )


def none_started() -> Error:
    """No reader can be started, though there was one before."""
    return Error(
        "inference_unavailable",
        Kind.UNAVAILABLE,
        "No field reader could be started.",
        retryable=True,
    )


def shutting_down() -> Error:
    """The pool is closed."""
    return Error("shutting_down", Kind.UNAVAILABLE, "The service is shutting down.", retryable=True)
