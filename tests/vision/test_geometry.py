from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.vision.geometry import best_overlaps, overlaps, suppress


def _boxes(*rows: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(rows, dtype=np.float32)


def test_overlap_by_hand() -> None:
    ours = _boxes((0, 0, 10, 10))
    theirs = _boxes((0, 0, 10, 10), (5, 0, 15, 10), (20, 20, 30, 30), (4, 4, 4, 9))
    np.testing.assert_allclose(overlaps(ours, theirs)[0], [1, 1 / 3, 0, 0], atol=1e-6)


def test_suppression_keeps_the_best_of_a_heap_and_whatever_stands_apart() -> None:
    boxes = _boxes((0, 0, 10, 10), (1, 0, 11, 10), (50, 50, 60, 60), (0, 1, 10, 11))
    kept = suppress(boxes, np.array([0.5, 0.9, 0.2, 0.8], np.float32), 0.4)
    assert kept.tolist() == [1, 2]


def test_nothing_in_nothing_out() -> None:
    assert suppress(np.empty((0, 4), np.float32), np.empty(0, np.float32), 0.4).tolist() == []


@given(
    st.lists(
        st.tuples(st.floats(0, 90), st.floats(0, 90), st.floats(1, 40), st.floats(0.01, 1)),
        min_size=1,
        max_size=30,
    ),
    st.sampled_from([0.2, 0.4, 0.6]),
)
def test_what_is_kept_does_not_overlap_and_what_goes_overlaps_something_better(
    rows: list[tuple[float, float, float, float]], threshold: float
) -> None:
    boxes = np.array([(x, y, x + side, y + side) for x, y, side, _ in rows], np.float32)
    scores = np.array([row[3] for row in rows], np.float32)
    kept = suppress(boxes, scores, threshold)
    shared = overlaps(boxes, boxes)
    among = shared[np.ix_(kept, kept)] - np.eye(len(kept))
    assert among.max(initial=0) <= threshold + 1e-4
    for row in set(range(len(rows))) - set(kept.tolist()):
        rivals = [other for other in kept if scores[other] >= scores[row]]
        assert shared[row, rivals].max() >= threshold - 1e-4


def test_best_overlaps_are_those_of_the_whole_table_in_bounded_memory() -> None:
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 900, (6000, 2)).astype(np.float32)
    boxes = np.concatenate([corners, corners + rng.uniform(5, 60, (6000, 2))], 1).astype(np.float32)
    theirs = boxes[::2]
    tracemalloc.start()
    rows, shares = best_overlaps(boxes, theirs)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The whole table is 18 million numbers, several times over.
    assert peak < 30_000_000
    sample = rng.choice(6000, 50, replace=False)
    table = overlaps(boxes[sample], theirs)
    np.testing.assert_array_equal(rows[sample], table.argmax(axis=1))
    np.testing.assert_array_equal(shares[sample], table.max(axis=1))


@pytest.mark.parametrize("count", [0, 3])
def test_overlap_shapes(count: int) -> None:
    assert overlaps(_boxes((0, 0, 1, 1)), np.zeros((count, 4), np.float32)).shape == (1, count)
