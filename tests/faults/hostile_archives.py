"""ZIPs that no program packs: bombs, overlaps, lies about sizes, names that lead out."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping

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
