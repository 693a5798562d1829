"""`ocr`: the command line."""

from __future__ import annotations

from typing import Annotated

import typer

from apps.api_cpu import console
from apps.api_cpu.auth.command import keys_commands
from apps.api_cpu.evals.command import eval_command
from apps.api_cpu.extractions.command import extract_command
from apps.api_cpu.logs import set_up_logging
from apps.api_cpu.main import create_app
from apps.api_cpu.server import Server

app = typer.Typer(
    help="Reads receipts and invoices.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
app.add_typer(keys_commands, name="keys")
app.command("extract")(extract_command)
app.command("eval")(eval_command)

_SAMPLE = "samples/receipt_photo.jpg"


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port; 0 for a free one (PORT).")] = None,
) -> None:
    """Run the server until SIGTERM or Ctrl-C; running requests are finished first."""
    settings = console.settings_or_exit(host=host, port=port)
    set_up_logging(settings.log_level, settings.log_format)

    def announce(url: str) -> None:
        header = '-H "Authorization: Bearer $API_KEY" ' if settings.asks_for_keys else ""
        console.out.print(f"Listening on {url}  (the page for people: {url}/)", markup=False)
        console.out.print(f"Try: curl {header}-F file=@{_SAMPLE} {url}/v1/extract", markup=False)

    server = Server(create_app(settings), settings, announce)
    server.run()
    if not server.started:
        raise console.stopped("the server did not start; the log says why", code=1)


def main() -> None:
    """Entry point of the `ocr` program."""
    app()
