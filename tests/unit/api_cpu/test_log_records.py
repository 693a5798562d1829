"""What a record says of whose work it is, and what it leaves out."""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from loguru import logger
from recorded_spans import TRACE_ID, RecordedSpan

from apps.api_cpu import logs
from apps.api_cpu.request_context import RequestContext


@pytest.fixture(autouse=True)
def _written() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    logs.set_up_logging("INFO", "json")
    yield
    logger.remove()
    root.handlers, root.level = handlers, level


def _records(text: str, *messages: str) -> list[dict[str, Any]]:
    """Those that say so, in their order: what else of this process logs meanwhile is not asked."""
    records = [json.loads(line) for line in text.splitlines()]
    return [record for record in records if record["message"] in messages]


def test_a_record_says_whose_work_it_is_as_far_as_that_is_known(
    capsys: pytest.CaptureFixture[str],
) -> None:
    context = RequestContext("r-1")
    logs.info("before")
    with logs.within(context):
        logs.info("begun")
        context.key_id, context.job_id, context.span = "alice", "j-1", RecordedSpan()
        logs.warning("later", request_id="of another")
    logs.info("after")
    said = capsys.readouterr().err
    before, begun, later, after = _records(said, "before", "begun", "later", "after")
    ids = {"request_id", "key_id", "job_id", "trace_id"}
    assert not ids & {*before, *after}
    assert {name: begun[name] for name in ids & set(begun)} == {"request_id": "r-1"}
    assert [later[name] for name in ("key_id", "job_id", "trace_id")] == ["alice", "j-1", TRACE_ID]
    assert later["request_id"] == "of another", "what is said of somebody else stays"


def test_a_thread_that_is_given_the_context_says_it_too(capsys: pytest.CaptureFixture[str]) -> None:
    async def working() -> None:
        with logs.within(RequestContext("r-2")):
            within = contextvars.copy_context().run
            await asyncio.get_running_loop().run_in_executor(None, within, logs.info, "read")

    asyncio.run(working())
    (record,) = _records(capsys.readouterr().err, "read")
    assert record["request_id"] == "r-2"


def test_a_library_says_one_line_and_no_exceptions_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def failing() -> None:
        raise ValueError("planted words")

    async def forgetting() -> None:
        task = asyncio.create_task(failing())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        del task

    asyncio.run(forgetting())
    logging.getLogger("anything").debug("planted words")
    said = capsys.readouterr().err
    (record,) = _records(said, "Task exception was never retrieved")
    assert record["exception"] == "ValueError"
    assert "planted" not in said
