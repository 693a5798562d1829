"""Prints what a pod has to know of a model's card, as shell assignments.

    python scripts/model_card.py Qwen/Qwen2.5-VL-7B-Instruct

`REVISION` is the one that VLLM_REVISION pins, else the card's, else empty.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from lib.errors import Error
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
    values = {
        "CARD_ID": card.id,
        "DIALECT": card.dialect.value,
        "REVISION": os.environ.get("VLLM_REVISION") or card.revision or "",
        "CONTEXT_TOKENS": str(card.limits.context_tokens),
        "PAGES": str(card.limits.pages),
    }
    for name, value in values.items():
        print(f"{name}={shlex.quote(value)}")


if __name__ == "__main__":
    main()
