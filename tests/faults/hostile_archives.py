"""ZIPs that no program packs: bombs, overlaps, lies about sizes, names that lead out."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping

DOCUMENT = b"%PDF-1.7\n" + b"a document " * 20
_CENTRAL = b"PK\x01\x02"
_LOCAL = b"PK\x03\x04"


def packed(members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An honest archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def with_symlink() -> bytes:
    """A member that is a symbolic link to a secret."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        link = zipfile.ZipInfo("link.pdf")
        link.create_system = 3
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("good.pdf", DOCUMENT)
    return file.getvalue()


def encrypted() -> bytes:
    """A member whose flag says that it is encrypted."""
    return _patched(packed({"secret.pdf": DOCUMENT}), {"flag": 1})


def claiming_size(size: int) -> bytes:
    """A member whose directory entry lies about its unpacked size."""
    return _patched(packed({"liar.pdf": DOCUMENT}), {"size": size})


def claiming_offset(offset: int) -> bytes:
    """A member whose directory entry points elsewhere."""
    return _patched(packed({"lost.pdf": DOCUMENT}), {"offset": offset})


def bad_checksum() -> bytes:
    """A member whose bytes are not those that were packed."""
    data = bytearray(packed({"broken.pdf": DOCUMENT}, zipfile.ZIP_STORED))
    data[60] ^= 1
    return bytes(data)


def bomb(megabytes: int = 64) -> bytes:
    """One member of zeros."""
    return packed({"bomb.pdf": b"%PDF-1.7\n" + bytes(megabytes << 20), "good.pdf": DOCUMENT})


def overlapping(members: int = 50) -> bytes:
    """Every entry of the directory names the same bytes (D. Fifield, WOOT 2019)."""
    compressor = zlib.compressobj(wbits=-15)
    kernel = compressor.compress(DOCUMENT) + compressor.flush()
    checksum = zlib.crc32(DOCUMENT)
    name = b"same.pdf"
    sizes = struct.pack("<LLL", checksum, len(kernel), len(DOCUMENT))
    head = _LOCAL + struct.pack("<HHHHH", 20, 0, 8, 0, 0) + sizes + struct.pack("<HH", 8, 0)
    local = head + name + kernel
    entry = _CENTRAL + struct.pack("<HHHHHH", 20, 20, 0, 8, 0, 0) + sizes
    entry += struct.pack("<HHHHHLL", len(name), 0, 0, 0, 0, 0, 0) + name
    directory = entry * members
    end = struct.pack("<4sHHHHLLH", b"PK\x05\x06", 0, 0, members, members,
                      len(directory), len(local), 0)  # fmt: skip
    return local + directory + end


def huge_directory(megabytes: int) -> bytes:
    """An end record that claims a directory of that size, and as many bytes before it."""
    size = megabytes << 20
    end = struct.pack("<4sHHHHLLH", b"PK\x05\x06", 0, 0, 1, 1, size, 4, 0)
    return b"PK\x03\x04" + bytes(size) + end


def _patched(data: bytes, change: Mapping[str, int]) -> bytes:
    """The first entry of the directory, changed; its local header as well where it has the same."""
    changed = bytearray(data)
    central = changed.index(_CENTRAL)
    for name, value in change.items():
        if name == "flag":
            struct.pack_into("<H", changed, 6, value)
            struct.pack_into("<H", changed, central + 8, value)
        elif name == "size":
            struct.pack_into("<L", changed, central + 24, value)
        elif name == "offset":
            struct.pack_into("<L", changed, central + 42, value)
    return bytes(changed)


ARCHIVES: Mapping[str, Callable[[], bytes]] = {
    "a bomb": bomb,
    "a directory of 16 MB": lambda: huge_directory(16),
    "a link": with_symlink,
    "a member that is elsewhere": lambda: claiming_offset(1 << 31),
    "a member that is encrypted": encrypted,
    "a member that is larger than it says": lambda: claiming_size(1),
    "a member that is smaller than it says": lambda: claiming_size(1 << 19),
    "a wrong checksum": bad_checksum,
    "an archive in an archive": lambda: packed({"inner.zip": bomb(8)}),
    "an office document": lambda: packed({"[Content_Types].xml": b"<x/>", "word/d.xml": b"<x/>"}),
    "cut in half": lambda: bomb(8)[: len(bomb(8)) // 2],
    "members that share their bytes": overlapping,
    "more members than allowed": lambda: packed({f"{n}.pdf": b"%PDF-" for n in range(5001)}),
    "names that lead out": lambda: packed({"../a.pdf": DOCUMENT, "C:\\b.pdf": DOCUMENT}),
    "nothing": lambda: packed({}),
    "packed by a method of its own": lambda: packed({"a.pdf": DOCUMENT}, zipfile.ZIP_LZMA),
}
"""What is sent to a server."""
