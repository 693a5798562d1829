"""The errors that loading raises, one function for each code."""

from __future__ import annotations

from lib.errors import Error, Kind


def unreadable(reason: str) -> Error:
    """The bytes are of a supported type but cannot be decoded; `reason` is a stable word."""
    return Error(
        "unreadable_document",
        Kind.UNPROCESSABLE,
        "The document is damaged or cannot be decoded.",
        {"reason": reason},
    )


def unsupported() -> Error:
    """The content is none of the supported types."""
    return Error(
        "unsupported_media_type",
        Kind.UNSUPPORTED,
        "The content is not a supported document: PDF, JPEG, PNG, WebP, TIFF, BMP, HEIC, "
        "or an e-invoice in CII or UBL XML.",
    )


def encrypted() -> Error:
    """The document needs a password to be opened."""
    return Error(
        "encrypted_document",
        Kind.UNPROCESSABLE,
        "The document is protected by a password.",
    )


def empty() -> Error:
    """There are no bytes, or no pages in them."""
    return Error("empty_document", Kind.UNPROCESSABLE, "The document has no content.")


def too_many_bytes(limit: int) -> Error:
    """More bytes than allowed."""
    return Error(
        "payload_too_large",
        Kind.TOO_LARGE,
        f"The document is larger than {limit} bytes.",
        {"limit": limit},
    )


def too_many_pages(limit: int) -> Error:
    """More pages than allowed."""
    return Error(
        "too_many_pages",
        Kind.UNPROCESSABLE,
        f"The document has more than {limit} pages.",
        {"limit": limit},
    )


def page_too_large(limit: str) -> Error:
    """A page or an image is larger than allowed; `limit` says which ceiling, with its unit."""
    return Error(
        "page_too_large",
        Kind.UNPROCESSABLE,
        f"A page is larger than {limit}.",
        {"limit": limit},
    )


def out_of_time() -> Error:
    """The request's own deadline has passed."""
    return Error(
        "inference_timeout",
        Kind.TIMEOUT,
        "The document could not be opened in time.",
        retryable=True,
    )


def no_process() -> Error:
    """No decoder process could be started, or it ended through no fault of its document."""
    return Error(
        "inference_unavailable",
        Kind.UNAVAILABLE,
        "No process is available to open the document.",
        retryable=True,
    )
