"""Measuring the pictures of a labelled folder, for an evaluation; nothing of them is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sayso.audit.events import PicturesEvaluated
from sayso.core.looking import Looking, PictureSource, shown
from sayso.errors import PictureError
from sayso.evaluation.folder import LabelledFolder, Measured
from sayso.evaluation.gathering import Gathering, Seen
from sayso.vision.types import Analysis, Face, Mode


@dataclass(frozen=True, slots=True)
class Looked:
    """What was made of a picture, and for the log: its sha256, and how many faces it has.

    ``digest`` is None where the picture cannot be used.
    """

    seen: Seen
    digest: str | None
    faces: int


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
        gathering = Gathering()
        for file, place in zip(folder.files, folder.people, strict=True):
            person = folder.names[place]
            looked = self._look_at(folder.root / file, mode)
            gathering.put(person, file.removeprefix(f"{person}/"), looked.seen)
            if progress is not None:
                progress()
        with self._act(call) as act:
            act.record(PicturesEvaluated(pictures=len(folder.files), people=len(folder.names)))
        labels = zip(folder.names, folder.groups, strict=True)
        return gathering.measured({name: label for name, label in labels if label is not None})

    def _look_at(self, picture: PictureSource, mode: Mode) -> Looked:
        """Make a template of the face that a picture is of; raises ModelError."""
        try:
            analysis, digest = self._analyse(picture, mode)
        except PictureError as error:
            why = str(error).removeprefix(f"{shown(picture)}: ")
            return Looked(Seen(why=why), None, 0)
        chosen = central_face(analysis)
        if chosen is None:
            return Looked(Seen(why="no face was found"), digest, 0)
        quality = analysis.faces[chosen].quality.overall
        # A copy, so that the templates of the other faces do not stay with it.
        template = analysis.templates[chosen].copy()
        return Looked(Seen(template, quality), digest, len(analysis.faces))


def central_face(analysis: Analysis) -> int | None:
    """Return the place of the face that a picture is of: large and near its middle."""
    if not analysis.faces:
        return None
    middle = np.array([analysis.width / 2, analysis.height / 2])

    def prominence(face: Face) -> float:
        box = np.array(face.box)
        return float(face.height - np.linalg.norm((box[:2] + box[2:]) / 2 - middle))

    return max(range(len(analysis.faces)), key=lambda i: prominence(analysis.faces[i]))
