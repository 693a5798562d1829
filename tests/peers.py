"""Real Redis, RabbitMQ and PostgreSQL for the tests."""

from __future__ import annotations

import os
import warnings

import pytest

from scripts.service_processes import Peer, script

__all__ = ["Peer", "started"]


def started(name: str) -> Peer:
    """A new peer that serves. In CI a missing one fails; elsewhere it skips, and says so loudly."""
    if name in script("missing").split():
        how = f"{name} is not installed: scripts/bootstrap_services.sh install"
        if os.environ.get("CI"):
            pytest.fail(how)
        warnings.warn(how, stacklevel=2)
        pytest.skip(how)
    peer = Peer(name)
    try:
        peer.start()
    except BaseException:
        peer.close()
        raise
    return peer
