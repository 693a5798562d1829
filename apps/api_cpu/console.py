"""The terminal: where commands write, and how they stop when the settings are wrong."""

from __future__ import annotations

import math
import os
from typing import Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from apps.api_cpu.settings import Settings, SettingsError, load_settings
from lib.errors import Error

out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, highlight=False)

USAGE_ERROR = 2

# Wider than any list of ours, which takes no more than it needs.
_wide = Console(width=1000, highlight=False)


def list_table(*columns: str) -> Table:
    """A table for `print_list`."""
    return Table(*columns, box=SIMPLE_HEAD, show_edge=False, pad_edge=False)


def print_list(table: Table) -> None:
    """Write a table in its own width: a narrow terminal folds its lines, and nothing is cut, so
    that `grep` finds whole words.
    """
    _wide.print(table)


def settings_or_exit(**overrides: Any) -> Settings:
    """The settings; exit 2 after one line when they are wrong."""
    try:
        return load_settings(**overrides)
    except SettingsError as error:
        raise stopped(str(error)) from None


def key_in(variable: str) -> str:
    """The API key in an environment variable, empty without one; exit 2 for what is none."""
    key = os.environ.get(variable, "")
    if not (key.isascii() and key.isprintable()):
        raise stopped(f"the environment variable {variable} holds no API key")
    return key


def finite(number: float) -> float:
    """For options: refuses what is no number, which no bound does."""
    if not math.isfinite(number):
        raise typer.BadParameter("must be a number")
    return number


def stopped(reason: str | Error, code: int = USAGE_ERROR) -> typer.Exit:
    """What to raise to leave with `code` after one line on stderr."""
    text = reason.message if isinstance(reason, Error) else reason
    err.print(f"[bold red]error:[/] {_plain(text)}", soft_wrap=True)
    return typer.Exit(code)


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
