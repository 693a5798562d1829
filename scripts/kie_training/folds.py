"""Folds that keep a vendor's documents together, over all sets."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Sequence

from kie_training.documents import Document, letters

ADDRESS_LETTERS = 25  # two branches of a vendor differ within them, two spellings of one do not


def vendor_keys(document: Document) -> list[str]:
    """What makes two documents of one vendor: the name without brackets, the address's start."""
    name = letters(re.sub(r"\(.*?\)", "", str(document.fields.get("vendor_name") or "")))
    address = letters(str(document.fields.get("vendor_address") or ""))
    keys = [f"name {name}", f"address {address[:ADDRESS_LETTERS]}"]
    return [key for key in keys if len(key.split(" ")[1]) >= 3]


def vendor_groups(documents: Sequence[Document]) -> list[list[int]]:
    """Indices of documents that share a key, directly or over others; each index once."""
    parent = list(range(len(documents)))

    def root(index: int) -> int:
        while parent[index] != index:
            index = parent[index]
        return index

    seen: dict[str, int] = {}
    for index, document in enumerate(documents):
        for key in vendor_keys(document):
            parent[root(index)] = root(seen.setdefault(key, index))
    groups: dict[int, list[int]] = defaultdict(list)
    for index in range(len(documents)):
        groups[root(index)].append(index)
    return list(groups.values())


def grouped_folds(documents: Sequence[Document], count: int, seed: int) -> list[int]:
    """The fold of each document, 0 to count - 1; folds are of similar size."""
    groups = vendor_groups(documents)
    random.Random(seed).shuffle(groups)
    groups.sort(key=len, reverse=True)
    sizes = [0] * count
    fold = [0] * len(documents)
    for group in groups:
        smallest = sizes.index(min(sizes))
        sizes[smallest] += len(group)
        for index in group:
            fold[index] = smallest
    return fold


def random_folds(documents: Sequence[Document], count: int, seed: int) -> list[int]:
    """The fold of each document, whoever the vendor is."""
    order = list(range(len(documents)))
    random.Random(seed).shuffle(order)
    fold = [0] * len(documents)
    for place, index in enumerate(order):
        fold[index] = place % count
    return fold
