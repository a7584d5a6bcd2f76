"""Measuring the pictures of a labelled folder, for an evaluation; nothing of them is kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sayso.audit.events import PicturesEvaluated
from sayso.core.looking import Looking, PictureSource, shown
from sayso.enrolment import digest_of
from sayso.errors import PictureError, SealBroken
from sayso.evaluation.folder import LabelledFolder, Measured
from sayso.evaluation.gathering import Gathering, Seen
from sayso.gallery.sealing import STORED
from sayso.pictures import read_picture_file
from sayso.vision.types import Analysis, Face, Mode


@dataclass(frozen=True, slots=True)
class Looked:
    """What was made of a picture, and for the log: its sha256, and how many faces it has.

    ``digest`` is None where the picture cannot be used.
    """

    seen: Seen
    digest: str | None
    faces: int


@dataclass(frozen=True, slots=True)
class KeptPicture:
    """What was made of a picture of a labelled folder, for a caller who goes on later.

    ``quality`` is overall, 0 to 100, and None where there is no template: ``why`` says why.
    ``sealed`` has the template, and is None of a picture that could not be read.
    """

    file: str
    quality: float | None
    why: str
    faces: int
    sealed: bytes | None = field(repr=False)


class Evaluating(Looking):
    """What can be done with a folder of pictures whose people are known."""

    def measure(
        self,
        folder: LabelledFolder,
        *,
        mode: Mode = "balanced",
        progress: Callable[[], None] | None = None,
        kept: Mapping[str, bytes] | None = None,
        keep: Callable[[KeptPicture], None] | None = None,
    ) -> Measured:
        """Make a template of each picture of a labelled folder; nothing is enrolled or kept.

        Of a picture with several faces the largest and most central counts. A picture that cannot
        be used is among the failures. ``progress`` is called after each picture. What was made of
        a picture goes to ``keep``, sealed, for a caller who wants to go on later: what they kept
        is given back as ``kept``, by file, and is used where the picture, the mode and the model
        are the same. Raises ModelError.
        """
        call = self._admit("admin")
        gathering = Gathering()
        for file, place in zip(folder.files, folder.people, strict=True):
            person = folder.names[place]
            looked = self._again(folder.root / file, mode, (kept or {}).get(file))
            if looked is None:
                looked = self._look_at(folder.root / file, mode)
                if keep is not None:
                    # What leaves before the end is on record before it does.
                    if looked.digest is not None:
                        self._record_detected(call, [(looked.digest, looked.faces)])
                    keep(self._sealed(file, looked, mode))
            gathering.put(person, file.removeprefix(f"{person}/"), looked.seen)
            if progress is not None:
                progress()
        with self._act(call) as act:
            act.record(PicturesEvaluated(pictures=len(folder.files), people=len(folder.names)))
        labels = zip(folder.names, folder.groups, strict=True)
        return gathering.measured({name: label for name, label in labels if label is not None})

    def _again(self, picture: Path, mode: Mode, sealed: bytes | None) -> Looked | None:
        """Return what was made of a picture before; None where it does not hold any more."""
        if sealed is None:
            return None
        try:
            plain = self._resources.keyring.secrets().open(sealed, self._context(mode))
            data = read_picture_file(picture, self._resources.analyzer().limits)
        except (SealBroken, PictureError):
            return None
        found = json.loads(plain)
        if found["digest"] != digest_of(data):
            return None
        template = None
        if found["template"] is not None:
            template = np.frombuffer(bytes.fromhex(found["template"]), STORED).astype(np.float32)
        return Looked(
            Seen(template, found["quality"], found["why"]), found["digest"], found["faces"]
        )

    def _sealed(self, file: str, looked: Looked, mode: Mode) -> KeptPicture:
        """Return what was made of a picture as it may be kept outside: nobody else can read it.

        Nothing is kept of a picture that could not be read: it may be there the next time.
        """
        seen = looked.seen
        if looked.digest is None:
            return KeptPicture(file, None, seen.why, 0, None)
        template = None if seen.template is None else seen.template.astype(STORED).tobytes().hex()
        plain = {
            "digest": looked.digest,
            "faces": looked.faces,
            "quality": seen.quality,
            "why": seen.why,
            "template": template,
        }
        sealed = self._resources.keyring.secrets().seal(
            json.dumps(plain).encode(), self._context(mode)
        )
        quality = None if seen.template is None else float(seen.quality)
        return KeptPicture(file, quality, seen.why, looked.faces, sealed)

    def _context(self, mode: Mode) -> bytes:
        """Bind what is sealed to what made it: another mode or model does not open it."""
        return b"measured\0" + mode.encode() + b"\0" + self.template_version.encode()

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
