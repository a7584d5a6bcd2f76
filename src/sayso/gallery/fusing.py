"""Fused templates: one for each user, of the faces that are associated with them.

The mean of unit vectors, made unit again: for templates whose errors are independent it lies nearer
to the person than any of them. They are made when they are asked for, of those faces alone whose
subjects may be shown, and are wiped with the first change of what they are made of.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sayso.evidence.calibration import COSINES, Scoring
from sayso.evidence.fusing import fused

Keys = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FusedFound:
    """A user that a probe resembles: their key, their subject's, the score and the cosine.

    ``faces`` and ``subjects`` are the keys of what the fused template is made of, and of whose
    faces these are.
    """

    user: int
    subject: int
    score: float
    cosine: float
    faces: tuple[int, ...]
    subjects: tuple[int, ...]


class Fused:
    """The fused templates of those who may be shown for one purpose.

    ``users`` and ``subjects`` are int64 (n,), one for each template: the user and whose it is.
    ``owners`` is int64 (f,), the place in these of each face that one is made of; ``faces`` and
    ``people`` int64 (f,) are the keys of those faces and of their subjects, and ``templates``
    float32 (f, d) what is fused. ``scoring`` says how they are scored: templates that are made of
    several faces score higher with strangers, too, and its factor is for these.
    """

    def __init__(
        self,
        users: Keys,
        subjects: Keys,
        owners: Keys,
        faces: Keys,
        people: Keys,
        templates: NDArray[np.float32],
        scoring: Scoring = COSINES,
    ) -> None:
        self._users, self._subjects = users, subjects
        self._owners, self._faces, self._people = owners, faces, people
        self._templates = fused(templates, owners, len(users))
        self._normaliser = normaliser = scoring.normaliser
        counts = np.bincount(owners, minlength=len(users))
        self._scale = scoring.fused
        self._scales = np.where(counts > 1, scoring.fused, 1.0).astype(np.float32)
        self._searched = self._templates
        if normaliser is not None:
            self._searched = normaliser.gallery(self._templates)

    def __len__(self) -> int:
        return len(self._users)

    def of(self, user: int) -> NDArray[np.float32] | None:
        """Return the fused template of a user, float32 (d,), or None where there is none."""
        row = np.flatnonzero(self._users == user)
        return self._templates[row[0]].copy() if row.size else None

    def is_fused(self, user: int) -> bool:
        """Whether the template of a user is made of several faces."""
        return bool((self._scales[self._users == user] != 1).any())

    def search(
        self,
        probe: NDArray[np.float32],
        top: int,
        least: float,
        without: int | None = None,
        *,
        fused: bool = False,
    ) -> list[FusedFound]:
        """Find the users most like a probe, float32 (d,), whose score is at least that.

        ``fused`` says that the probe is made of several faces itself.
        """
        scores = _scaled(self._scores(probe), self._scale if fused else 1.0)
        allowed = scores >= least
        if without is not None:
            allowed &= self._users != without
        rows = np.flatnonzero(allowed)
        best = rows[np.argsort(-scores[rows], kind="stable")][:top]
        cosines = np.vecdot(self._templates[best], probe[None])
        return [
            self._found(int(row), float(scores[row]), float(cosine))
            for row, cosine in zip(best, cosines, strict=True)
        ]

    def wipe(self) -> None:
        """Overwrite the templates."""
        self._templates.fill(0)
        self._searched.fill(0)

    def _scores(self, probe: NDArray[np.float32]) -> NDArray[np.float32]:
        # One product after the other: what a user scores depends on nobody beside them.
        if self._normaliser is None:
            return _scaled(np.vecdot(self._searched, probe[None]), self._scales)
        vectors, less = self._normaliser.probes(probe[None])
        products = np.asarray(np.vecdot(self._searched, vectors), np.float32)
        return _scaled(self._normaliser.unscaled(products) - less, self._scales)

    def _found(self, row: int, score: float, cosine: float) -> FusedFound:
        made_of = self._owners == row
        return FusedFound(
            int(self._users[row]),
            int(self._subjects[row]),
            score,
            cosine,
            tuple(self._faces[made_of].tolist()),
            tuple(np.unique(self._people[made_of]).tolist()),
        )


def _scaled(
    scores: NDArray[np.float32], scales: NDArray[np.float32] | float
) -> NDArray[np.float32]:
    """Return scores times factors of at most 1; one below 0 would be raised by it, and stays."""
    return np.asarray(np.where(scores > 0, scores * scales, scores), np.float32)
