"""The terminal: where commands write, and how they stop when the settings are wrong."""

from __future__ import annotations

from typing import Any

import typer
from rich.console import Console

from apps.api_cpu.settings import Settings, SettingsError, load_settings
from lib.errors import Error

out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, highlight=False)

USAGE_ERROR = 2


def settings_or_exit(**overrides: Any) -> Settings:
    """The settings; exit 2 after one line when they are wrong."""
    try:
        return load_settings(**overrides)
    except SettingsError as error:
        raise stopped(str(error)) from None


def stopped(reason: str | Error, code: int = USAGE_ERROR) -> typer.Exit:
    """What to raise to leave with `code` after one line on stderr."""
    text = reason.message if isinstance(reason, Error) else reason
    err.print(f"[bold red]error:[/] {_plain(text)}", soft_wrap=True)
    return typer.Exit(code)


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
