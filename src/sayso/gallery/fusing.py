"""Fused templates: one for each user, of the faces that are associated with them.

The mean of unit vectors, made unit again: for templates whose errors are independent it lies nearer
to the person than any of them. They are made when they are asked for, of those faces alone whose
subjects may be shown, and are wiped with the first change of what they are made of.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FusedFound:
    """A user that a probe resembles: their key, their subject's, and the cosine.

    ``faces`` and ``subjects`` are the keys of what the fused template is made of, and of whose
    faces these are.
    """

    user: int
    subject: int
    cosine: float
    faces: tuple[int, ...]
    subjects: tuple[int, ...]


class Fused:
    """The fused templates of those who may be shown for one purpose.

    ``users`` and ``subjects`` are int64 (n,), one for each template: the user and whose it is.
    ``owners`` is int64 (f,), the place in these of each face that one is made of; ``faces`` and
    ``people`` int64 (f,) are the keys of those faces and of their subjects, and ``templates``
    float32 (f, d) what is fused.
    """

    def __init__(
        self,
        users: Keys,
        subjects: Keys,
        owners: Keys,
        faces: Keys,
        people: Keys,
        templates: NDArray[np.float32],
    ) -> None:
        self._users, self._subjects = users, subjects
        self._owners, self._faces, self._people = owners, faces, people
        sums = np.zeros((len(users), templates.shape[1]), np.float64)
        np.add.at(sums, owners, templates)
        lengths = np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
        self._templates = (sums / lengths).astype(np.float32)

    def __len__(self) -> int:
        return len(self._users)

    def of(self, user: int) -> NDArray[np.float32] | None:
        """Return the fused template of a user, float32 (d,), or None where there is none."""
        row = np.flatnonzero(self._users == user)
        return self._templates[row[0]].copy() if row.size else None

    def search(
        self, probe: NDArray[np.float32], top: int, min_cosine: float, without: int | None = None
    ) -> list[FusedFound]:
        """Find the users most like a probe, float32 (d,), that are at least so similar."""
        # One product after the other: what a user scores depends on nobody beside them.
        scores = np.vecdot(self._templates, probe[None])
        allowed = scores >= min_cosine
        if without is not None:
            allowed &= self._users != without
        rows = np.flatnonzero(allowed)
        best = rows[np.argsort(-scores[rows], kind="stable")][:top]
        return [self._found(int(row), float(scores[row])) for row in best]

    def wipe(self) -> None:
        """Overwrite the templates."""
        self._templates.fill(0)

    def _found(self, row: int, cosine: float) -> FusedFound:
        made_of = self._owners == row
        return FusedFound(
            int(self._users[row]),
            int(self._subjects[row]),
            cosine,
            tuple(self._faces[made_of].tolist()),
            tuple(np.unique(self._people[made_of]).tolist()),
        )
