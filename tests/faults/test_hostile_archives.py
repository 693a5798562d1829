"""Whatever an archive holds, its members are read one by one or fail one by one, within bounds."""

from __future__ import annotations

import io
import tracemalloc
import zipfile

import hostile_archives as hostile
import pytest
from hostile_archives import DOCUMENT, packed
from hypothesis import given
from hypothesis import strategies as st

from lib.errors import Error
from lib.loading.archives import Archive, ArchiveLimits, is_archive

LIMITS = ArchiveLimits(members=100, document_bytes=1 << 20, ratio=200)


def _read(data: bytes, limits: ArchiveLimits = LIMITS) -> dict[str, str | bytes]:
    """The members' bytes, or the code of what is wrong with them."""
    found: dict[str, str | bytes] = {}
    with Archive(io.BytesIO(data), limits) as archive:
        for member in archive:
            unpacked = bytearray()
            try:
                if member.error is not None:
                    raise member.error
                archive.unpack(member, unpacked.extend)
            except Error as error:
                found[member.name] = str(error.details.get("reason", error.code))
            else:
                found[member.name] = bytes(unpacked)
    return found


def test_honest_archives_are_read() -> None:
    members = {"a.pdf": DOCUMENT, "deep/ü.jpg": b"\xff\xd8\xff" + bytes(5000)}
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        data = packed(members, method)
        assert is_archive(data)
        assert _read(data) == members
    assert _read(packed({})) == {}


def test_what_systems_add_is_left_out() -> None:
    members = {
        "march/": b"",
        "march/a.pdf": DOCUMENT,
        "__MACOSX/march/._a.pdf": b"x",
        "march/.DS_Store": b"x",
        "march/Thumbs.db": b"x",
    }
    assert _read(packed(members)) == {"march/a.pdf": DOCUMENT}


@pytest.mark.parametrize(
    "name", ["../a.pdf", "a/../../b.pdf", "/etc/passwd", "..\\a.pdf", "C:\\a.pdf", "a\x01b.pdf"]
)
def test_names_that_lead_out_fail_alone(name: str) -> None:
    assert _read(packed({name: DOCUMENT, "good.pdf": DOCUMENT})) == {
        name: "member_path",
        "good.pdf": DOCUMENT,
    }


def test_a_member_without_a_name_fails_alone() -> None:
    # `zipfile` ends a name at its first NUL.
    data = packed({"nameless": DOCUMENT, "good.pdf": DOCUMENT}).replace(b"nameless", bytes(8))
    assert _read(data) == {"": "member_path", "good.pdf": DOCUMENT}


def test_links_and_encrypted_members_fail_alone() -> None:
    assert _read(hostile.with_symlink()) == {"link.pdf": "not_a_file", "good.pdf": DOCUMENT}
    assert _read(hostile.encrypted()) == {"secret.pdf": "encrypted_document"}


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_take_memory_as_they_say_are_not_unpacked(method: int) -> None:
    assert _read(packed({"a.pdf": DOCUMENT}, method)) == {"a.pdf": "compression"}


def test_a_bomb_fails_alone_and_is_not_unpacked() -> None:
    data = hostile.bomb()
    assert _read(data) == {"bomb.pdf": "payload_too_large", "good.pdf": DOCUMENT}
    roomy = ArchiveLimits(members=100, document_bytes=1 << 30, ratio=200)
    assert _read(data, roomy) == {"bomb.pdf": "ratio", "good.pdf": DOCUMENT}


@pytest.mark.parametrize("size", [1, len(DOCUMENT) - 1, len(DOCUMENT) + 1, 1 << 19])
def test_lies_about_a_size_are_found_out(size: int) -> None:
    assert _read(hostile.claiming_size(size)) == {"liar.pdf": "member"}


@pytest.mark.parametrize("offset", [1, 4, 1 << 31, (1 << 32) - 2])
def test_a_member_that_is_elsewhere_fails(offset: int) -> None:
    assert _read(hostile.claiming_offset(offset)) == {"lost.pdf": "member"}


def test_a_wrong_checksum_is_found_out() -> None:
    assert _read(hostile.bad_checksum()) == {"broken.pdf": "member"}


def test_members_that_share_their_bytes_are_not_counted_twice() -> None:
    with Archive(io.BytesIO(hostile.overlapping(50)), LIMITS) as archive:
        reasons = [member.error.details["reason"] for member in archive if member.error]
    assert reasons == ["overlap"] * len(archive)


def test_an_office_document_is_no_archive_of_documents() -> None:
    with pytest.raises(Error) as caught:
        _read(packed({"[Content_Types].xml": b"<x/>", "word/document.xml": b"<x/>"}))
    assert caught.value.code == "unsupported_media_type"


def test_ten_thousand_members() -> None:
    data = packed({f"{number}.pdf": b"%PDF-" for number in range(10_000)}, zipfile.ZIP_STORED)
    with pytest.raises(Error) as caught:
        _read(data)
    assert (caught.value.code, caught.value.details) == ("too_many_files", {"limit": 100})
    many = ArchiveLimits(members=10_000, document_bytes=100, ratio=200)
    assert len(_read(data, many)) == 10_000


def test_a_directory_that_claims_to_be_huge_is_not_read() -> None:
    data = hostile.huge_directory(32)
    tracemalloc.start()
    with pytest.raises(Error):
        _read(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # A copy is what `BytesIO` holds; the reader takes less than a megabyte.
    assert peak < len(data) + (1 << 20)


def test_any_cut_leaves_members_or_a_named_failure() -> None:
    data = packed({"a.pdf": DOCUMENT, "b.pdf": DOCUMENT})
    for end in range(4, len(data)):
        with pytest.raises(Error) as caught:
            _read(data[:end])
        assert caught.value.code == "unreadable_document"


@given(st.data())
def test_any_changed_byte_leaves_members_or_a_named_failure(data: st.DataObject) -> None:
    changed = bytearray(packed({"a.pdf": DOCUMENT, "b.pdf": DOCUMENT}))
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = _read(bytes(changed))
    except Error as error:
        assert error.code in {"unreadable_document", "unsupported_media_type", "too_many_files"}
    else:
        assert all(value == DOCUMENT or isinstance(value, str) for value in found.values())
