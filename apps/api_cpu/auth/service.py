"""Makes, checks, rotates and revokes API keys."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from apps.api_cpu.auth.roles import Caller, Role
from apps.api_cpu.auth.store import KeyStore, StoredKey
from lib.errors import Error, Kind

KEY_ID_LENGTH = 12
_PREFIX = "ocr"
_SECRET_BYTES = 32
_LAST_USED_RESOLUTION = timedelta(minutes=1)
_NO_MAC = bytes(32)


def utc_now() -> datetime:
    """The time in UTC, naive as SQLite stores it."""
    return datetime.now(UTC).replace(tzinfo=None)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key's secret text, which is shown once and kept nowhere."""

    key_id: str
    text: str = field(repr=False)


class KeyService:
    """Keys have the form `ocr_<key_id>_<secret>`; the database holds HMAC-SHA256(pepper, key)."""

    def __init__(
        self, store: KeyStore, pepper: str, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._store = store
        self._pepper = pepper.encode("utf-8")
        self._clock = clock

    def create(self, name: str, role: Role, lifetime: timedelta | None = None) -> NewKey:
        """A new key that expires after `lifetime`, or never."""
        key = _new_key(secrets.token_hex(KEY_ID_LENGTH // 2))
        now = self._clock()
        expires_at = None if lifetime is None else now + lifetime
        self._store.add(StoredKey(key.key_id, name, role, self._mac(key.text), now, expires_at))
        return key

    def rotate(self, key_id: str, grace: timedelta) -> NewKey:
        """A new secret for a key; the old one works until `grace` is over.

        The id stays, and with it everything that the key owns. Raises `not_found`.
        """
        stored = self._store.get(key_id)
        key = _new_key(key_id)
        keeps_old = stored is not None and grace > timedelta(0)
        replaced = stored is not None and self._store.replace_secret(
            key_id,
            self._mac(key.text),
            stored.mac if keeps_old else None,
            self._clock() + grace if keeps_old else None,
        )
        if not replaced:
            raise _no_such_key()
        return key

    def revoke(self, key_id: str) -> None:
        """End a key now. Raises `not_found`."""
        if not self._store.revoke(key_id, self._clock()):
            raise _no_such_key()

    def all(self) -> Sequence[StoredKey]:
        """All keys, revoked ones included."""
        return self._store.all()

    def authenticate(self, text: str) -> Caller:
        """Who the key belongs to. Raises `unauthorized`, the same for every reason.

        One look-up, one HMAC and two comparisons whatever the text is.
        """
        now = self._clock()
        stored = self._store.get(_key_id_of(text))
        mac = self._mac(text)
        is_current = hmac.compare_digest(mac, stored.mac if stored else _NO_MAC)
        previous = stored.previous_mac if stored else None
        is_previous = hmac.compare_digest(mac, previous or _NO_MAC)
        if stored is None or not _is_valid(stored, now):
            raise unauthorized()
        in_grace = stored.previous_expires_at is not None and now < stored.previous_expires_at
        if not (is_current or (is_previous and in_grace)):
            raise unauthorized()
        last = stored.last_used_at
        if last is None or now - last >= _LAST_USED_RESOLUTION:
            self._store.touch(stored.key_id, now)
        return Caller(stored.key_id, stored.role)

    def _mac(self, text: str) -> bytes:
        return hmac.digest(self._pepper, text.encode("utf-8", "surrogatepass"), "sha256")


def unauthorized() -> Error:
    """The one answer to a missing, unknown, expired or revoked key."""
    return Error("unauthorized", Kind.UNAUTHORIZED, "A valid API key is needed.")


def _is_valid(stored: StoredKey, now: datetime) -> bool:
    if stored.revoked_at is not None:
        return False
    return stored.expires_at is None or now < stored.expires_at


def _new_key(key_id: str) -> NewKey:
    return NewKey(key_id, f"{_PREFIX}_{key_id}_{secrets.token_urlsafe(_SECRET_BYTES)}")


def _key_id_of(text: str) -> str:
    parts = text.split("_", 2)
    return parts[1][:KEY_ID_LENGTH] if len(parts) == 3 else ""


def _no_such_key() -> Error:
    return Error("not_found", Kind.NOT_FOUND, "There is no such key, or it is revoked.")
