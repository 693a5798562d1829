"""The engine's arguments that the fork knows; another one is a TypeError, as there."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class AsyncEngineArgs:
    model: str
    revision: str | None = None
    tokenizer_revision: str | None = None
    task: str = "auto"
    scheduler_cls: str = ""
    dtype: str = "auto"
    max_model_len: int | None = None
    max_num_seqs: int = 256
    gpu_memory_utilization: float = 0.9
    enforce_eager: bool = False
    disable_async_output_proc: bool = False
    disable_log_requests: bool = False
