from __future__ import annotations

import numpy as np

from sayso.vision.alignment import REFERENCE
from sayso.vision.detections import Detections, empty
from sayso.vision.merging import comparable, merge
from sayso.vision.passes import Pass

FINE = Pass("centerface", 2.0)
OTHER = Pass("yunet", 2.0)
COARSE = Pass("centerface", 0.5, coarse=True)


def _found(*rows: tuple[float, float, float, float]) -> Detections:
    """Faces given as x, y, side and score; every landmark in the middle of its box."""
    boxes = np.array([(x, y, x + side, y + side) for x, y, side, _ in rows], np.float32)
    middles = np.array([(x + side / 2, y + side / 2) for x, y, side, _ in rows], np.float32)
    return Detections(
        boxes.reshape(-1, 4),
        np.array([row[3] for row in rows], np.float32),
        np.repeat(middles.reshape(-1, 1, 2), 5, axis=1),
    )


def _featured(found: Detections) -> Detections:
    """The same boxes, with eyes, nose and mouth where faces have them."""
    sides = (found.boxes[:, 2:] - found.boxes[:, :2])[:, None]
    return Detections(found.boxes, found.scores, found.boxes[:, None, :2] + REFERENCE / 112 * sides)


def test_one_face_seen_by_two_detectors_is_one_face_between_both() -> None:
    merged = merge([(FINE, _found((0, 0, 20, 0.6))), (OTHER, _found((2, 0, 20, 0.72)))])
    assert len(merged) == 1
    assert 0 < merged.boxes[0, 0] < 2
    # CenterFace says 0.6; YuNet's 0.72 is 0.6 on the common scale.
    assert np.isclose(merged.scores[0], 0.6, atol=1e-5)
    np.testing.assert_allclose(merged.landmarks[0, 0], [11, 10], atol=1e-4)


def test_a_face_that_one_of_two_fine_passes_missed_has_half_the_score() -> None:
    merged = merge([(FINE, _found((0, 0, 20, 0.8))), (OTHER, empty())])
    assert np.isclose(merged.scores[0], 0.4)


def test_a_large_face_that_only_the_coarse_pass_sees_keeps_its_score() -> None:
    merged = merge([(FINE, empty()), (OTHER, empty()), (COARSE, _found((0, 0, 900, 0.8)))])
    assert np.isclose(merged.scores[0], 0.8)


def test_neighbours_stay_apart_and_the_best_comes_first() -> None:
    merged = merge([(FINE, _found((0, 0, 20, 0.3), (18, 0, 20, 0.9), (60, 0, 20, 0.5)))])
    assert merged.boxes[:, 0].tolist() == [18, 60, 0]


def test_the_better_of_two_detections_of_one_pass_counts_once() -> None:
    merged = merge([(FINE, _found((0, 0, 20, 0.5), (1, 0, 20, 0.7)))])
    assert len(merged) == 1
    assert np.isclose(merged.scores[0], 0.7)
    assert np.isclose(merged.boxes[0, 0], 1)


def test_the_features_of_a_large_face_are_no_second_face_but_a_small_face_in_it_is() -> None:
    small, features = (300, 300, 60, 0.7), (300, 300, 350, 0.7)
    merged = merge(
        [
            (FINE, _found(small, (400, 400, 250, 0.6))),
            (COARSE, _found((100, 100, 700, 0.9))),
        ]
    )
    assert sorted((merged.boxes[:, 2] - merged.boxes[:, 0]).tolist()) == [60, 700]
    # Without the large face around them they are a face like any other.
    assert len(merge([(FINE, _found(features))])) == 1


def test_a_face_in_front_of_a_large_one_is_somebody_elses() -> None:
    large = _featured(_found((100, 100, 700, 0.9)))
    before = _featured(_found((400, 400, 250, 0.6)))
    # With the eyes, nose and mouth of the large one it is but these, and if it is hardly seen, too.
    same = Detections(before.boxes, before.scores, large.landmarks)
    faint = _featured(_found((400, 400, 250, 0.3)))
    for inner, sides in ((before, [700, 250]), (same, [700]), (faint, [700])):
        merged = merge([(FINE, inner), (COARSE, large)], in_front=True)
        assert (merged.boxes[:, 2] - merged.boxes[:, 0]).tolist() == sides
    # Who only wants to see faces is better served without the parts of one.
    assert len(merge([(FINE, before), (COARSE, large)])) == 1


def test_landmarks_come_from_the_scale_at_which_the_face_is_seen_best() -> None:
    # A face of 100 pixels is 200 in the fine pass, and 50 in the coarse one: the fine one counts.
    fine, coarse = _found((0, 0, 100, 0.8)), _found((8, 0, 100, 0.8))
    merged = merge([(FINE, fine), (COARSE, coarse)])
    np.testing.assert_allclose(merged.landmarks[0, 0], fine.landmarks[0, 0], atol=1e-4)
    # One of 300 is 600 in the fine pass, more than a detector knows: the coarse one counts.
    fine, coarse = _found((0, 0, 300, 0.8)), _found((8, 0, 300, 0.8))
    merged = merge([(FINE, fine), (COARSE, coarse)])
    np.testing.assert_allclose(merged.landmarks[0, 0], coarse.landmarks[0, 0], atol=1e-4)


def test_nothing_found() -> None:
    assert len(merge([(FINE, empty()), (OTHER, empty())])) == 0


def test_scores_of_both_detectors_run_from_0_to_1_in_order() -> None:
    scores = np.linspace(0, 1, 11, dtype=np.float32)
    ours = comparable(scores, "yunet")
    assert ours[0] == 0
    assert ours[-1] == 1
    assert (np.diff(ours) >= 0).all()
    np.testing.assert_array_equal(comparable(scores, "centerface"), scores)


def test_mirroring_twice_changes_nothing_and_swaps_left_and_right_once() -> None:
    found = Detections(
        np.array([[10, 5, 30, 40]], np.float32),
        np.ones(1, np.float32),
        np.arange(10, dtype=np.float32).reshape(1, 5, 2),
    )
    once = found.mirrored(100)
    assert once.boxes.tolist() == [[70, 5, 90, 40]]
    assert once.landmarks[0, 0].tolist() == [100 - 2, 3]
    twice = once.mirrored(100)
    np.testing.assert_array_equal(twice.boxes, found.boxes)
    np.testing.assert_array_equal(twice.landmarks, found.landmarks)
