"""Scores that mean the same for everyone: cosines, less what strangers score with each template.

One threshold on raw cosines does not treat people alike: the faces of some groups lie closer
together in a recogniser's space, so their strangers score higher. Here a score is

    cosine(a', b') - h(a) - h(b)

where a' is template a less the mean of many people's, made unit again, and h says how high
strangers score with a template, learned from what a background of other people scored: a quadratic
function of the template. It asks for nobody's group and infers none, and it ships a mean and
coefficients, no template of anybody. The idea is adaptive symmetric score normalisation (Matejka et
al., "Analysis of Score Normalization in Multilingual Speaker Recognition", Interspeech 2017); that
h is predicted from the template, and that only the centre is shifted, keeps it from needing people.
No model's scores are normalised yet: the coefficients that ``benchmarks.normalisation`` fits lose
a little on Labeled Faces in the Wild.

As a difference of an inner product and two numbers it is searched like a cosine: see ``gallery``.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

#: Offsets are held within this, on either side: beyond it a template is unlike any that was seen.
LARGEST_OFFSET = 0.5
#: How much longer vectors are than unit length before they are scaled to it; see ``gallery``.
_GALLERY = float(np.sqrt(1 + LARGEST_OFFSET**2))
_PROBE = float(np.sqrt(2.0))


@dataclass(frozen=True, slots=True)
class Normaliser:
    """How scores of one model are normalised.

    ``mean`` is float32 (d,), the mean template; ``constant``, ``linear`` float64 (d,) and
    ``quadratic`` float64 (d, d), symmetric, give the offset h of a centred template.
    """

    mean: Float32
    constant: float
    linear: Float64
    quadratic: Float64

    @property
    def dimension(self) -> int:
        """Of the templates."""
        return len(self.mean)

    @property
    def searched_dimension(self) -> int:
        """Of the vectors that ``gallery`` and ``probes`` return."""
        return self.dimension + 2

    def centred(self, templates: Float32) -> Float32:
        """Return templates, float32 (n, d), less the mean and of unit length."""
        moved = np.asarray(templates, np.float32) - self.mean
        lengths = np.sqrt(np.vecdot(moved, moved))[:, None]
        return np.asarray(moved / np.maximum(lengths, 1e-12), np.float32)

    def offsets(self, centred: Float32) -> Float64:
        """Return h, float64 (n,), of centred templates, float32 (n, d).

        One template after the other, so that nobody's depends on who is beside them.
        """
        values = np.asarray(centred, np.float64)
        squared = np.array([row @ self.quadratic @ row for row in values], np.float64)
        found = self.constant + np.vecdot(values, self.linear[None]) + squared.reshape(-1)
        return np.asarray(np.clip(found, -LARGEST_OFFSET, LARGEST_OFFSET), np.float64)

    def scores(self, a: Float32, b: Float32) -> Float32:
        """Return the normalised scores, float32 (n, m), of templates (n, d) with others (m, d)."""
        first, second = self.centred(a), self.centred(b)
        scores = first @ second.T
        scores -= self.offsets(first).astype(np.float32)[:, None]
        scores -= self.offsets(second).astype(np.float32)[None]
        return scores

    def gallery(self, templates: Float32) -> Float32:
        """Return float32 (n, d + 2) of unit length, to search in for ``probes``.

        The product of such a row g and a probe p is, but for a factor, cosine(p', g') - h(g):
        the centred template, its offset, and what makes all of them equally long.
        """
        centred = self.centred(templates)
        offsets = self.offsets(centred)[:, None]
        padding = np.sqrt(np.maximum(LARGEST_OFFSET**2 - offsets**2, 0))
        return np.asarray(
            np.concatenate([centred, offsets, padding], axis=1) / _GALLERY, np.float32
        )

    def probes(self, templates: Float32) -> tuple[Float32, Float32]:
        """Return float32 (n, d + 2) to search with, and what to take off their scores, (n,)."""
        centred = self.centred(templates)
        count = len(centred)
        ends = np.tile(np.array([[-1.0, 0.0]], np.float32), (count, 1))
        vectors = np.concatenate([centred, ends], axis=1) / np.float32(_PROBE)
        return np.asarray(vectors, np.float32), self.offsets(centred).astype(np.float32)

    @staticmethod
    def unscaled(products: Float32) -> Float32:
        """Return cosine(p', g') - h(g) for products of ``probes`` and ``gallery``."""
        return np.asarray(products * np.float32(_GALLERY * _PROBE), np.float32)

    def templates(self, gallery: Float32) -> Float32:
        """Return the templates, float32 (n, d), that rows of ``gallery`` were made of.

        Up to rounding: a template is its centred form times a length, plus the mean, and has unit
        length itself.
        """
        centred = np.asarray(gallery[:, : self.dimension], np.float64) * _GALLERY
        mean = self.mean.astype(np.float64)
        along = centred @ mean
        lengths = np.sqrt(np.maximum(along**2 + 1 - mean @ mean, 0)) - along
        found = centred * lengths[:, None] + mean
        return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)


def to_document(normaliser: Normaliser) -> dict[str, Any]:
    """Return what ``from_document`` reads: numbers that describe no person."""
    upper = np.triu_indices(normaliser.dimension)
    return {
        "kind": "centred cosine less quadratic offsets",
        "mean": _packed(normaliser.mean),
        "constant": normaliser.constant,
        "linear": _packed(normaliser.linear),
        "quadratic_upper": _packed(normaliser.quadratic[upper]),
    }


def from_document(document: Mapping[str, Any]) -> Normaliser:
    """Return the normaliser of a document; raises ValueError for one that holds another kind."""
    mean = _unpacked(document["mean"])
    quadratic = np.zeros((len(mean), len(mean)), np.float64)
    upper = np.triu_indices(len(mean))
    quadratic[upper] = _unpacked(document["quadratic_upper"])
    quadratic = quadratic + np.triu(quadratic, 1).T
    linear = _unpacked(document["linear"]).astype(np.float64)
    if len(linear) != len(mean):
        raise ValueError(f"linear has {len(linear)} numbers; the mean has {len(mean)}")
    return Normaliser(mean, float(document["constant"]), linear, quadratic)


def _packed(values: NDArray[Any]) -> str:
    """Base64 of little-endian float32: thousands of decimals are no easier to read."""
    return base64.b64encode(np.asarray(values, "<f4").tobytes()).decode()


def _unpacked(text: str) -> Float32:
    return np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32)
