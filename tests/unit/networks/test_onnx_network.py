"""ONNX files are loaded from a path or from bytes, and run alike."""

import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np

from lib.kie.receipts.head_features import FEATURES, LONGEST_PIECE
from lib.kie.receipts.head_network import MODEL, SIGNATURE
from lib.kie.receipts.name_evidence import NAME_FEATURES
from lib.networks.onnx import OnnxNetwork

PATH = Path(str(files("lib.kie.receipts") / "models" / MODEL))


def blank(pieces: int, names: int) -> dict[str, np.ndarray]:
    return {
        "letters": np.zeros((pieces, LONGEST_PIECE), np.int64),
        "numbers": np.zeros((pieces, len(FEATURES)), np.float32),
        "evidence": np.zeros((names, len(NAME_FEATURES)), np.float32),
    }


def test_a_file_and_its_content_are_the_same_network() -> None:
    from_path, from_bytes = OnnxNetwork(PATH), OnnxNetwork(PATH.read_bytes())
    assert from_path.metadata == from_bytes.metadata
    assert SIGNATURE.items() <= from_path.metadata.items()
    for one, other in zip(from_path.run(blank(3, 2)), from_bytes.run(blank(3, 2)), strict=True):
        assert np.array_equal(one, other)


def test_outputs_follow_the_size_of_the_inputs() -> None:
    network = OnnxNetwork(PATH)
    for pieces, names in ((1, 1), (26, 50)):
        scores, none, weighed = network.run(blank(pieces, names))
        assert (scores.shape, none.shape, weighed.shape) == ((pieces, 6), (2,), (names,))


def test_the_runtime_makes_no_id_of_the_machine_to_report_under(tmp_path: Path) -> None:
    load = f"import pathlib; OnnxNetwork(pathlib.Path({str(PATH)!r}))"
    script = f"from lib.networks.onnx import OnnxNetwork; {load}"
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, check=True)
    assert b"telemetry" not in done.stderr
    assert list(tmp_path.rglob("*")) == []
