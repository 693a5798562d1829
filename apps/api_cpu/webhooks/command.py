"""`ocr webhooks`: deliveries listed and sent again, signing secrets shown and rotated."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from apps.api_cpu import console
from apps.api_cpu.auth.roles import LOCAL_ADMIN
from apps.api_cpu.auth.store import KeyStore
from apps.api_cpu.db.engine import Durability, Schema, open_database
from apps.api_cpu.settings import Settings
from apps.api_cpu.webhooks.build import build_signing_secrets
from apps.api_cpu.webhooks.schemas import shown
from apps.api_cpu.webhooks.service import WebhookService
from apps.api_cpu.webhooks.store import DeliveryStore, SecretVersion, State
from lib.errors import Error

webhooks_commands = typer.Typer(
    help="Webhooks: what was sent, and the secrets that sign it.",
    no_args_is_help=True,
    add_completion=False,
)


@webhooks_commands.command("list")
def list_deliveries(
    state: Annotated[State, typer.Option(help="Which ones.")] = State.UNDELIVERED,
    limit: Annotated[int, typer.Option(min=1, max=200, help="The newest so many.")] = 50,
) -> None:
    """Show deliveries of all keys, those that were given up unless told otherwise."""
    table = console.list_table("delivery id", "key", "event", "host", "attempts", "last", "created")
    try:
        found = _store(console.settings_or_exit()).page(None, state, None, limit)
    except Error as error:
        raise console.stopped(error, code=1) from None
    for each in found:
        view = shown(each)
        table.add_row(
            each.delivery_id,
            each.owner_key_id,
            each.event,
            each.host,
            str(each.attempts),
            str(each.last_status or each.last_problem or ""),
            view["created_at"],
        )
    console.print_list(table)


@webhooks_commands.command()
def replay(
    delivery_id: Annotated[str, typer.Argument(help="As `ocr webhooks list` shows it.")],
) -> None:
    """Have a webhook sent again by the server, at once and for another day if need be."""
    try:
        service = WebhookService(_store(console.settings_or_exit()))
        service.replay(delivery_id, LOCAL_ADMIN)
    except Error as error:
        raise console.stopped(error, code=1) from None
    console.out.print(f"{delivery_id} will be sent.")


@webhooks_commands.command()
def secret(
    key_id: Annotated[
        str, typer.Argument(help="As `ocr keys list` shows it; default: without keys.")
    ] = LOCAL_ADMIN.key_id,
    rotate: Annotated[bool, typer.Option("--rotate", help="Make a new one first.")] = False,
    grace_hours: Annotated[
        float,
        typer.Option(
            min=0, max=8760, callback=console.finite, help="Hours for which the old one signs too."
        ),
    ] = 24,
) -> None:
    """Show the secret that signs the webhooks of a key; its receiver needs it, nobody else."""
    settings = console.settings_or_exit()
    try:
        if key_id != LOCAL_ADMIN.key_id and not _exists(settings, key_id):
            raise console.stopped("There is no such key, or it is revoked.", code=1)
        version = _version(_store(settings), key_id, grace_hours if rotate else None)
        text = build_signing_secrets(settings).secret(key_id, version.version)
    except Error as error:
        raise console.stopped(error, code=1) from None
    console.out.print(text)


def _version(store: DeliveryStore, key_id: str, grace_hours: float | None) -> SecretVersion:
    if grace_hours is None:
        return store.secret_version(key_id)
    return store.rotate_secret(key_id, time.time() + grace_hours * 3600 if grace_hours else None)


def _exists(settings: Settings, key_id: str) -> bool:
    engine = open_database(settings.auth_database, Schema.KEYS, Durability.POWER_LOSS)
    found = KeyStore(engine).get(key_id)
    return found is not None and found.revoked_at is None


def _store(settings: Settings) -> DeliveryStore:
    return DeliveryStore(open_database(settings.jobs_database, Schema.JOBS, Durability.POWER_LOSS))
