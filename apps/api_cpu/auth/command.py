"""`ocr keys`: create, list, revoke, rotate."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

import typer

from apps.api_cpu import console
from apps.api_cpu.auth.roles import Role
from apps.api_cpu.auth.service import KeyService, NewKey, utc_now
from apps.api_cpu.auth.store import KeyStore, StoredKey
from apps.api_cpu.db.engine import Durability, Schema, open_database
from lib.errors import Error

keys_commands = typer.Typer(help="API keys.", no_args_is_help=True, add_completion=False)

KeyId = Annotated[str, typer.Argument(help="As `ocr keys list` shows it.")]


@keys_commands.command()
def create(
    name: Annotated[str, typer.Option(help="Who or what the key is for.")] = "",
    role: Annotated[Role, typer.Option(help="What the key may do.")] = Role.CLIENT,
    expires_days: Annotated[
        int | None, typer.Option(min=1, max=36500, help="Days until it expires; default never.")
    ] = None,
) -> None:
    """Make a key and show it, this once."""
    lifetime = None if expires_days is None else timedelta(days=expires_days)
    _show(_service().create(name[:100], role, lifetime))


@keys_commands.command("list")
def list_keys() -> None:
    """Show all keys, but not their secrets."""
    table = console.list_table("key id", "name", "role", "state", "created", "expires", "last used")
    now = utc_now()
    for key in _service().all():
        table.add_row(
            key.key_id,
            key.name,
            key.role.value,
            _state(key, now),
            _moment(key.created_at),
            _moment(key.expires_at),
            _moment(key.last_used_at),
        )
    console.print_list(table)


@keys_commands.command()
def revoke(key_id: KeyId) -> None:
    """End a key now and for good."""
    try:
        _service().revoke(key_id)
    except Error as error:
        raise console.stopped(error, code=1) from None
    console.out.print(f"{key_id} is revoked.")


@keys_commands.command()
def rotate(
    key_id: KeyId,
    grace_hours: Annotated[
        float,
        typer.Option(
            min=0,
            max=8760,
            callback=console.finite,
            help="Hours for which the old secret still works.",
        ),
    ] = 0,
) -> None:
    """Give a key a new secret and show it, this once. Its id and what it owns stay."""
    try:
        key = _service().rotate(key_id, timedelta(hours=grace_hours))
    except Error as error:
        raise console.stopped(error, code=1) from None
    _show(key)


def _service() -> KeyService:
    settings = console.settings_or_exit()
    if settings.api_key_pepper is None:
        raise console.stopped(
            "API_KEY_PEPPER is missing: keys cannot be made or checked without it. "
            'Make one and keep it: export API_KEY_PEPPER="$(openssl rand -hex 32)"'
        )
    try:
        engine = open_database(settings.auth_database, Schema.KEYS, Durability.POWER_LOSS)
    except Error as error:
        raise console.stopped(error, code=1) from None
    return KeyService(KeyStore(engine), settings.api_key_pepper.get_secret_value())


def _show(key: NewKey) -> None:
    console.err.print("This is the only time that the key is shown:")
    console.out.print(key.text)


def _state(key: StoredKey, now: datetime) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= now else "valid"


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M}"
