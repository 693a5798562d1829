"""The key of an inference server. Light: settings need it, and no HTTP client with it."""

from __future__ import annotations


class Secret:
    """A key that shows nowhere: not in a repr, an exception or a log record."""

    def __init__(self, value: str) -> None:
        """Raises ValueError, without the key, for one that no HTTP header can carry."""
        if not all("!" <= character <= "~" for character in value):
            raise ValueError("the key has a character that a header cannot carry")
        self._value = value

    def __repr__(self) -> str:
        return "Secret(***)" if self._value else "Secret()"

    def headers(self) -> dict[str, str]:
        """The `Authorization` header; none without a key."""
        return {"Authorization": f"Bearer {self._value}"} if self._value else {}
