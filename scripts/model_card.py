"""Prints what a pod has to know of a model's card, as shell assignments.

    python scripts/model_card.py Qwen/Qwen2.5-VL-7B-Instruct

`REVISION` is the one that VLLM_REVISION pins, else the card's, else the one in REVISION_LOCK, else
empty; `PINNED_BY` says which: environment, card, lock or nothing.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from revision_lock import locked_revision

from lib.errors import Error
from lib.kie.models.card import ModelCard
from lib.kie.models.card_files import load_cards

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Read every card, so that a broken one is found at start."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        cards = load_cards(ROOT / "configs" / "models", ROOT / "configs" / "prompts")
        card = cards.for_model(sys.argv[1])
    except Error as error:
        sys.exit(error.message)
    pinned_by, revision = pin(sys.argv[1], card)
    values = {
        "CARD_ID": card.id,
        "DIALECT": card.dialect.value,
        "REVISION": revision,
        "PINNED_BY": pinned_by,
        "CONTEXT_TOKENS": str(card.limits.context_tokens),
        "PAGES": str(card.limits.pages),
    }
    for name, value in values.items():
        print(f"{name}={shlex.quote(value)}")


def pin(model: str, card: ModelCard) -> tuple[str, str]:
    """Who pins a model's revision, and to what."""
    lock = os.environ.get("REVISION_LOCK")
    for who, revision in (
        ("environment", os.environ.get("VLLM_REVISION")),
        ("card", card.revision),
        ("lock", locked_revision(Path(lock), model) if lock else None),
    ):
        if revision:
            return who, revision
    return "nothing", ""


if __name__ == "__main__":
    main()
