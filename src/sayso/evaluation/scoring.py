"""Ways to score two templates; every measure takes any of them."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Scorer(Protocol):
    """Scores templates against each other, the same either way round: higher is more alike."""

    @property
    def name(self) -> str:
        """What the report calls it."""
        ...

    def scores(self, a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 (n, m) for unit-length rows ``a`` float32 (n, d), ``b`` (m, d)."""
        ...


class RawCosine:
    """The cosine of the angle between two templates, -1 to 1."""

    name = "raw cosine"

    def scores(self, a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 (n, m), the cosines of rows of unit length."""
        return np.asarray(a @ b.T, np.float32)


def scorers_for(model: str) -> tuple[Scorer, ...]:  # noqa: ARG001 - no model has another one yet
    """Return the ways to score templates of a model: first the one that is evaluated by itself."""
    return (RawCosine(),)
