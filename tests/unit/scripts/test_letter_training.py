"""What the letter model is counted on: vendors as sources, sure lines, printed labels."""

from collections import defaultdict
from pathlib import Path

from lib.domain.document import Line, Word
from lib.domain.geometry import Polygon
from scripts.train_letter_model import Document, groups, tally, vendors

BOX = Polygon.from_box(0.1, 0.1, 0.5, 0.2)


def document(
    file: str, name: str = "", address: str = "", lines: tuple[tuple[str, float], ...] = ()
) -> Document:
    return Document(
        Path(file),
        {"vendor_name": name, "vendor_address": address},
        [Line((Word(text, BOX, confidence),)) for text, confidence in lines],
    )


def test_documents_that_share_a_name_or_the_beginning_of_an_address_are_of_one_vendor() -> None:
    street = "12 Long Market Street, Old Town, Harbour"
    first, second, third, other = groups(
        [
            document("1", "Green Grocer (North) Ltd", "1 Mill Lane"),
            document("2", "GREEN GROCER LTD", street),
            document("3", "Grocer", f"{street} 2"),
            document("4", "Tea House", "1 Hill Road"),
        ]
    )
    assert first == second == third
    assert other != first


def test_documents_without_labels_are_vendors_of_their_own() -> None:
    assert len(set(groups([document("1"), document("2")]))) == 2


def test_a_source_holds_sure_lines_and_labels_as_printed() -> None:
    (source,) = vendors([document("1", "Tea House", "HILLROAD1", (("Earl", 0.99), ("Ea1l", 0.7)))])
    assert source == ["Earl", "Tea House"]


def test_labels_are_found_exactly_or_by_their_letters() -> None:
    read = document("1", lines=(("TEA", 1.0), ("HOUSE.", 1.0), ("1,Hill", 1.0)))
    found: dict[tuple[str, str], int] = defaultdict(int)
    tally(found, "with", read.lines, {"vendor_name": "Tea House", "vendor_address": "1 Hill"})
    assert found["vendor_name", "with exact"] == 1
    assert found["vendor_address", "with exact"] == 0
    assert found["vendor_address", "with relaxed"] == 1
    assert found["vendor_address", "labelled"] == 1
