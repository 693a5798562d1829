"""Boosted trees as plain numbers, against sums worked out by hand."""

import json

import numpy as np

from lib.post.boosted import from_data

# One tree of two splits (a <= 1, then b <= 5), and one of a single leaf.
DATA = {
    "features": ["a", "b"],
    "bias": 0.5,
    "roots": [0, 5],
    "depth": 2,
    "columns": ["feature", "threshold", "low", "high", "value"],
    "nodes": [
        [0, 1.0, 1, 2, 0.0],
        [0, 0.0, 1, 1, -1.0],
        [1, 5.0, 3, 4, 0.0],
        [0, 0.0, 3, 3, 2.0],
        [0, 0.0, 4, 4, 3.0],
        [0, 0.0, 5, 5, 0.25],
    ],
}


def test_each_row_adds_the_leaf_that_it_falls_into():
    rows = np.array([[1.0, 9.0], [1.1, 5.0], [2.0, 5.1]])
    assert from_data(DATA).sums(rows).tolist() == [-0.25, 2.75, 3.75]


def test_no_rows_have_no_sums():
    assert from_data(DATA).sums(np.empty((0, 2))).tolist() == []


def test_what_is_written_is_read_again():
    trees = from_data(DATA)
    assert trees.as_data() == DATA
    assert from_data(json.loads(json.dumps(trees.as_data()))).features == ("a", "b")
