"""Roles, the scopes that each has, and the caller of a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lib.errors import Error, Kind


class Role(StrEnum):
    """What a key was made for."""

    CLIENT = "client"
    DEBUGGER = "debugger"
    ADMIN = "admin"


class Scope(StrEnum):
    """What an endpoint or an option asks for."""

    EXTRACT_RUN = "extract:run"
    DEBUG_RUN = "debug:run"
    DEBUG_READ_RAW = "debug:read_raw"


ROLE_PRESET_SCOPES: Mapping[Role, Sequence[Scope]] = {
    Role.CLIENT: (Scope.EXTRACT_RUN,),
    Role.DEBUGGER: (Scope.EXTRACT_RUN, Scope.DEBUG_RUN),
    Role.ADMIN: (Scope.EXTRACT_RUN, Scope.DEBUG_RUN, Scope.DEBUG_READ_RAW),
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request."""

    key_id: str
    role: Role

    @property
    def scopes(self) -> Sequence[Scope]:
        """The scopes of the caller's role."""
        return ROLE_PRESET_SCOPES[self.role]

    def require(self, *scopes: Scope) -> None:
        """Raise `forbidden` unless the caller has all of them."""
        if any(scope not in self.scopes for scope in scopes):
            raise Error(
                "forbidden",
                Kind.FORBIDDEN,
                "The API key does not have the scope that this needs.",
                {"required_scopes": [scope.value for scope in scopes]},
            )

    def may_see(self, owner_key_id: str) -> bool:
        """Whether what belongs to that key may be shown to the caller: their own; an admin, all."""
        return self.role is Role.ADMIN or owner_key_id == self.key_id


LOCAL_ADMIN = Caller("local", Role.ADMIN)
"""Every caller of a server that does not ask for keys."""
