"""Templates of Labeled Faces in the Wild, a hundred pictures at a time, and whose they are."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from benchmarks.calibration import LISTED_TWICE, MISLABELLED, TWINS
from numpy.typing import NDArray
from PIL import Image

from sayso.analyzer import Analyzer
from sayso.vision.types import Analysis

#: What is kept of a picture of 250 pixels, and how many of these stand side by side.
_LEFT, _RIGHT, _ACROSS, _DOWN = 40, 210, 12, 8
_SIDE = _RIGHT - _LEFT


@dataclass(frozen=True)
class Strangers:
    """Probes float32 (p, d) of people of whom the gallery, float32 (g, d), has nobody."""

    probes: NDArray[np.float32]
    gallery: NDArray[np.float32]


def strangers(images: Path, analyzer: Analyzer, probes: int, people: int) -> Strangers:
    """Return so many probes of those with the most pictures, and one picture each of others.

    People who stand in the set under two names, mislabelled pictures and identical twins are left
    out.
    """
    doubtful = {name for names in (*LISTED_TWICE, *TWINS) for name in names}
    of_person = {
        folder.name: sorted(
            path for path in folder.glob("*.jpg") if f"{folder.name}/{path.name}" not in MISLABELLED
        )
        for folder in sorted(images.iterdir())
        if folder.name not in doubtful
    }
    ranked = sorted(
        (name for name in of_person if of_person[name]), key=lambda n: -len(of_person[n])
    )
    enrolled = ranked[-people:]
    # By turns, so that nobody with very many pictures makes up most of the probes.
    others = [of_person[name] for name in ranked[: len(ranked) - people]]
    turns = [each[turn] for turn in range(len(others[0])) for each in others if len(each) > turn]
    first = [of_person[name][0] for name in enrolled]
    return Strangers(_templates(turns[:probes], analyzer), _templates(first, analyzer))


def by_name(
    paths: Sequence[Path], analyzer: Analyzer
) -> Iterator[tuple[Path, NDArray[np.float32]]]:
    """Yield each picture whose face, in its middle, was found, with its template, float32 (d,)."""
    size = _ACROSS * _DOWN
    for start in range(0, len(paths), size):
        some = paths[start : start + size]
        sheet = Image.new("RGB", (_ACROSS * _SIDE, _DOWN * _SIDE))
        for place, path in enumerate(some):
            with Image.open(path) as picture:
                part = picture.crop((_LEFT, _LEFT, _RIGHT, _RIGHT))
            sheet.paste(part, (place % _ACROSS * _SIDE, place // _ACROSS * _SIDE))
        file = io.BytesIO()
        sheet.save(file, "PNG")
        analysis = analyzer.analyze(file.getvalue())
        for place, row in _in_the_middle(analysis, len(some)):
            yield some[place], analysis.templates[row]


def _templates(paths: Sequence[Path], analyzer: Analyzer) -> NDArray[np.float32]:
    """Return float32 (n, d): of each picture the face in its middle, where there is one."""
    return np.stack([template for _, template in by_name(paths, analyzer)])


def _in_the_middle(analysis: Analysis, pictures: int) -> Iterator[tuple[int, int]]:
    """Yield the place of each picture with a face in its middle, and the row of that face."""
    boxes = np.array([face.box for face in analysis.faces], np.float32).reshape(-1, 4)
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    for place in range(pictures):
        wanted = (np.array([place % _ACROSS, place // _ACROSS]) + 0.5) * _SIDE
        away = np.linalg.norm(middles - wanted, axis=1)
        nearest = int(away.argmin())
        if away[nearest] < _SIDE / 5:
            yield place, nearest
