"""Our engine over the fork's names and failures, without its GPU."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.api_gpu.engine import EngineDiedError, EnginePage, Picture, Prompt, RefusedByEngineError
from apps.api_gpu.tilt_engine import ForkEngine, TiltOptions

STAND_IN = Path(__file__).resolve().parents[2] / "stand_ins" / "arctic_tilt"
PAPER = Picture(768, 4, "L", b"\xff" * 768 * 4)


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(STAND_IN))
    for name in ("VLLM_ATTENTION_BACKEND", "VLLM_USE_V1"):
        monkeypatch.setenv(name, "")
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "vllm"]:
        del sys.modules[name]


async def started(**options: Any) -> ForkEngine:
    given = {
        "model": "m",
        "revision": "abc",
        "gpu_memory_utilization": 0.7,
        "max_num_seqs": 4,
        "max_tokens": None,
        "max_pages": 50,
    }
    engine = ForkEngine(TiltOptions(**given | options))
    await engine.start()
    return engine


def fork_of(engine: ForkEngine) -> Any:
    return engine._engine


def prompt(engine: ForkEngine, question: str, *words: str) -> Prompt:
    page = EnginePage(words or ("Total", "12.50"), ((0, 0, 1, 1),) * (len(words) or 2), 9, 9, PAPER)
    return engine.prepare([page], [question])[0]


def test_the_fork_is_started_as_it_has_to_be() -> None:
    engine = asyncio.run(started())
    args = fork_of(engine).args
    assert (args.task, args.scheduler_cls) == ("tilt_generate", "vllm.tilt.scheduler.Scheduler")
    assert (args.enforce_eager, args.disable_async_output_proc) == (True, True)
    assert (args.revision, args.tokenizer_revision, args.dtype) == ("abc", "abc", "bfloat16")
    assert fork_of(engine).started


def test_limits_are_the_models_unless_lowered() -> None:
    limits = asyncio.run(started()).limits
    assert (limits.tokens, limits.question_tokens, limits.pages) == (125_000, 256, 50)
    assert (limits.image_width, limits.image_height, limits.at_once) == (768, 2048, 4)
    lower = asyncio.run(started(max_tokens=16_000, max_pages=250)).limits
    assert (lower.tokens, lower.pages) == (16_000, 250)


def test_tokens_are_counted_as_the_fork_does() -> None:
    engine = asyncio.run(started())
    assert engine.count_tokens(["abcd", "abcde"]) == 3
    assert engine.count_question_tokens("abcd") == 2
    assert prompt(engine, "Total").tokens == (2 + 1) + (2 + 2)


def test_an_answer_has_text_and_the_probability_of_every_token() -> None:
    async def run() -> None:
        engine = await started()
        answer = await engine.answer("a", prompt(engine, "Total"), 8)
        assert (answer.text, answer.finish_reason) == ("12.50", "stop")
        assert [(token.text, token.logprob) for token in answer.tokens] == [
            ("12.50", -0.5),
            ("", -0.25),
        ]
        full = await engine.answer("b", prompt(engine, "no room"), 8)
        assert (full.text, full.tokens, full.finish_reason) == ("", (), "length")

    asyncio.run(run())


def test_a_refused_question_is_not_a_dead_engine() -> None:
    async def run() -> None:
        engine = await started()
        with pytest.raises(RefusedByEngineError):
            await engine.answer("a", prompt(engine, "refuse"), 8)
        await engine.check()
        with pytest.raises(EngineDiedError):
            await engine.answer("b", prompt(engine, "kill"), 8)
        with pytest.raises(EngineDiedError):
            await engine.check()
        with pytest.raises(EngineDiedError):
            await engine.answer("c", prompt(engine, "Total"), 8)

    asyncio.run(run())


def test_a_cancelled_question_is_aborted_in_the_fork() -> None:
    async def run() -> None:
        engine = await started()
        fork_of(engine).hold = True
        task = asyncio.create_task(engine.answer("gone", prompt(engine, "Total"), 8))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert fork_of(engine).aborted == ["gone"]
        await engine.stop()
        assert not fork_of(engine).started

    asyncio.run(run())
