"""Addresses of inference servers: how they may be written, and a file that changes."""

from __future__ import annotations

import os
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.inference.addresses import AddressBook, base_address


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("http://gpu:8001", "http://gpu:8001"),
        ("http://GPU:8001/", "http://gpu:8001"),
        ("http://gpu:8001/v1", "http://gpu:8001"),
        ("http://gpu:8001/v1/", "http://gpu:8001"),
        ("https://abc-8001.proxy.example/pods/A", "https://abc-8001.proxy.example/pods/A"),
        ("http://[::1]:8001", "http://[::1]:8001"),
    ],
)
def test_an_address_has_one_spelling(written: str, address: str) -> None:
    assert base_address(written) == address


@pytest.mark.parametrize(
    "written",
    [
        "gpu:8001",
        "//gpu",
        "ftp://gpu",
        "http://",
        "http://gpu:99999",
        "http://user:secret@gpu",
        "http://gpu?key=secret",
        "http://gpu#secret",
        "http://gpu/%zz",
        "http://gpu*",
        "http://gpü",
        "http://-gpu",
        "http://[gpu]:1",
        "http://" + "gpu" * 30,
    ],
)
def test_what_is_no_address_is_refused_without_repeating_it(written: str) -> None:
    with pytest.raises(ValueError) as refused:
        AddressBook(written)
    assert "secret" not in str(refused.value)
    assert "gpu" not in str(refused.value)


@given(st.from_regex(r"https?://[^ ,]{0,20}") | st.text())
def test_what_is_accepted_is_an_address_for_the_network_as_well(text: str) -> None:
    try:
        address = base_address(text)
    except ValueError:
        return
    assert httpx.URL(address).host.encode("idna")


def test_nothing_at_all_is_refused() -> None:
    with pytest.raises(ValueError):
        AddressBook(" , ")


def test_a_list_keeps_its_order_and_each_once() -> None:
    book = AddressBook("http://b:1, http://a:1/v1 ,http://b:1/")
    assert book.current() == ("http://b:1", "http://a:1")


def test_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "pods"
    file.write_text("http://one:1\n")
    book = AddressBook(f"http://fixed:1,{file.as_uri()}")
    assert book.current() == ("http://fixed:1", "http://one:1")
    beside = tmp_path / "pods.new"
    beside.write_text("# moved\nhttp://two:1 # the big one\nhttp://three:1/v1, http://four:1\n")
    os.replace(beside, file)
    assert book.current() == ("http://fixed:1", "http://two:1", "http://three:1", "http://four:1")
    assert not book.stale


@pytest.mark.parametrize("broken", [None, "", "# none", "gpu:8001", "http://ok:1 nonsense"])
def test_a_file_that_breaks_changes_nothing(tmp_path: Path, broken: str | None) -> None:
    file = tmp_path / "pods"
    file.write_text("http://one:1")
    book = AddressBook(file.as_uri())
    assert book.current() == ("http://one:1",)
    if broken is None:
        file.unlink()
    else:
        file.write_text(broken)
    assert book.current() == ("http://one:1",)
    assert book.stale
    file.write_text("http://number-two:1")
    assert book.current() == ("http://number-two:1",)
    assert not book.stale


def test_a_file_may_come_later(tmp_path: Path) -> None:
    book = AddressBook((tmp_path / "pods").as_uri())
    assert book.current() == ()
    (tmp_path / "pods").write_text("http://one:1")
    assert book.current() == ("http://one:1",)
