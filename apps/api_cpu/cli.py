"""`ocr`: the command line. A command's module is imported when the command is used."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from lib.errors import Error

# The server's first answer must not wait for what only an evaluation imports.
_COMMANDS: Mapping[str, tuple[str, str]] = {
    "serve": ("apps.api_cpu.serve", "serve_command"),
    "worker": ("apps.api_cpu.worker", "worker_command"),
    "extract": ("apps.api_cpu.extractions.command", "extract_command"),
    "batch": ("apps.api_cpu.batches.command", "batch_command"),
    "eval": ("apps.api_cpu.evals.command", "eval_command"),
    "evals": ("apps.api_cpu.evals.compare_command", "evals_commands"),
    "webhooks": ("apps.api_cpu.webhooks.command", "webhooks_commands"),
    "corrections": ("apps.api_cpu.corrections.command", "corrections_commands"),
    "artifacts": ("apps.api_cpu.archive.command", "artifacts_commands"),
    "jobs": ("apps.api_cpu.jobs.command", "jobs_commands"),
    "keys": ("apps.api_cpu.auth.command", "keys_commands"),
}


class _Commands(TyperGroup):
    # Typer builds on click or on a copy of its own, depending on its version: hence `Any`.
    def list_commands(self, ctx: Any) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in _COMMANDS:
            return None
        module, attribute = _COMMANDS[cmd_name]
        found = getattr(import_module(module), attribute)
        if not isinstance(found, typer.Typer):
            alone = typer.Typer(add_completion=False)
            alone.command()(found)
            found = alone
        command = get_command(found)
        command.name = cmd_name
        return command

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Error as error:
            from apps.api_cpu import console  # noqa: PLC0415 (with the settings: few commands fail)

            raise console.stopped(error, code=1) from None


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)


@app.callback()
def ocr() -> None:
    """Reads receipts and invoices: a server, and the same from the command line."""


def main() -> None:
    """Entry point of the `ocr` program."""
    app()
