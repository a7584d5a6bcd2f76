"""Ways to score two templates; every measure takes any of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sayso.evidence.calibration import Calibration
from sayso.evidence.normalisation import Normaliser


class Scorer(Protocol):
    """Scores templates against each other, the same either way round: higher is more alike.

    Templates are prepared once and compared often.
    """

    @property
    def name(self) -> str:
        """What the report calls it."""
        ...

    @property
    def calibration(self) -> Calibration | None:
        """The false-match rates that are claimed of these scores, if any are."""
        ...

    def prepare(self, templates: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 (n, p), what ``scores`` compares, of unit-length rows float32 (n, d)."""
        ...

    def scores(self, a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 (n, m) for prepared rows ``a`` float32 (n, p), ``b`` (m, p)."""
        ...


class RawCosine:
    """The cosine of the angle between two templates, -1 to 1; nothing is claimed of its own."""

    name = "raw cosine"

    def __init__(self, calibration: Calibration | None = None) -> None:
        self.calibration = calibration

    def prepare(self, templates: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the templates as they are."""
        return templates

    def scores(self, a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 (n, m), the cosines of rows of unit length."""
        return np.asarray(a @ b.T, np.float32)


class Normalised:
    """Normalised scores, which are what searches stand on; see ``evidence.normalisation``."""

    name = "normalised"

    def __init__(self, normaliser: Normaliser, calibration: Calibration | None = None) -> None:
        self.calibration = calibration
        self._normaliser = normaliser

    def prepare(self, templates: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 (n, d + 1): the whitened templates, and the offset of each as a column."""
        whitened = self._normaliser.whitened(templates)
        offsets = self._normaliser.offsets(whitened)[:, None]
        return np.concatenate([whitened, offsets.astype(np.float32)], axis=1)

    def scores(self, a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 (n, m), the normalised scores of prepared rows."""
        scores = a[:, :-1] @ b[:, :-1].T
        scores -= a[:, -1:]
        scores -= b[:, -1]
        return np.asarray(scores, np.float32)


class Heeding:
    """Scores as another scorer does, and calls ``heed`` before each block of them.

    What ``heed`` raises ends whatever is measured, so that nobody waits for all of it.
    """

    def __init__(self, scorer: Scorer, heed: Callable[[], None]) -> None:
        self.name, self.calibration = scorer.name, scorer.calibration
        self._scorer, self._heed = scorer, heed

    def prepare(self, templates: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what the other scorer compares, of float32 (n, d)."""
        self._heed()
        return self._scorer.prepare(templates)

    def scores(self, a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 (n, m), the other scorer's scores."""
        self._heed()
        return self._scorer.scores(a, b)


def scorers_of(found: Calibration | None) -> tuple[Scorer, ...]:
    """Return the ways to score templates by their calibration, None where they have none.

    The first is the one that searches stand on.
    """
    if found is None or found.normaliser is None:
        return (RawCosine(found),)
    return (Normalised(found.normaliser, found), RawCosine())
