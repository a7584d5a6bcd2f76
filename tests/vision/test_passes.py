"""Every face has a pass that sees it at a size that detectors know."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.vision.passes import COARSE_MIN_HEIGHT, PLANS, PlanName, plan
from sayso.vision.tiling import OVERLAP, is_tiled
from sayso.vision.types import MODES

SIDES = st.integers(1, 20_000)


@given(SIDES, SIDES, st.sampled_from(PLANS))
def test_a_plan_is_bounded_whatever_the_size(width: int, height: int, mode: PlanName) -> None:
    for entry in plan(width, height, mode):
        assert 0 < entry.scale * max(width, height) <= 8192.5
        assert entry.coarse or entry.scale <= 3.001


@given(SIDES, SIDES, st.sampled_from(PLANS))
def test_what_no_tile_holds_whole_is_large_enough_for_a_coarse_pass(
    width: int, height: int, mode: PlanName
) -> None:
    passes = plan(width, height, mode)
    for fine in (entry for entry in passes if not entry.coarse):
        if not is_tiled(round(width * fine.scale), round(height * fine.scale)):
            continue
        # In pixels of the picture: larger faces may be cut by every tile they are on.
        largest_whole = (OVERLAP - 4) / fine.scale
        assert any(
            entry.coarse and not entry.only_for and entry.scale * largest_whole >= COARSE_MIN_HEIGHT
            for entry in passes
        )


@pytest.mark.parametrize("mode", PLANS)
def test_every_mode_looks_for_a_face_that_fills_the_picture(mode: PlanName) -> None:
    assert any(entry.margin > 0 for entry in plan(1000, 800, mode))


def test_a_slower_mode_looks_no_less_closely() -> None:
    finest = [max(entry.scale for entry in plan(1024, 768, mode)) for mode in MODES]
    assert finest == sorted(finest)
