"""Fused templates: nearer to a person than any one face, and overwritten when they go."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sayso.gallery.fusing import Fused
from tests.gallery.synthetic import near, templates


def fused(matrix: NDArray[np.float32], owners: list[int], users: int) -> Fused:
    """Return fused templates of users 10, 11, ...; row i is of the face 100 + i."""
    rows = np.arange(len(matrix), dtype=np.int64)
    keys = 10 + np.arange(users, dtype=np.int64)
    return Fused(keys, 20 + keys, np.array(owners, np.int64), 100 + rows, 1000 + rows, matrix)


def test_it_is_the_mean_of_its_faces_of_unit_length() -> None:
    matrix = templates(3)
    found = fused(matrix, [0, 0, 1], 2).of(10)
    assert found is not None
    assert np.linalg.norm(found) == pytest.approx(1)
    mean = matrix[0] + matrix[1]
    assert np.allclose(found, mean / np.linalg.norm(mean), atol=1e-6)
    assert found.dtype == np.float32


@given(st.lists(st.integers(0, 4), min_size=1, max_size=12), st.integers(0, 100))
def test_neither_other_users_nor_their_order_change_it(owners: list[int], seed: int) -> None:
    """So that nobody's score tells who else is there."""
    owners = [owner % (max(owners) + 1) for owner in [*range(max(owners) + 1), *owners]]
    matrix = templates(len(owners), seed)
    many = fused(matrix, owners, max(owners) + 1)
    mine = matrix[[row for row, owner in enumerate(owners) if owner == 0]]
    alone = fused(mine, [0] * len(mine), 1)
    probe = templates(1, seed + 1)[0]
    (one,) = alone.search(probe, 9, -1)
    (same,) = [hit for hit in many.search(probe, 9, -1) if hit.user == 10]
    assert one.cosine == same.cosine
    assert np.array_equal(alone.of(10), many.of(10))  # type: ignore[arg-type]


def test_it_is_nearer_to_the_person_than_its_faces_are() -> None:
    person = templates(1)
    faces = np.concatenate([near(person, 0.6, seed) for seed in range(1, 9)])
    (hit,) = fused(faces, [0] * 8, 1).search(person[0], 1, -1)
    assert hit.cosine > 0.85
    assert (faces @ person[0]).max() < 0.61


def test_who_is_most_alike_comes_first_and_nobody_below_the_limit() -> None:
    probe = templates(1)
    matrix = np.concatenate(
        [near(probe, cosine, seed) for seed, cosine in enumerate((0.5, 0.9), 1)]
    )
    made = fused(np.concatenate([matrix, -probe]), [0, 1, 2], 3)
    assert [hit.user for hit in made.search(probe[0], 9, -1)] == [11, 10, 12]
    assert [hit.user for hit in made.search(probe[0], 9, 0.4)] == [11, 10]
    assert [hit.user for hit in made.search(probe[0], 1, 0.4)] == [11]
    assert [hit.user for hit in made.search(probe[0], 1, 0.4, without=11)] == [10]
    assert len(made) == 3


def test_a_hit_tells_whose_faces_it_is_made_of() -> None:
    matrix = np.repeat(templates(1), 3, axis=0)
    (hit, other) = sorted(fused(matrix, [0, 1, 0], 2).search(matrix[0], 9, 0), key=lambda h: h.user)
    assert (hit.user, hit.subject, hit.faces, hit.subjects) == (10, 30, (100, 102), (1000, 1002))
    assert (other.faces, other.subjects) == ((101,), (1001,))


def test_faces_that_cancel_each_other_are_like_nobody() -> None:
    face = templates(1)
    made = fused(np.concatenate([face, -face]), [0, 0], 1)
    (hit,) = made.search(face[0], 1, -1)
    assert hit.cosine == 0
    assert np.isfinite(made.of(10)).all()  # type: ignore[arg-type]


def test_without_users_nobody_is_found() -> None:
    made = fused(np.empty((0, 128), np.float32), [], 0)
    assert (len(made), made.search(templates(1)[0], 9, -1), made.of(10)) == (0, [], None)


def test_what_is_wiped_is_zeros_and_what_was_given_is_a_copy() -> None:
    made = fused(templates(2), [0, 1], 2)
    kept = made.of(10)
    assert kept is not None
    kept[:] = 0
    assert np.linalg.norm(made.of(10)) > 0  # type: ignore[arg-type]
    made.wipe()
    assert not np.any(made._templates)
