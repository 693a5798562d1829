"""Logging: one sink on stderr in JSON or text, API keys masked whatever is logged."""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC
from typing import TYPE_CHECKING, Any

from loguru import logger

from apps.api_cpu.request_context import RequestContext
from apps.api_cpu.wire import dump, timestamp
from lib.errors import Error

if TYPE_CHECKING:
    from loguru import Message, Record

_TRACEBACK = "Traceback (most recent call last):"
API_KEY_SHAPE = re.compile(r"ocr_[0-9a-f]{12}_[A-Za-z0-9_-]{20,}")
# What stops a start is one of these, and the server has said why.
_SAID = f"{Error.__module__}.{Error.__qualname__}"
_RAISED = re.compile(r"^((?:\w+\.)*\w+)(?::|$)", re.MULTILINE)
# Whatever is logged on behalf of a request or a job says whose it is.
_working_for: ContextVar[RequestContext | None] = ContextVar("working_for", default=None)
_BEARER = re.compile(r"(?i)(bearer\s+|x-api-key\W+)\S+")


def set_up_logging(level: str, style: str | None) -> None:
    """Send our records and those of uvicorn and the libraries to stderr.

    `style`: json or text; None is text where stderr is a terminal.
    """
    as_text = sys.stderr.isatty() if style is None else style == "text"
    logger.remove()
    logger.configure(patcher=_complete)
    sink = _write_text if as_text else _write_json
    logger.add(sink, level=level, backtrace=False, diagnose=False, catch=True)
    # What libraries tell at DEBUG holds whatever they send: signatures, addresses, documents.
    libraries = max(logging.INFO, logging.getLevelName(level))
    logging.basicConfig(handlers=[_Forward()], level=libraries, force=True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "alembic"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = name not in {"uvicorn.access", "alembic"}
    # uvicorn narrates its start and its stop; the server says itself what matters of that.
    logging.getLogger("uvicorn.error").setLevel(max(logging.WARNING, logging.getLevelName(level)))
    # They narrate every request to another server, with its address.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # It quotes the bytes that it does not like.
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)


@contextmanager
def within(context: RequestContext) -> Iterator[None]:
    """Have every record of the block, and of threads begun in it, say whose work it is."""
    token = _working_for.set(context)
    try:
        yield
    finally:
        _working_for.reset(token)


def info(message: str, **fields: object) -> None:
    """Log a record with fields."""
    logger.bind(**fields).info("{}", message)


def warning(message: str, **fields: object) -> None:
    """Log a record of something that an operator should see."""
    logger.bind(**fields).warning("{}", message)


def failure(message: str, **fields: object) -> None:
    """Log a record of something that a person has to look after."""
    logger.bind(**fields).error("{}", message)


def unexpected(exc: BaseException, **fields: object) -> None:
    """Log an exception nobody expected: its type and where it came from, never its text.

    The text may quote what was being read: a document, a header, a key.
    """
    frames = traceback.extract_tb(exc.__traceback__)[-12:]
    where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    logger.bind(exception=type(exc).__name__, traceback=where, **fields).error(
        "unexpected exception"
    )


def masked(text: str) -> str:
    """`text` without API keys and authorization headers."""
    return _BEARER.sub(r"\1***", API_KEY_SHAPE.sub("ocr_***", text))


def _complete(record: Record) -> None:
    """Add the ids of the work, which may have become known since it began, and mask keys."""
    context = _working_for.get()
    if context is not None:
        ids = {
            "request_id": context.request_id,
            "job_id": context.job_id,
            "key_id": context.key_id,
            "trace_id": context.span.trace_id,
        }
        for name, value in ids.items():
            if value is not None:
                record["extra"].setdefault(name, value)
    record["message"] = masked(record["message"])
    for name, value in record["extra"].items():
        if isinstance(value, str):
            record["extra"][name] = masked(value)


def _write_json(message: Message) -> None:
    record = message.record
    line: dict[str, Any] = {
        "time": timestamp(record["time"].astimezone(UTC)),
        "level": record["level"].name,
        "message": record["message"],
        **record["extra"],
    }
    sys.stderr.write(dump(line).decode("utf-8") + "\n")


def _write_text(message: Message) -> None:
    record = message.record
    moment = record["time"].astimezone(UTC)
    fields = [f"{name}={value}" for name, value in record["extra"].items() if value is not None]
    line = [f"{moment:%H:%M:%SZ}", f"{record['level'].name:<7}", record["message"], *fields]
    sys.stderr.write(" ".join(line) + "\n")


def _frames_of(text: str) -> dict[str, object]:
    """Of a traceback in a text what `unexpected` tells of one: type and places."""
    where = [line.strip() for line in text.splitlines() if line.startswith('  File "')]
    raised = [name for name in _RAISED.findall(text) if name.endswith(("Error", "Exception"))]
    return {"exception": raised[-1] if raised else "?", "traceback": where[-12:]}


class _Forward(logging.Handler):
    """Hands records of the standard library's logging to loguru, without their exception texts."""

    def emit(self, record: logging.LogRecord) -> None:
        """Forward one record."""
        fields: dict[str, object] = {"logger": record.name}
        if record.exc_info and record.exc_info[0]:
            fields["exception"] = record.exc_info[0].__name__
        message = record.getMessage()
        if message.startswith(_TRACEBACK):  # uvicorn's, of a start that failed
            fields |= _frames_of(message)
            if fields["exception"] == _SAID:
                return
            message = "unexpected exception"
        # asyncio's further lines are reprs of what failed, with the texts of exceptions.
        message = message.partition("\n")[0]
        level: str | int = record.levelname
        try:
            logger.level(record.levelname)
        except ValueError:
            level = record.levelno
        logger.bind(**fields).log(level, "{}", message)
