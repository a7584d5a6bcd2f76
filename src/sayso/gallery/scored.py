"""Exact search by the scores of a model: cosines, or what its normaliser makes of templates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sayso.evidence.normalisation import Normaliser
from sayso.gallery.search import UNIT_TOLERANCE, ExactSearch

Float32 = NDArray[np.float32]


class ScoredSearch:
    """The templates of a gallery, float32 of unit length, searched exhaustively by their scores.

    Rows are numbered as in ``ExactSearch``. With a normaliser, what is kept are the vectors that it
    makes, from which the templates can be told again up to rounding; without one, scores are
    cosines. ``threads`` is how many cores a search may use, None for all.
    """

    def __init__(
        self, dimension: int, normaliser: Normaliser | None = None, *, threads: int | None = None
    ) -> None:
        if normaliser is not None and normaliser.dimension != dimension:
            raise ValueError(
                f"templates have {dimension} numbers; the normaliser is for {normaliser.dimension}"
            )
        self._normaliser = normaliser
        searched = dimension if normaliser is None else normaliser.searched_dimension
        self._exact = ExactSearch(searched, threads=threads)

    def __len__(self) -> int:
        return len(self._exact)

    def add(self, templates: Float32) -> None:
        """Append templates, float32 (m, d); raises ValueError as ``ExactSearch.add`` does."""
        if self._normaliser is not None:
            lengths = np.sqrt(np.vecdot(templates, templates))
            if not np.all(np.abs(lengths - 1) <= UNIT_TOLERANCE):  # NaN fails this, too
                raise ValueError("a template is not of unit length")
            templates = self._normaliser.gallery(templates)
        self._exact.add(templates)

    def remove(self, rows: NDArray[np.int64]) -> None:
        """Remove rows and overwrite them; the others close up and keep their order."""
        self._exact.remove(rows)

    def templates(self, rows: NDArray[np.int64]) -> Float32:
        """Return the templates of rows, float32 (n, d), as a copy."""
        found = self._exact.rows(rows)
        return found if self._normaliser is None else self._normaliser.templates(found)

    def search(
        self, probes: Float32, k: int, allowed: NDArray[np.bool_] | None = None
    ) -> tuple[Float32, NDArray[np.int64]]:
        """Find each probe's ``k`` best rows: float32 scores and int64 rows, both (p, k).

        As ``ExactSearch.search``: -inf and -1 where there are fewer.
        """
        if self._normaliser is None:
            return self._exact.search(probes, k, allowed)
        vectors, less = self._normaliser.probes(probes)
        products, rows = self._exact.search(vectors, k, allowed)
        return self._normaliser.unscaled(products) - less[:, None], rows
