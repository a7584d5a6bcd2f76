"""Labeled Faces in the Wild through our own pipeline: templates, quality, pairs; kept on disk."""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tests.data import data_folder

from sayso.analyzer import Analyzer
from sayso.core.evaluating import central_face
from sayso.vision.types import Mode

CACHE = Path(os.environ.get("SAYSO_BENCH_CACHE", "out/bench"))
#: What of a face's quality is kept, in this order.
QUALITIES = ("overall", "sharpness", "brightness", "yaw", "pitch", "roll", "height", "visible")


@dataclass(frozen=True, slots=True)
class Lfw:
    """The pictures of View 2: one template each, zero where no face was found.

    ``names`` are like ``NAME/NAME_0001.jpg``; ``identities`` int (n,); ``templates`` float32
    (n, 128); ``qualities`` float32 (n, 8) as in QUALITIES; ``pairs`` int (6000, 2) rows of
    pictures and ``same`` bool (6000,), in the protocol's ten folds of 600.
    """

    names: tuple[str, ...]
    identities: NDArray[np.int64]
    templates: NDArray[np.float32]
    qualities: NDArray[np.float32]
    pairs: NDArray[np.int64]
    same: NDArray[np.bool_]

    @property
    def found(self) -> NDArray[np.bool_]:
        """Where a face was found."""
        return np.asarray(self.templates.any(axis=1))


def folder() -> Path:
    """The data set's folder; exits with a message where it is absent."""
    data = data_folder()
    if data is None or not (data / "lfw").is_dir():
        sys.exit("Labeled Faces in the Wild is not here: set SAYSO_TEST_DATA to a folder with lfw/")
    return data / "lfw"


def load(mode: Mode = "balanced", analyzer: Analyzer | None = None) -> Lfw:
    """Analyse every picture of View 2, or take what an unchanged pipeline found before."""
    images = folder() / "images"
    names = tuple(sorted(f"{path.parent.name}/{path.name}" for path in images.glob("*/*.jpg")))
    analyzer = analyzer or Analyzer()
    cache = CACHE / f"lfw-{mode}-{fingerprint(analyzer)}.npz"
    if not cache.exists():
        templates, qualities = _analyse([images / name for name in names], mode, analyzer)
        CACHE.mkdir(parents=True, exist_ok=True)
        np.savez(cache, templates=templates, qualities=qualities)
    with np.load(cache) as kept:
        templates, qualities = kept["templates"], kept["qualities"]
    identities = np.unique([name.split("/")[0] for name in names], return_inverse=True)[1]
    pairs, same = _pairs({name: row for row, name in enumerate(names)})
    return Lfw(names, identities, templates, qualities, pairs, same)


def _analyse(
    paths: list[Path], mode: Mode, analyzer: Analyzer
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    templates = np.zeros((len(paths), 128), dtype=np.float32)
    qualities = np.zeros((len(paths), len(QUALITIES)), dtype=np.float32)
    for row, path in enumerate(paths):
        analysis = analyzer.analyze(path, mode=mode)
        chosen = central_face(analysis)
        if chosen is not None:
            templates[row] = analysis.templates[chosen]
            quality = analysis.faces[chosen].quality
            qualities[row] = [getattr(quality, name) for name in QUALITIES]
        if sys.stderr.isatty() and row % 100 == 0:
            print(f"\rlfw: {row} of {len(paths)}", end="", file=sys.stderr)
    return templates, qualities


def _pairs(rows: dict[str, int]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    lines = (folder() / "pairs.txt").read_text().split("\n")[1:]
    pairs, same = [], []
    for fields in (line.split() for line in lines if line.strip()):
        first, second = (fields[0], fields[0]) if len(fields) == 3 else (fields[0], fields[2])
        left, right = (fields[1], fields[2]) if len(fields) == 3 else (fields[1], fields[3])
        pairs.append(
            (
                rows[f"{first}/{first}_{int(left):04d}.jpg"],
                rows[f"{second}/{second}_{int(right):04d}.jpg"],
            )
        )
        same.append(len(fields) == 3)
    return np.array(pairs), np.array(same)


def fingerprint(analyzer: Analyzer) -> str:
    """Changes with the code of vision, the model and the arithmetic."""
    digest = hashlib.sha256(repr(analyzer.identity).encode())
    package = Path(__file__).resolve().parent.parent / "src" / "sayso" / "vision"
    for path in sorted(package.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
