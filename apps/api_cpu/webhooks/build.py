"""Everything of webhooks, put together from the settings."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from apps.api_cpu.settings import Settings
from apps.api_cpu.webhooks.callback import CallbackPolicy
from apps.api_cpu.webhooks.deliverer import Deliverer, ShownJob
from apps.api_cpu.webhooks.sender import HttpSender
from apps.api_cpu.webhooks.service import WebhookService
from apps.api_cpu.webhooks.signing import SigningSecrets
from apps.api_cpu.webhooks.store import DeliveryStore
from apps.tracing.tracer import Tracer
from lib.errors import Error, Kind

_ROOT_BYTES = 32


@dataclass(frozen=True, slots=True)
class Webhooks:
    """What sends webhooks, and what shows them."""

    deliverer: Deliverer
    service: WebhookService


def build_callback_policy(settings: Settings) -> CallbackPolicy:
    """Where webhooks may go."""
    return CallbackPolicy(allow_private=settings.webhook_allow_private)


def build_webhooks(
    settings: Settings,
    store: DeliveryStore,
    policy: CallbackPolicy,
    shown_job: ShownJob,
    tracer: Tracer,
) -> Webhooks:
    """Webhooks of this table; nothing is sent before the deliverer starts.

    Raises `storage_unavailable` when the secrets' root cannot be made.
    """
    signing = build_signing_secrets(settings)
    deliverer = Deliverer(store, HttpSender(policy), signing, shown_job, tracer=tracer)
    return Webhooks(deliverer, WebhookService(store, deliverer.ring))


def build_signing_secrets(settings: Settings) -> SigningSecrets:
    """The secrets of the pepper; without one, of a key file that is made when it is missing."""
    if settings.api_key_pepper is not None:
        return SigningSecrets(settings.api_key_pepper.get_secret_value().encode("utf-8"))
    try:
        return SigningSecrets(_root_in(settings.webhook_key_file))
    except OSError:
        raise Error(
            "storage_unavailable",
            Kind.UNAVAILABLE,
            "The key file of webhooks below DATA_ROOT cannot be read or made.",
        ) from None


def _root_in(path: Path) -> bytes:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = path.with_name(f"{path.name}.{os.getpid()}")
        made.touch(mode=0o600)
        made.write_bytes(secrets.token_bytes(_ROOT_BYTES))
        try:
            # A link is made by one of those who try at once, and whole.
            os.link(made, path)
        except FileExistsError:
            pass
        finally:
            made.unlink()
    return path.read_bytes()
