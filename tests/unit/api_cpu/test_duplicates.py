"""Duplicates: what speaks for one, whose they are, what is forgotten, and a database that fails."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, func, select

from apps.api_cpu.db.engine import Durability, Schema, open_database, reading
from apps.api_cpu.db.tables import document_bands, documents
from apps.api_cpu.duplicates.service import DuplicateService
from apps.api_cpu.duplicates.store import DocumentIndex

DAY_S = 86400.0
INVOICE: dict[str, Any] = {
    "document_number": "RE-2026/0171",
    "vendor_name": "Nordlicht Metallbau GmbH",
    "vendor_tax_id": None,
    "issue_date": "2026-03-01",
    "total": Decimal("119.00"),
}
WORDS = [f"word{number}{'abcdefg'[number % 7]}" for number in range(80)]


class Clock:
    """A clock that is set by hand."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Memory:
    """A service on a database, with requests named as they come."""

    def __init__(self, engine: Engine, days: int = 30) -> None:
        self.engine = engine
        self.clock = Clock()
        self.service = DuplicateService(DocumentIndex(engine), timedelta(days=days), self.clock)
        self.count = 0

    def meet(
        self, sha256: str, words: list[str] | None = None, owner: str = "k", **changes: Any
    ) -> list[tuple[str, str]]:
        """Requests and reasons that a new request `r<n>` is told."""
        self.count += 1
        self.clock.now += 1
        found = self.service.meet(f"r{self.count}", owner, sha256, INVOICE | changes, words or [])
        return [(same.request_id, same.reason.value) for same in found]

    def rows(self) -> tuple[int, int]:
        """How many documents and bands are kept."""
        with reading(self.engine) as connection:
            counts = [
                connection.scalar(select(func.count()).select_from(table)) or 0
                for table in (documents, document_bands)
            ]
        return counts[0], counts[1]


@pytest.fixture
def memory(location: Path | SecretStr) -> Memory:
    return Memory(open_database(location, Schema.DUPLICATES, Durability.CRASH))


def reread(words: list[str], errors: int, seed: int = 1) -> list[str]:
    """The same words, some of them misread and cut differently."""
    chance = random.Random(seed)
    found = list(words)
    for place in chance.sample(range(len(found)), errors):
        found[place] = found[place][:-1] + "x"
    return found


def test_the_same_bytes_come_first(memory: Memory) -> None:
    assert memory.meet("a") == []
    assert memory.meet("b") == [("r1", "same_number")]
    assert memory.meet("a") == [("r1", "same_bytes"), ("r2", "same_number")]


def test_the_number_as_another_recogniser_reads_it(memory: Memory) -> None:
    memory.meet("a")
    assert memory.meet("b", document_number="RE 2O26-017l") == [("r1", "same_number")]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"total": Decimal("120.00")}, "same_number"),
        ({"issue_date": None, "total": None}, "same_number"),
        ({"vendor_name": "Nord1icht Metallbau GmbH."}, "same_number"),
        ({"vendor_name": "Another Company"}, "same_number_amount_date"),
        ({"vendor_name": None, "total": Decimal("119")}, "same_number_amount_date"),
    ],
)
def test_the_same_number(memory: Memory, changes: dict[str, Any], reason: str) -> None:
    memory.meet("a")
    assert memory.meet("b", **changes) == [("r1", reason)]


@pytest.mark.parametrize(
    "changes",
    [
        {"document_number": "RE-2026/0172"},
        {"document_number": None},
        {"vendor_name": "Another Company", "total": Decimal("120.00")},
        {"vendor_name": "Another Company", "issue_date": None},
        {"total": Decimal("120.00"), "issue_date": "2026-04-01"},
    ],
)
def test_another_document(memory: Memory, changes: dict[str, Any]) -> None:
    memory.meet("a")
    assert memory.meet("b", **changes) == []


def test_vendors_are_the_same_by_their_tax_number(memory: Memory) -> None:
    memory.meet("a", vendor_tax_id="DE 136695976", total=Decimal(1))
    again = {"vendor_name": "NML", "vendor_tax_id": "DE136695976"}
    assert memory.meet("b", **again) == [("r1", "same_number")]


