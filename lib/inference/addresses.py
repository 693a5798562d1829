"""Where the inference servers are: a list of addresses, fixed or in a file that may change."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import SplitResult, urlsplit
from urllib.request import url2pathname

_SEPARATORS = re.compile(r"[,\s]+")
_COMMENT = re.compile(r"(^|\s)#.*", re.MULTILINE)
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?|[0-9a-f:.]*:[0-9a-f:.]*")  # or IPv6
_PATH = re.compile(r"[A-Za-z0-9._~/-]*")
_LONGEST_FILE = 64 * 1024


class AddressBook:
    """The addresses that `VLLM_BASE_URL` names: `http(s)://host[:port][/path]`, comma-separated.

    An item `file:///path` is a file with such addresses, one a line or comma-separated, `#` begins
    a comment. It is read again when its time or size changes, so pods that move need no restart;
    write it beside and rename. A trailing `/` or `/v1` is dropped.
    """

    def __init__(self, setting: str) -> None:
        """Raises ValueError, without the address, for a setting that names no server or file."""
        self._items = _items(setting)
        if not self._items:
            raise ValueError("no address")
        self._files = {item: _AddressFile(_path(item)) for item in self._items if _is_file(item)}
        self._fixed = {item: base_address(item) for item in self._items if not _is_file(item)}

    @property
    def stale(self) -> bool:
        """Whether a file could not be read at the last look; what it held before is used."""
        return any(file.stale for file in self._files.values())

    def current(self) -> tuple[str, ...]:
        """The addresses now, each once, in order. Costs a `stat` for each file."""
        found: dict[str, None] = {}
        for item in self._items:
            if item in self._fixed:
                found[self._fixed[item]] = None
            else:
                found |= dict.fromkeys(self._files[item].current())
        return tuple(found)


class _AddressFile:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[int, int, int] | None = None
        self._addresses: tuple[str, ...] = ()
        self.stale = False

    def current(self) -> tuple[str, ...]:
        """What the file holds; what it held when it is missing, empty or wrong."""
        try:
            stat = self._path.stat()
            version = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if version != self._read:
                with self._path.open("rb") as file:
                    text = file.read(_LONGEST_FILE).decode()
                addresses = tuple(base_address(item) for item in _items(_COMMENT.sub(" ", text)))
                self._addresses = addresses or self._addresses
                self._read = version
                self.stale = not addresses
        except (OSError, ValueError):
            self.stale = True
        return self._addresses


def base_address(text: str) -> str:
    """The address in its one spelling. Raises ValueError, without the address."""
    parts = _split(text)
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(parts.hostname or ""):
        raise ValueError("an address must be http://host[:port] or https://host[:port]")
    if "@" in parts.netloc or parts.query or parts.fragment or not _PATH.fullmatch(parts.path):
        raise ValueError("an address holds a user, a query, a fragment or an odd path")
    _port(parts)
    path = parts.path.rstrip("/").removesuffix("/v1").rstrip("/")
    return f"{parts.scheme}://{parts.netloc.lower()}{path}"


def _split(text: str) -> SplitResult:
    try:
        return urlsplit(text)
    except ValueError:  # its message repeats the address
        raise ValueError("an address has a host that is none") from None


def _port(parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError:
        raise ValueError("an address has a port that is none") from None


def _items(text: str) -> tuple[str, ...]:
    return tuple(item for item in _SEPARATORS.split(text) if item)


def _is_file(item: str) -> bool:
    return _split(item).scheme == "file"


def _path(item: str) -> Path:
    parts = _split(item)
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise ValueError("a file must be given as file:///absolute/path")
    return Path(url2pathname(parts.path))
