"""Which detector looks at which scale of a picture: the plans of the three modes and of redaction.

A detector finds faces of about 12 to 400 pixels of its input. Small faces need the picture
enlarged, large ones need it reduced, and a face that fills the picture needs room around it.
Landmarks of two detectors are better than those of one. What each mode reaches, and what it
costs, is in benchmarks/results.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from sayso.vision.tiling import OVERLAP, is_tiled
from sayso.vision.types import Mode

DetectorName = Literal["centerface", "yunet"]
#: A mode's plan, or that of redaction: most faces for its time, small ones above all, where
#: something that is no face may be taken for one.
PlanName = Mode | Literal["redaction"]
PLANS: tuple[PlanName, ...] = (*get_args(Mode), "redaction")


@dataclass(frozen=True, slots=True)
class Pass:
    """One detector over the whole picture at one scale.

    ``margin`` is the share of the longer side that is added around the picture. A pass that is
    ``coarse`` is there for large faces only, and its silence says nothing against a small one.
    One with ``only_for`` runs only when an earlier pass found a face at least so many pixels high.
    """

    detector: DetectorName
    scale: float
    mirrored: bool = False
    coarse: bool = False
    margin: float = 0.0
    only_for: float = 0.0


#: The long side to which each mode enlarges a picture, and the enlargement it never exceeds.
_FINE_SIDE: dict[PlanName, int] = {
    "fast": 1600, "balanced": 1600, "thorough": 2048, "redaction": 1600,
}  # fmt: skip
#: CenterFace's in redaction: more costs more than it finds, with YuNet there for the small faces.
_CENTERFACE_SIDE = 1024
_MAX_ENLARGEMENT = 2.0
#: Above these long sides a picture is reduced: the price of bounded time.
_MAX_SIDE: dict[PlanName, int] = {
    "fast": 2560, "balanced": 4096, "thorough": 8192, "redaction": 8192,
}  # fmt: skip
_COARSE_SIDE = 512
_FILLING_SIDE, _FILLING_MARGIN = 320, 0.25
#: In pixels of the fine pass: such a face is worth a second look where it appears smaller.
_LARGE = 160.0
#: A face up to this many pixels is whole on one tile or its neighbour, with some to spare.
_WHOLE_ON_A_TILE = 0.85 * OVERLAP
#: A coarse pass nearly as large as the fine one sees nothing new.
_WORTH_A_PASS = 0.8
#: A face smaller than this, in pixels of a coarse pass's input, is not that pass's business.
COARSE_MIN_HEIGHT = 40.0


def plan(width: int, height: int, mode: PlanName) -> tuple[Pass, ...]:
    """The passes for a picture of this size; the first decides where boxes are in doubt."""
    side = max(width, height)
    fine = min(max(side, _FINE_SIDE[mode]), side * _MAX_ENLARGEMENT, _MAX_SIDE[mode]) / side
    first = min(fine, max(1, _CENTERFACE_SIDE / side)) if mode == "redaction" else fine
    filling = Pass("yunet", _FILLING_SIDE / side, coarse=True, margin=_FILLING_MARGIN)
    main: DetectorName = "yunet" if mode == "fast" else "centerface"
    passes = [Pass(main, first)]
    if mode != "fast":
        passes += [Pass("yunet", fine)]
    finest = fine
    if mode == "thorough":
        finest = max(fine, min(1.5 * fine, _MAX_SIDE[mode] / side))
        passes += [Pass("centerface", fine, mirrored=True), Pass("centerface", finest)]
    if is_tiled(round(width * finest), round(height * finest)):
        # Whoever is too large to be whole on one tile is large enough here.
        coarse = max(_COARSE_SIDE / side, finest * COARSE_MIN_HEIGHT / _WHOLE_ON_A_TILE)
        return (*passes, filling, Pass(main, coarse, coarse=True))
    if main == "centerface" and first * side > _COARSE_SIDE / _WORTH_A_PASS:
        coarse, large = _COARSE_SIDE / side, _LARGE / first
        return (*passes, filling, Pass(main, coarse, coarse=True, only_for=large))
    return (*passes, filling)
