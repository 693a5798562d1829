"""Wire shapes of `/v1/me`."""

from __future__ import annotations

from pydantic import ConfigDict

from apps.api_cpu.auth.roles import Role, Scope
from apps.api_cpu.wire import WireShape


class Me(WireShape):
    """The caller's key."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"key_id": "3f9a1c0b7d52", "role": "client", "scopes": ["extract:run"]}]
        }
    )

    key_id: str
    role: Role
    scopes: list[Scope]
