"""Names of files as items have them: of what is too long, the end, which says more."""

from __future__ import annotations

LONGEST = 255
"""Characters of an item's name, as of `filename` in a request."""

# With room for a number behind it, which tells files of one name apart.
_LONGEST_UPLOADED = LONGEST - 15


def of_named(name: str) -> str:
    """The name of a stored input, or of a file in a folder of the server."""
    return name[-LONGEST:]


def of_uploaded(name: str) -> str:
    """The name of a file that was uploaded."""
    return name[-_LONGEST_UPLOADED:].lstrip("/")


def shortened(name: str) -> list[str]:
    """What an item's name may have become of a name, other than itself."""
    return [cut for cut in (of_named(name), of_uploaded(name)) if cut != name]
