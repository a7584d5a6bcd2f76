"""Scores that mean the same for everyone: cosines, less what strangers score with each template.

One threshold on raw cosines does not treat people alike: the faces of some groups lie closer
together in a recogniser's space, so their strangers score higher. Here a score is

    cosine(a', b') - h(a) - h(b)

where a' is template a less the mean of many people's, with the directions weakened in which
pictures of one person differ most, and made unit again (within-class covariance normalisation,
Hatch, Kajarekar and Stolcke, Interspeech 2006); and h says how high strangers score with a
template, learned from what a background of other people scored: a quadratic function of a'. It asks
for nobody's group and infers none, and it ships a mean and coefficients, no template of anybody.
The idea is adaptive symmetric score normalisation (Matejka et al., "Analysis of Score Normalization
in Multilingual Speaker Recognition", Interspeech 2017); that h is predicted from the template, and
that only the centre is shifted, keeps it from needing people.

As a difference of an inner product and two numbers it is searched like a cosine: see ``gallery``.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

KIND = "whitened cosine less quadratic offsets"
#: Offsets are held within this, on either side: beyond it a template is unlike any that was seen.
LARGEST_OFFSET = 0.5
#: How much longer vectors are than unit length before they are scaled to it; see ``gallery``.
_GALLERY = float(np.sqrt(1 + LARGEST_OFFSET**2))
_PROBE = float(np.sqrt(2.0))


@dataclass(frozen=True)
class Normaliser:
    """How scores of one model are normalised.

    ``mean`` is float32 (d,), the mean template, and ``whitening`` float32 (d, d), symmetric and
    invertible. ``constant``, ``linear`` float64 (d,) and ``quadratic`` float64 (d, d), symmetric,
    give the offset h of a template as ``whitened``.
    """

    mean: Float32
    whitening: Float32
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

    def whitened(self, templates: Float32) -> Float32:
        """Return templates, float32 (n, d), less the mean, whitened, and of unit length."""
        moved = (np.asarray(templates, np.float32) - self.mean) @ self.whitening
        lengths = np.sqrt(np.vecdot(moved, moved))[:, None]
        return np.asarray(moved / np.maximum(lengths, np.float32(1e-12)), np.float32)

    def offsets(self, whitened: Float32) -> Float64:
        """Return h, float64 (n,), of whitened templates, float32 (n, d)."""
        # One product for both terms: x (Q x + l).
        turned = whitened @ self._quadratic
        turned += self._linear
        found = np.vecdot(turned, whitened, dtype=np.float32).astype(np.float64) + self.constant
        return np.asarray(np.clip(found, -LARGEST_OFFSET, LARGEST_OFFSET), np.float64)

    def scores(self, a: Float32, b: Float32) -> Float32:
        """Return the normalised scores, float32 (n, m), of templates (n, d) with others (m, d)."""
        first, second = self.whitened(a), self.whitened(b)
        scores = first @ second.T
        scores -= self.offsets(first).astype(np.float32)[:, None]
        scores -= self.offsets(second).astype(np.float32)[None]
        return scores

    def gallery(self, templates: Float32) -> Float32:
        """Return float32 (n, d + 2) of unit length, to search in for ``probes``.

        The product of such a row g and a probe p is, but for a factor, cosine(p', g') - h(g):
        the whitened template, its offset, and what makes all of them equally long.
        """
        whitened = self.whitened(templates)
        offsets = self.offsets(whitened)
        rows = np.empty((len(whitened), self.searched_dimension), np.float32)
        np.divide(whitened, np.float32(_GALLERY), out=rows[:, : self.dimension])
        rows[:, -2] = offsets / _GALLERY
        rows[:, -1] = np.sqrt(np.maximum(LARGEST_OFFSET**2 - offsets**2, 0)) / _GALLERY
        return rows

    def probes(self, templates: Float32) -> tuple[Float32, Float32]:
        """Return float32 (n, d + 2) to search with, and what to take off their scores, (n,)."""
        whitened = self.whitened(templates)
        count = len(whitened)
        ends = np.tile(np.array([[-1.0, 0.0]], np.float32), (count, 1))
        vectors = np.concatenate([whitened, ends], axis=1) / np.float32(_PROBE)
        return np.asarray(vectors, np.float32), self.offsets(whitened).astype(np.float32)

    @staticmethod
    def unscaled(products: Float32) -> Float32:
        """Return cosine(p', g') - h(g) for products of ``probes`` and ``gallery``."""
        return np.asarray(products * np.float32(_GALLERY * _PROBE), np.float32)

    def templates(self, gallery: Float32) -> Float32:
        """Return the templates, float32 (n, d), that rows of ``gallery`` were made of.

        Up to rounding: a template is its whitened form, unwhitened, times a length, plus the mean,
        and has unit length itself.
        """
        whitened = np.asarray(gallery[:, : self.dimension], np.float64) * _GALLERY
        direction = whitened @ self._unwhitening
        mean = self.mean.astype(np.float64)
        squared, along = np.vecdot(direction, direction), direction @ mean
        root = np.sqrt(np.maximum(along**2 + squared * (1 - mean @ mean), 0))
        lengths = (root - along) / np.maximum(squared, 1e-24)
        found = direction * lengths[:, None] + mean
        return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)

    @cached_property
    def _quadratic(self) -> Float32:
        return self.quadratic.astype(np.float32)

    @cached_property
    def _linear(self) -> Float32:
        return self.linear.astype(np.float32)

    @cached_property
    def _unwhitening(self) -> Float64:
        return np.asarray(np.linalg.inv(self.whitening.astype(np.float64)), np.float64)


def to_document(normaliser: Normaliser) -> dict[str, Any]:
    """Return what ``from_document`` reads: numbers that describe no person."""
    upper = np.triu_indices(normaliser.dimension)
    return {
        "kind": KIND,
        "mean": _packed(normaliser.mean),
        "whitening_upper": _packed(normaliser.whitening[upper]),
        "constant": normaliser.constant,
        "linear": _packed(normaliser.linear),
        "quadratic_upper": _packed(normaliser.quadratic[upper]),
    }


def from_document(document: Mapping[str, Any]) -> Normaliser:
    """Return the normaliser of a document; raises ValueError for one that is none of this kind."""
    if document.get("kind") != KIND:
        raise ValueError(f"the kind is {document.get('kind')!r}; it can only be {KIND!r}")
    try:
        mean, linear = _unpacked(document["mean"]), _unpacked(document["linear"])
        whitening = _symmetric(_unpacked(document["whitening_upper"]), len(mean))
        quadratic = _symmetric(_unpacked(document["quadratic_upper"]), len(mean))
        constant = float(document["constant"])
    except KeyError as error:
        raise ValueError(f"{error.args[0]} is missing") from None
    except (TypeError, binascii.Error) as error:
        raise ValueError(str(error)) from None
    if len(linear) != len(mean):
        raise ValueError(f"linear has {len(linear)} numbers; the mean has {len(mean)}")
    every = (mean, whitening, linear, quadratic)
    if not np.isfinite(constant) or not all(np.isfinite(each).all() for each in every):
        raise ValueError("a number is not finite")
    if np.linalg.cond(whitening) > _WORST_CONDITION:
        raise ValueError("whitening cannot be inverted")
    return Normaliser(
        mean, whitening.astype(np.float32), constant, linear.astype(np.float64), quadratic
    )


#: Of a whitening: beyond it, templates would not come back from the gallery as they were.
_WORST_CONDITION = 1e4


def _symmetric(upper: Float32, size: int) -> Float64:
    rows = np.triu_indices(size)
    if len(upper) != len(rows[0]):
        raise ValueError(f"half of a matrix has {len(upper)} numbers, not {len(rows[0])}")
    found = np.zeros((size, size), np.float64)
    found[rows] = upper
    return np.asarray(found + np.triu(found, 1).T, np.float64)


def _packed(values: NDArray[Any]) -> str:
    """Base64 of little-endian float32: thousands of decimals are no easier to read."""
    return base64.b64encode(np.asarray(values, "<f4").tobytes()).decode()


def _unpacked(text: str) -> Float32:
    return np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32)
