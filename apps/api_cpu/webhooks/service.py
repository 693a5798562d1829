"""Deliveries as their owners see them: listed, and sent again by hand."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from apps.api_cpu.auth.roles import Caller
from apps.api_cpu.errors import not_found
from apps.api_cpu.webhooks.schemas import shown
from apps.api_cpu.webhooks.store import Delivery, DeliveryStore, State

_DAY_S = 24 * 3600.0
_DELIVERED_KEPT_S = 7 * _DAY_S
_UNDELIVERED_KEPT_S = 30 * _DAY_S


class WebhookService:
    """Safe to share between threads."""

    def __init__(
        self,
        store: DeliveryStore,
        ring: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`ring` tells whoever sends that something is due."""
        self._store = store
        self._ring = ring
        self._clock = clock

    def page(
        self, caller: Caller, state: State | None, cursor: str | None, limit: int
    ) -> dict[str, Any]:
        """Deliveries, the newest first: the caller's own, for an admin those of every key."""
        owner = None if caller.may_see("") else caller.key_id
        found = self._store.page(owner, state, cursor, limit + 1)
        more = len(found) > limit
        return {
            "deliveries": [shown(each) for each in found[:limit]],
            "next_cursor": found[limit - 1].delivery_id if more else None,
        }

    def replay(self, delivery_id: str, caller: Caller) -> dict[str, Any]:
        """Send a delivery again, whatever became of it, for another day. Raises `not_found`."""
        self._find(delivery_id, caller)
        self._store.replay(delivery_id, self._clock())
        self._ring()
        return shown(self._find(delivery_id, caller))

    def purge(self) -> int:
        """Forget what was delivered a week ago and what was given up a month ago; how many."""
        now = self._clock()
        return self._store.purge(now - _DELIVERED_KEPT_S, now - _UNDELIVERED_KEPT_S)

    def _find(self, delivery_id: str, caller: Caller) -> Delivery:
        found = self._store.find(delivery_id)
        if found is None or not caller.may_see(found.owner_key_id):
            raise not_found()
        return found
