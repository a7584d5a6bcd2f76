from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sayso.vision.detections import Detections
from sayso.vision.tiling import MAX_LONG, MAX_SHORT, OVERLAP, padded, tiles


@settings(deadline=None)
@given(st.integers(1, 12_000), st.integers(1, 12_000))
def test_tiles_cover_the_picture_and_stay_within_their_size(width: int, height: int) -> None:
    covered_to: dict[int, int] = {}
    for tile in tiles(width, height):
        assert sorted((tile.width, tile.height)) <= [MAX_SHORT, MAX_LONG]
        assert 0 <= tile.x <= tile.x + tile.width <= width
        assert 0 <= tile.y <= tile.y + tile.height <= height
        if tile.cuts[0]:
            assert tile.x <= covered_to[tile.y] - OVERLAP
        covered_to[tile.y] = tile.x + tile.width
    assert set(covered_to.values()) == {width}
    assert max(tile.y + tile.height for tile in tiles(width, height)) == height


def test_a_face_cut_by_an_inner_edge_is_left_to_the_neighbour() -> None:
    first, *_ = tiles(4000, 1000)
    assert first.cuts == (False, False, True, False)
    edge = first.width
    boxes = np.array([[edge - 50, 10, edge, 60], [0, 0, 40, 40], [edge - 90, 10, edge - 40, 60]])
    found = Detections(
        boxes.astype(np.float32), np.ones(3, np.float32), np.zeros((3, 5, 2), np.float32)
    )
    assert first.drop_cut_faces(found).boxes[:, 0].tolist() == [0, edge - 90]


@given(st.integers(1, 5000))
def test_padding_is_the_next_multiple_of_32(side: int) -> None:
    assert padded(side) >= side
    assert padded(side) % 32 == 0
    assert padded(side) - side < 64
