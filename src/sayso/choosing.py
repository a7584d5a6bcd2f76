"""Which face of a picture is the one to enrol: by size, place and wholeness, or as the caller says.

Faces of about the same size make it a guess whom a picture shows, unless one of them stands out: a
whole face in the middle is who the picture is of, and one at the edge, cut by the frame, somebody
who came into it. A face is never taken over a larger one that is not of about its size, however
well it lies: somebody out of focus is still who the picture is of. Nor does it settle a doubt that
a face is like those of other pictures: two people who are photographed together often are alike in
that, and the wrong one would be enrolled in silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, get_args

import numpy as np

from sayso.errors import AmbiguousFace, EnrolmentError, NoFaceFound
from sayso.vision.geometry import best_overlaps
from sayso.vision.types import Analysis, Face

Box = tuple[float, float, float, float]
Place = Literal["largest", "central"]
#: A face by its number, from 1, in the order in which detection lists them; by its place; or by a
#: box, x1, y1, x2, y2 in pixels, that it overlaps by at least half.
FaceChoice = int | Place | Box
PLACES: tuple[Place, ...] = get_args(Place)
#: Another face, good or not, with sides of at least this share of the largest one's is of about
#: the same size; and one that stands out by at least as much is in doubt with it.
COMPARABLE: Final = 0.8
#: What a face loses that lies in a corner of the picture, as a share of how it stands out. So the
#: place alone settles little: of three people in a row, the one in the middle is in doubt as well.
_OFF_CENTRE: Final = 0.3
_NAMED_BY_BOX: Final = 0.5


def check_choice(face: FaceChoice | Sequence[float] | None) -> FaceChoice | None:
    """Return what a caller chose; raises EnrolmentError for what chooses no face."""
    if face is None or (isinstance(face, str) and face in PLACES):
        return face
    if isinstance(face, int) and not isinstance(face, bool) and face >= 1:
        return face
    if isinstance(face, Sequence) and not isinstance(face, str):
        try:
            x1, y1, x2, y2 = (float(side) for side in face)
        except (TypeError, ValueError):
            pass
        else:
            if np.isfinite([x1, y1, x2, y2]).all() and x1 < x2 and y1 < y2:
                return x1, y1, x2, y2
    raise EnrolmentError(
        f"the face is given as {str(face)[:64]!r}: give its number from 1 on, 'largest', "
        "'central', or a box as x1, y1, x2, y2 with x1 < x2 and y1 < y2"
    )


def choose_row(analysis: Analysis, face: FaceChoice | None = None) -> int:
    """Return which face of a picture is the one to enrol, good or not.

    Raises NoFaceFound (there is none, or none where the caller says), and AmbiguousFace when the
    caller says nothing and several stand out alike.
    """
    faces = analysis.faces
    if not faces:
        raise NoFaceFound("no face was found in the picture")
    if face is None:
        rows = in_doubt(analysis)
        if len(rows) > 1:
            raise AmbiguousFace(
                f"{len(rows)} faces of about the same size are in the picture, so it is not clear "
                "whose it is: say which (a number, largest, central, or a box), or crop it"
            )
        return rows[0]
    if face == "largest":
        return int(np.argmax([side(each) for each in faces]))
    if face == "central":
        return int(np.argmin([_off_centre(each, analysis) for each in faces]))
    if isinstance(face, int):
        if face > len(faces):
            raise NoFaceFound(f"face {face} was asked for, and the picture has {len(faces)}")
        return face - 1
    boxes = np.array([each.box for each in faces], np.float32)
    (row,), (shared,) = best_overlaps(np.array([face], np.float32), boxes)
    if shared < _NAMED_BY_BOX:
        raise NoFaceFound("no face was found where the box is: give one that detection reports")
    return int(row)


def in_doubt(analysis: Analysis) -> list[int]:
    """Return the faces of which one is the picture's, the likeliest first: one where it is clear.

    Empty where there is no face.
    """
    sides = [side(each) for each in analysis.faces]
    alike = [row for row, own in enumerate(sides) if own >= COMPARABLE * max(sides)]
    worth = {row: sides[row] * _standing_out(analysis.faces[row], analysis) for row in alike}
    alike.sort(key=lambda row: -worth[row])
    return [row for row in alike if worth[row] >= COMPARABLE * worth[alike[0]]]


def side(face: Face) -> float:
    """Return the side in pixels of a square as large as a face's box."""
    return float(np.sqrt(max(face.width, 0) * max(face.height, 0)))


def _standing_out(face: Face, analysis: Analysis) -> float:
    """Return 1 for a whole face in the middle, less for one at the edge or cut by the frame."""
    x1, y1, x2, y2 = face.box
    wide = max(0.0, min(x2, analysis.width) - max(x1, 0.0))
    high = max(0.0, min(y2, analysis.height) - max(y1, 0.0))
    inside = wide * high / max(face.width * face.height, 1e-9)
    whole = min(inside, face.quality.visible)
    return whole * (1 - _OFF_CENTRE * _off_centre(face, analysis))


def _off_centre(face: Face, analysis: Analysis) -> float:
    """Return how far a face's middle is from the picture's: 0, to 1 in a corner and beyond."""
    x1, y1, x2, y2 = face.box
    across = ((x1 + x2) / analysis.width - 1, (y1 + y2) / analysis.height - 1)
    return min(1.0, float(np.hypot(*across)) / float(np.sqrt(2)))
