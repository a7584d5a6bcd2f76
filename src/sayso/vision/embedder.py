"""Aligned faces to templates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sayso.vision.alignment import SIDE
from sayso.vision.batching import Batcher
from sayso.vision.runtime import Session

#: Faces go through the network this many at a time: what is fastest, and bounded in memory. The
#: template of a face does not depend on which others share its batch (the tests hold it to that),
#: be they of the same picture or of another one that is looked at just then.
BATCH = 8


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Templates float32 (n, d) of unit length, and the strengths float32 (n,) they came with.

    The strength is the length of the face's own embedding before it was normalised. A recogniser
    gives short ones to faces that it can make little of, which is what quality is about: compare
    Q. Meng et al., "MagFace", CVPR 2021.
    """

    templates: NDArray[np.float32]
    strengths: NDArray[np.float32]


class Embedder:
    """Turns aligned faces into unit-length templates with one recogniser."""

    def __init__(self, session: Session) -> None:
        self._batcher = Batcher(session, BATCH)
        # One run tells the length of a template, and warms the runtime up.
        blank = np.zeros((1, SIDE, SIDE, 3), dtype=np.uint8)
        self.dimension = int(session.run(blank)[0].shape[1])

    def embed(
        self, aligned: NDArray[np.uint8], *, twice: NDArray[np.bool_] | None = None
    ) -> Embeddings:
        """Embed aligned faces, uint8 (n, 112, 112, 3) RGB.

        Where ``twice``, bool (n,), is true, the embeddings of a face and of its mirror image are
        summed: a little more accurate at twice the time.
        """
        raw = self._raw(aligned)
        strengths = np.linalg.norm(raw, axis=1)
        if twice is not None and twice.any():
            raw[twice] += self._raw(aligned[twice, :, ::-1])
        lengths = np.linalg.norm(raw, axis=1, keepdims=True)
        return Embeddings(raw / np.maximum(lengths, 1e-12), strengths)

    def _raw(self, aligned: NDArray[np.uint8]) -> NDArray[np.float32]:
        rows = self._batcher.run(aligned)
        return np.array(rows, dtype=np.float32).reshape(len(aligned), self.dimension)
