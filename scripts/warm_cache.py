"""Fetches a model's weights by pinned revision into the Hugging Face cache, or checks them.

    python scripts/warm_cache.py --model Qwen/Qwen2.5-VL-7B-Instruct --revision <40 hex digits>
    python scripts/warm_cache.py ... --check     no network; 1 when a file is missing or cut short
    python scripts/warm_cache.py ... --verify    the check, and every weight file's sha256
    python scripts/warm_cache.py --model ... --lock FILE     where nobody has pinned a revision

With --lock the newest commit is looked up once, written down there, and held on to from then on.
The cache is where HF_HOME says. A gated model needs HF_TOKEN. A branch is refused: it moves.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import time
from pathlib import Path

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import LocalEntryNotFoundError
from revision_lock import locked_revision, write_down

COMMIT = re.compile(r"[0-9a-f]{40}\Z")
_PATIENCE_S = 30
LARGE_FILE_NAME = re.compile(r"[0-9a-f]{64}\Z")
# Weights in formats that vLLM does not load when safetensors are there.
LEFT_OUT = ["*.bin", "*.pt", "*.pth", "*.gguf", "*.onnx", "*.msgpack", "*.h5", "original/*"]


def main() -> None:
    """Fetch or check; the exit status says whether the weights are complete."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    pin = parser.add_mutually_exclusive_group(required=True)
    pin.add_argument("--revision")
    pin.add_argument("--lock", type=Path)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--verify", action="store_true")
    options = parser.parse_args()
    started = time.monotonic()
    stay_local = options.check or options.verify
    revision = options.revision or pinned(options.model, options.lock, look_up=not stay_local)
    if not COMMIT.match(revision):
        sys.exit(f"{revision} is not a commit: a branch or tag may move under a running pod")
    try:
        folder = snapshot(options.model, revision, local_files_only=stay_local)
        if not stay_local and (missing_shards(folder) or cut_short(folder)):
            # A file that is there is taken for whole by huggingface_hub.
            folder = snapshot(options.model, revision, force_download=True)
    except LocalEntryNotFoundError:
        sys.exit(f"{options.model}@{revision[:12]} is not in the cache")
    problems = missing_shards(folder) or cut_short(folder)
    if options.verify and not problems:
        problems = changed(folder)
    if problems:
        sys.exit(f"{options.model}: " + "; ".join(problems))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(
        f"{options.model}@{revision[:12]}: {size / 1e9:.2f} GB in the cache "
        f"({time.monotonic() - started:.1f} s)",
        file=sys.stderr,
    )


def pinned(model: str, lock: Path, *, look_up: bool) -> str:
    """The commit that the lock file has for a model; looked up and written down if it has none."""
    revision = locked_revision(lock, model)
    if revision is not None:
        return revision
    if not look_up:
        sys.exit(f"no revision is pinned for {model}, and {lock} has none")
    revision = HfApi().model_info(model, timeout=_PATIENCE_S).sha
    if revision is None:
        sys.exit(f"the hub does not say which commit of {model} is the newest")
    write_down(lock, model, revision)
    print(
        f"WARNING: nothing pins {model}: from now on {lock} does, to {revision}, the newest commit "
        "of today. Look at what it is, and pin it in the model's card or by VLLM_REVISION.",
        file=sys.stderr,
    )
    return revision


def snapshot(model: str, revision: str, **options: bool) -> Path:
    """The folder of the cache with the model's files."""
    return Path(snapshot_download(model, revision=revision, ignore_patterns=LEFT_OUT, **options))


def missing_shards(folder: Path) -> list[str]:
    """Weight files that an index names and that are not there, or no weights at all."""
    named: set[str] = set()
    for index in folder.glob("*.safetensors.index.json"):
        named |= set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    missing = sorted(name for name in named if not (folder / name).is_file())
    if not named and not any(folder.glob("*.safetensors")):
        return ["no *.safetensors file"]
    return [f"{name} is missing" for name in missing]


def cut_short(folder: Path) -> list[str]:
    """Weight files that are shorter than their own header says."""
    return [f"{path.name} is cut short" for path in folder.rglob("*.safetensors") if _is_cut(path)]


def _is_cut(path: Path) -> bool:
    """The format: 8 bytes with the header's length, the header in JSON, the data it points into."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        size = path.stat().st_size
        if length > size - 8:
            return True
        header = json.loads(file.read(length))
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    return size != 8 + length + max(ends, default=0)


def changed(folder: Path) -> list[str]:
    """Large files whose content is not what their name in the cache, a sha256, says."""
    found = []
    for path in folder.rglob("*"):
        blob = path.resolve()
        if blob.is_file() and LARGE_FILE_NAME.match(blob.name):
            with blob.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != blob.name:
                    found.append(f"{path.name} has changed")
    return found


if __name__ == "__main__":
    main()