def test_a_single_digit_is_no_number(memory: Memory) -> None:
    memory.meet("a", document_number="Nr 1", total=Decimal(1))
    assert memory.meet("b", document_number="Nr 1", total=Decimal(2)) == []


def test_a_text_read_again_is_known_by_its_letters(memory: Memory) -> None:
    memory.meet("a", WORDS, document_number=None)
    again = reread(WORDS, 8)
    assert memory.meet("b", again, document_number=None) == [("r1", "same_text")]
    # One of date and total may be unread in one of them.
    assert memory.meet("c", again, document_number=None, total=None) != []
    other = [f"{word}z" for word in WORDS]
    assert memory.meet("d", other, document_number=None) == []


@pytest.mark.parametrize("changes", [{"total": Decimal("20.00")}, {"issue_date": "2026-03-02"}])
def test_a_receipt_of_another_day_or_amount_is_another_one(
    memory: Memory, changes: dict[str, Any]
) -> None:
    memory.meet("a", WORDS, document_number=None)
    assert memory.meet("b", WORDS, document_number=None, **changes) == []


def test_what_another_key_sent_is_not_known(memory: Memory) -> None:
    memory.meet("a", WORDS)
    assert memory.meet("a", WORDS, owner="other") == []


def test_what_is_forgotten_leaves_nothing(memory: Memory) -> None:
    memory.meet("a", WORDS)
    memory.meet("b", WORDS, total=Decimal(5), document_number="77-12")
    memory.service.forget("r1")
    memory.service.forget("never seen")
    assert memory.rows() == (1, 12)
    assert memory.meet("a", WORDS) == []
    memory.service.failed("r2")
    memory.service.failed("r3")
    assert memory.rows() == (0, 0)


def test_what_is_old_is_not_reported_and_swept(memory: Memory) -> None:
    memory.meet("a", WORDS)
    memory.clock.now += 31 * DAY_S
    assert memory.meet("a", WORDS) == []
    assert memory.service.sweep() == 1
    assert memory.service.sweep() == 0
    assert memory.rows() == (1, 12)


def test_without_a_window_nothing_is_remembered_and_all_is_swept(memory: Memory) -> None:
    memory.meet("a", WORDS)
    off = DuplicateService(DocumentIndex(memory.engine), timedelta(0), memory.clock)
    assert off.meet("r9", "k", "a", INVOICE, WORDS) == ()
    memory.clock.now += 1
    assert off.sweep() == 1
    assert memory.rows() == (0, 0)


def test_an_attempt_that_is_repeated_replaces_the_first(memory: Memory) -> None:
    memory.meet("a", WORDS)
    memory.count = 0
    assert memory.meet("a", WORDS, total=Decimal(7)) == []
    assert memory.rows() == (1, 12)


def test_the_newest_are_told_and_only_a_few(memory: Memory) -> None:
    for _ in range(30):
        memory.meet("a", WORDS)
    found = memory.meet("a", WORDS)
    assert len(found) == 5
    assert found[0] == ("r30", "same_bytes")


def test_of_two_at_the_same_time_one_hears_of_the_other(memory: Memory) -> None:
    def meet(number: int) -> int:
        return len(memory.service.meet(f"t{number}", "k", "a", INVOICE, WORDS))

    with ThreadPoolExecutor(8) as threads:
        told = sorted(threads.map(meet, range(5)))
    assert told == [0, 1, 2, 3, 4]


def test_a_database_that_fails_costs_the_answer_nothing(tmp_path: Path) -> None:
    path = tmp_path / "duplicates.sqlite3"
    memory = Memory(open_database(path, Schema.DUPLICATES, Durability.CRASH))
    memory.meet("a", WORDS)
    memory.engine.dispose()
    for file in tmp_path.iterdir():
        file.unlink()
    path.write_bytes(b"no database at all, but a text that is long enough to be read" * 20)
    assert memory.meet("a", WORDS) == []
    memory.service.failed("r1")


@pytest.mark.parametrize("text", ["\x00\ud800", "'; drop table documents; --", "ß" * 5000])
def test_any_text_can_be_remembered(memory: Memory, text: str) -> None:
    odd = {"document_number": f"1234{text}", "vendor_name": text}
    memory.meet("a", [text, *WORDS], **odd)
    assert memory.meet("a", [text, *WORDS], **odd) == [("r1", "same_bytes")]
