"""Templates that need no model: random directions, which are far from each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sayso.core import Sayso
from sayso.enrolment import Version
from sayso.evidence.calibration import default
from sayso.results import Consent, FalseMatchRule

#: Scores can be told only of a model that has a calibration, so this one lends its name.
MODEL = "sface-2021dec"
VERSION = Version(MODEL, default().template_version)
PURPOSE = "photo-delivery"
#: Lets searches for anything at all find somebody.
ANYBODY = FalseMatchRule(1e6)
CONSENT = Consent([PURPOSE], "form 17")
DIMENSION = 128


def templates(count: int, seed: int = 0) -> NDArray[np.float32]:
    """Return float32 (count, 128) of unit length; the first rows do not depend on the count."""
    matrix = np.random.default_rng(seed).standard_normal((count, DIMENSION)).astype(np.float32)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix


def near(matrix: NDArray[np.float32], cosine: float, seed: int = 99) -> NDArray[np.float32]:
    """Return, for each row, a unit vector at that cosine to it."""
    noise = templates(len(matrix), seed)
    noise -= np.einsum("ij,ij->i", noise, matrix)[:, None] * matrix
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    turned: NDArray[np.float32] = cosine * matrix + np.float32(np.sqrt(1 - cosine**2)) * noise
    return turned


def enrol(
    app: Sayso,
    names: list[str],
    *,
    collection: str = "club",
    consent: Consent | None = CONSENT,
    seed: int = 0,
    allow_lookalike: bool = False,
    like: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Enrol one template for each name, and return them.

    Those that are ``like`` others, of the same people, are enough so to be theirs, and not to be
    found by them.
    """
    matrix = templates(len(names), seed)
    if like is not None:
        matrix = near(like, 0.5, 100 + seed)
    app.enroll_templates(
        collection,
        subjects=names,
        templates=matrix,
        consent=consent,
        version=VERSION,
        allow_lookalike=allow_lookalike,
    )
    return matrix


def named(
    app: Sayso, probes: NDArray[np.float32], *, collection: str = "club", purpose: str = PURPOSE
) -> list[str | None]:
    """Return whom each probe is recognised as."""
    # Far beyond the rule, by which one stranger in a hundred is alike in a small gallery.
    found = app.recognize_templates(
        collection, probes, purpose=purpose, min_similarity=80, version=VERSION
    )
    return [candidates[0].subject if candidates else None for candidates in found]
