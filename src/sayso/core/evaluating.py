"""Measuring the pictures of a labelled folder, for an evaluation; nothing of them is kept."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sayso.audit.events import PicturesEvaluated
from sayso.core.looking import Looking
from sayso.errors import PictureError
from sayso.evaluation.folder import LabelledFolder, Measured
from sayso.vision.types import Analysis, Face, Mode


class Evaluating(Looking):
    """What can be done with a folder of pictures whose people are known."""

    def measure(
        self,
        folder: LabelledFolder,
        *,
        mode: Mode = "balanced",
        progress: Callable[[], None] | None = None,
    ) -> Measured:
        """Make a template of each picture of a labelled folder; nothing is enrolled or kept.

        Of a picture with several faces the largest and most central counts. A picture that cannot
        be used is among the failures. ``progress`` is called after each picture. Raises ModelError.
        """
        call = self._admit("admin")
        templates: dict[int, NDArray[np.float32]] = {}
        quality = np.zeros(len(folder.files), np.float32)
        failures: list[tuple[str, str]] = []
        for row, file in enumerate(folder.files):
            path = folder.root / file
            try:
                analysis, _ = self._analyse(path, mode)
            except PictureError as error:
                failures.append((file, str(error).removeprefix(f"{path}: ")))
            else:
                chosen = central_face(analysis)
                if chosen is None:
                    failures.append((file, "no face was found"))
                else:
                    templates[row] = analysis.templates[chosen]
                    quality[row] = analysis.faces[chosen].quality.overall
            if progress is not None:
                progress()
        with self._act(call) as act:
            act.record(PicturesEvaluated(pictures=len(folder.files), people=len(folder.names)))
        return Measured(
            folder.files,
            np.array(folder.people, np.int64),
            folder.names,
            folder.groups,
            _stacked(templates, len(folder.files)),
            quality,
            tuple(failures),
        )


def central_face(analysis: Analysis) -> int | None:
    """Return the place of the face that a picture is of: large and near its middle."""
    if not analysis.faces:
        return None
    middle = np.array([analysis.width / 2, analysis.height / 2])

    def prominence(face: Face) -> float:
        box = np.array(face.box)
        return float(face.height - np.linalg.norm((box[:2] + box[2:]) / 2 - middle))

    return max(range(len(analysis.faces)), key=lambda i: prominence(analysis.faces[i]))


def _stacked(templates: dict[int, NDArray[np.float32]], pictures: int) -> NDArray[np.float32]:
    """Return float32 (pictures, d) with the templates in their rows, and zeros elsewhere."""
    dimension = len(next(iter(templates.values()))) if templates else 0
    matrix = np.zeros((pictures, dimension), np.float32)
    for row, template in templates.items():
        matrix[row] = template
    return matrix
