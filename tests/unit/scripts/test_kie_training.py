"""What training rests on, without a training library: labels, folds, end-to-end figures."""

import sys
from pathlib import Path

import pytest

from lib.evaluation.truth import TruthDocument

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "scripts"))
sys.path.insert(0, str(ROOT / "tests/unit/kie"))

from kie_training.documents import Document, synthetic_receipts  # noqa: E402 - the path comes first
from kie_training.folds import grouped_folds, random_folds, vendor_groups  # noqa: E402
from kie_training.heads import read_heads, tags  # noqa: E402
from kie_training.scoring import predict, score  # noqa: E402
from printed_receipts import AMERICAN, MALAYSIAN, printed  # noqa: E402
from synthetic.fonts import FOLDER  # noqa: E402

from lib.kie.cpu_extractor import build_cpu_extractor  # noqa: E402
from lib.kie.receipts.runs import Run  # noqa: E402

fonts_needed = pytest.mark.skipif(
    not (FOLDER / "dejavu/DejaVuSansMono.ttf").is_file(), reason="needs fonts-dejavu"
)


def labelled(text: str, identifier: str = "a", *, complete: bool = False, **fields) -> Document:
    truth = TruthDocument(identifier, "a.jpg", None, fields, None)
    return Document("set", truth, (printed(text),), complete)


def the_head(document: Document):
    (head,) = read_heads([document])
    return head


def test_labels_are_the_runs_closest_to_the_truth() -> None:
    head = the_head(
        labelled(
            AMERICAN,
            vendor_name="BLUE D00R CAFE",
            vendor_address="310 N Main Street, Portland OR 97212",
        )
    )
    assert head.labels["vendor_name"].runs == (Run(0, 0),)
    assert head.labels["vendor_address"].runs == (Run(1, 2),)
    assert list(tags(head, "vendor_address")[:5]) == [0, 1, 2, 0, 0]


def test_what_was_not_read_or_not_judged_is_no_label() -> None:
    head = the_head(labelled(AMERICAN, vendor_name="Quite another firm"))
    assert head.labels == {"vendor_name": None, "vendor_address": None}


def test_what_a_complete_truth_does_not_name_is_absent() -> None:
    head = the_head(labelled(AMERICAN, complete=True, vendor_name="Blue Door Cafe"))
    assert head.labels["vendor_address"].none
    assert not head.labels["vendor_name"].none


def vendors() -> list[Document]:
    return [
        labelled(AMERICAN, "0", vendor_name="Alpha (North) Ltd", vendor_address="1 Long Street"),
        labelled(AMERICAN, "1", vendor_name="Alpha Ltd", vendor_address="2 Short Street"),
        labelled(AMERICAN, "2", vendor_name="Beta", vendor_address="2 Short Street"),
        labelled(AMERICAN, "3", vendor_name="Gamma", vendor_address="3 Middle Street"),
        labelled(AMERICAN, "4", vendor_name="Delta"),
    ]


def test_a_vendor_is_its_name_without_brackets_or_its_address() -> None:
    assert vendor_groups(vendors()) == [[0, 1, 2], [3], [4]]


def test_grouped_folds_part_no_vendor() -> None:
    fold = grouped_folds(vendors(), 2, seed=0)
    assert fold[0] == fold[1] == fold[2]
    assert set(fold) == {0, 1}
    assert fold == grouped_folds(vendors(), 2, seed=0)


def test_random_folds_are_of_one_size() -> None:
    fold = random_folds(vendors() * 2, 5, seed=0)
    assert sorted(fold) == sorted(list(range(5)) * 2)


def test_figures_come_from_the_product_itself() -> None:
    documents = [
        labelled(MALAYSIAN, vendor_name="KEDAI BUKU MAJU SDN BHD", total="9.00"),
        labelled(AMERICAN, "b", vendor_name="Another", total="29.38"),
    ]
    found = score(documents, predict(documents, build_cpu_extractor()))
    assert found.fields["vendor_name"].exact.correct == 1
    assert found.fields["total"].exact.correct == 2


@fonts_needed
def test_synthetic_receipts_can_be_learned_from() -> None:
    heads = read_heads(synthetic_receipts(12, seed=3))
    assert len(heads) == 12
    assert all(head.labels["vendor_name"] is not None for head in heads)
    assert all(head.labels["vendor_name"].runs for head in heads)
    assert any(len(tags(head, "vendor_address").nonzero()[0]) > 1 for head in heads)
