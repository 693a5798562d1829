"""The network that reads receipts' heads, trained without the documents that it is judged on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from kie_training import network
from kie_training.documents import Document, synthetic_receipts
from kie_training.heads import Head, read_heads

from lib.kie.receipts.head_network import HeadNetwork, HeadReader

SYNTHETIC_WEIGHT = 0.3  # as in train_kie.py


def head_of_fold(
    documents: Sequence[Document], synthetic: int, seed: int, folder: Path
) -> HeadReader:
    """A reader trained on the documents and on synthetic receipts; kept in `folder`."""
    named = "\n".join(sorted(document.id for document in documents))
    key = hashlib.sha256(f"{named} {synthetic} {seed}".encode()).hexdigest()[:16]
    kept = folder / f"head-{key}.onnx"
    if not kept.exists():
        drawn = _drawn(synthetic, seed)
        heads = [*read_heads(documents), *drawn]
        weights = [1.0] * (len(heads) - len(drawn)) + [SYNTHETIC_WEIGHT] * len(drawn)
        kept.write_bytes(network.train_reader(heads, weights, seed).model)
    return HeadNetwork(kept.read_bytes())


@cache
def _drawn(count: int, seed: int) -> tuple[Head, ...]:
    return tuple(read_heads(synthetic_receipts(count, seed)))
