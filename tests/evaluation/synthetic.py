"""Measured pictures whose error rates are known: scores come from known distributions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

from sayso.evaluation.folder import Measured
from sayso.evidence.calibration import Calibration
from sayso.evidence.normalisation import Normaliser
from tests.gallery.synthetic import templates as directions

DIMENSION = 128


class Table:
    """Scores from a table: a template holds the number of its row and nothing else."""

    name = "table"

    def __init__(self, table: NDArray[np.float32], calibration: Calibration | None = None) -> None:
        self._table = table
        self.calibration = calibration

    def claiming(self, calibration: Calibration) -> Table:
        return Table(self._table, calibration)

    def prepare(self, templates: NDArray[np.float32]) -> NDArray[np.float32]:
        return templates

    def scores(self, a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
        rows, columns = (np.rint(each[:, 1]).astype(int) for each in (a, b))
        return np.asarray(self._table[np.ix_(rows, columns)])


def measured(
    people: Sequence[int],
    templates: NDArray[np.float32],
    *,
    groups: Sequence[str | None] | None = None,
    quality: NDArray[np.float32] | None = None,
) -> Measured:
    numbers = np.array(people, np.int64)
    count = int(numbers.max()) + 1
    names = tuple(f"person{number:03}" for number in range(count))
    files = tuple(f"{names[p]}/{row:04}.jpg" for row, p in enumerate(numbers))
    found = templates.any(axis=1)
    return Measured(
        files,
        numbers,
        names,
        tuple(groups) if groups is not None else (None,) * count,
        templates,
        np.full(len(files), 50, np.float32) if quality is None else quality,
        tuple((files[row], "no face was found") for row in np.flatnonzero(~found)),
    )


def normal(
    people: int, pictures: int, *, genuine: float = 3.0, of_person: float = 0.0, seed: int = 0
) -> tuple[Measured, Table]:
    """Impostor scores from N(0, 1), genuine ones from N(genuine + a shift of the person, 1).

    The shifts are from N(0, of_person).
    """
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(people), pictures)
    scores = np.triu(rng.standard_normal((len(owner),) * 2), k=1)
    shift = genuine + of_person * rng.standard_normal(people)
    scores += np.where(owner[:, None] == owner[None], shift[owner][:, None], 0)
    scores = np.triu(scores, k=1)
    rows = np.stack([np.ones(len(owner)), np.arange(len(owner))], axis=1).astype(np.float32)
    return measured(owner.tolist(), rows), Table((scores + scores.T).astype(np.float32))


def faces(
    people: int,
    pictures: int,
    *,
    noise: float = 0.6,
    common: NDArray[np.float32] | None = None,
    seed: int = 0,
) -> tuple[list[int], NDArray[np.float32]]:
    """Return whose they are, and unit templates float32 (n, 128) around a direction of each.

    ``common`` float32 (people,) is how far those of each person lean in one and the same
    direction, which makes strangers alike.
    """
    rng = np.random.default_rng((seed, 1))  # not what the directions are drawn from
    centres = directions(people, seed)
    if common is not None:
        centres = centres + common[:, None] * directions(1, seed=10_000)
    owner = np.repeat(np.arange(people), pictures)
    scatter = rng.standard_normal((len(owner), DIMENSION)) * noise / np.sqrt(DIMENSION)
    rows = centres[owner] + scatter
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return owner.tolist(), rows.astype(np.float32)


def claims(
    scores: NDArray[np.float64],
    rates: NDArray[np.float64],
    *,
    normaliser: Normaliser | None = None,
) -> Calibration:
    """A calibration that claims these rates, float64 (n,), at these scores."""
    return Calibration(
        model="sface-2021dec",
        model_sha256="0" * 64,
        template_version="sface/1",
        provenance="synthetic",
        scores=scores,
        rates=np.minimum(rates, 1.0),
        counted_to=float(scores[-1]),
        ceiling=float(scores[-1]) + 1,
        fused=1.0,
        normaliser=normaliser,
    )


def normal_claims(times: float = 1.0, *, up_to: float = 6.0) -> Calibration:
    """Claims so many times the true false-match rate of scores from N(0, 1), up to a score."""
    scores = np.linspace(-2.0, up_to, 400)
    return claims(scores, times * norm.sf(scores))


def cosine_claims(times: float = 1.0) -> Calibration:
    """The same of cosines of independent directions in ``DIMENSION`` dimensions."""
    cosines = np.linspace(-0.1, 0.6, 400)
    # Of a uniform direction: cosine * sqrt(d - 1) / sqrt(1 - cosine^2) is Student's t, d - 1.
    statistic = cosines * np.sqrt((DIMENSION - 1) / (1 - cosines**2))
    return claims(cosines, times * t.sf(statistic, DIMENSION - 1))


def some_normaliser(seed: int = 0) -> Normaliser:
    """A normaliser that changes scores: no identity, no zero offsets."""
    rng = np.random.default_rng((seed, 2))
    quadratic = rng.standard_normal((DIMENSION,) * 2) * 0.005
    whitening = np.eye(DIMENSION) + np.diag(rng.uniform(-0.3, 0.3, DIMENSION))
    return Normaliser(
        mean=(rng.standard_normal(DIMENSION) * 0.02).astype(np.float32),
        whitening=whitening.astype(np.float32),
        constant=0.02,
        linear=rng.standard_normal(DIMENSION) * 0.05,
        quadratic=(quadratic + quadratic.T) / 2,
    )
