"""Makes labelled synthetic receipts and invoices for training and measuring.

    python scripts/make_synthetic.py --out DIR --count N --seed S [--kind receipt|invoice]
        [--language de ...] [--form pdf|scan|photo|pages] [--split development|held_out]

Writes the documents and `truth.jsonl` for `ocr eval --truth DIR/truth.jsonl`. With `--form pages`
it writes no files but `pages.pkl`: a pickled `{id: tuple[lib.domain.document.Page, ...]}` of the
words that a reader would see. A photo shows one page, so only one-page documents are photographed.
All parties are invented. Seeded: the same arguments and library versions give the same bytes.
"""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Iterator
from pathlib import Path

from synthetic import render
from synthetic.documents import SUFFIX, Synthetic, compose, file_bytes
from synthetic.fonts import FOLDER, Fonts
from synthetic.places import load_countries
from synthetic.styles import DEVELOPMENT, SPLITS

KINDS = ("receipt", "invoice")
FORMS = (*SUFFIX, "pages")


def documents(
    count: int,
    seed: int,
    kinds: tuple[str, ...],
    languages: set[str] | None,
    fonts: Fonts,
    split: str = DEVELOPMENT,
) -> Iterator[Synthetic]:
    """`count` documents, kinds and languages in turn. SystemExit for a language without data."""
    known = load_countries().values()
    wanted = [country for country in known if not languages or country.language in languages]
    if unknown := (languages or set()) - {country.language for country in known}:
        raise SystemExit(f"no data for {', '.join(sorted(unknown))}: see scripts/synthetic/data")
    for index in range(count):
        kind = kinds[index % len(kinds)]
        yield compose(index // len(kinds), kind, seed, wanted, fonts, split)


def make(made: Iterator[Synthetic], form: str, out: Path) -> int:
    """Write documents and truth below `out`; returns how many there are."""
    out.mkdir(parents=True, exist_ok=True)
    truth: list[str] = []
    pages = {}
    for document in made:
        if form == "pages":
            pages[document.id] = render.pages(document.sheets)
            truth.append(document.truth.line(document.id, "pages.pkl", document.kind))
            continue
        if form == "photo" and len(document.sheets) > 1:
            continue
        name = f"{document.id}.{SUFFIX[form]}"
        (out / name).write_bytes(file_bytes(document, form))
        truth.append(document.truth.line(document.id, name, document.kind))
    if form == "pages":
        (out / "pages.pkl").write_bytes(pickle.dumps(pages))
    (out / "truth.jsonl").write_text("".join(truth), "utf-8")
    return len(truth)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--kind", choices=KINDS, help="default: both in turn")
    parser.add_argument("--language", action="append", help="repeatable; default: all in turn")
    parser.add_argument("--form", choices=FORMS, default="pdf")
    parser.add_argument("--split", choices=SPLITS, default=DEVELOPMENT, help="layouts and labels")
    parser.add_argument("--fonts", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    fonts = Fonts(arguments.fonts)
    if fonts.missing:
        print(f"less variety: fonts {', '.join(fonts.missing)} are missing (fonts-liberation)")
    kinds = (arguments.kind,) if arguments.kind else KINDS
    languages = set(arguments.language) if arguments.language else None
    made = documents(arguments.count, arguments.seed, kinds, languages, fonts, arguments.split)
    print(f"{make(made, arguments.form, arguments.out)} documents in {arguments.out}")


if __name__ == "__main__":
    main()
