"""What a redaction answers, and its manifest: what was covered and kept, and why."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePath
from typing import Any, Final, Literal, get_args

from sayso.evidence.rule import Threshold
from sayso.redaction.types import Style

#: Why a face was kept (``consent``, ``by-hand``) or covered (all others, and ``by-hand``).
Reason = Literal["consent", "no-match", "too-small", "blurred", "unsure", "duplicate", "by-hand"]
REASONS: Final[tuple[Reason, ...]] = get_args(Reason)
#: What redacted pictures can be written as: the media types by the suffixes of files.
MEDIA_TYPES: Final = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".avif": "image/avif",
    ".bmp": "image/bmp",
}
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class RedactedFace:
    """A face of a redacted picture, whether it was covered, and why.

    ``box`` is x1, y1, x2, y2 in pixels and may leave the picture; ``score`` runs from 0 to 1 and is
    None for a place that somebody marked and no detector saw; ``quality`` is overall, 0 to 100, and
    None where nobody looked so closely. Of a face that was kept on a consent ``subject`` tells
    whose it is, with the similarity and the expected false matches of the match; of every other,
    nothing does.
    """

    box: tuple[float, float, float, float]
    score: float | None
    quality: float | None
    covered: bool
    reason: Reason
    subject: str | None = None
    similarity: float | None = None
    expected_false_matches: float | None = None


@dataclass(frozen=True, slots=True)
class Redacted:
    """A copy of a picture in which everybody is covered but who agreed to be seen.

    ``data`` is its file, of the ``suffix`` (such as ``.jpg``) and with ``width`` and ``height`` in
    pixels. ``picture`` is the path of the original as given, or empty for bytes; ``record`` is how
    the audit log names it. ``thorough`` says that faces were looked for more closely. ``faces``
    come best detection first, and then what was marked by hand. ``made`` is when, in UTC: consents
    as they stood then.
    ``threshold`` tells what had to be reached to be kept. ``notices`` say what people are to know
    of the original, such as that it has other pictures: the copy has only the one looked at.
    """

    data: bytes = field(repr=False)
    suffix: str
    picture: str
    record: str
    collection: str
    purpose: str
    style: Style
    thorough: bool
    made: datetime
    width: int
    height: int
    faces: tuple[RedactedFace, ...]
    threshold: Threshold
    notices: tuple[str, ...] = ()

    @property
    def media_type(self) -> str:
        """What ``data`` is, such as ``image/jpeg``."""
        return MEDIA_TYPES[self.suffix]

    @property
    def covered(self) -> int:
        """How many faces, and places marked by hand, were covered."""
        return sum(face.covered for face in self.faces)

    @property
    def kept(self) -> int:
        """How many faces were not covered."""
        return len(self.faces) - self.covered

    def manifest(self, name: str | None = None, file: str | None = None) -> dict[str, Any]:
        """Return the manifest, for JSON; ``name`` and ``file`` are what it calls picture and copy.

        It names those who were kept, and nobody else, and no folder: of a path only the last part
        is told.
        """
        from sayso import __version__

        picture = self.picture if name is None else name
        return {
            "sayso-redaction": _VERSION,
            "software": f"sayso {__version__}",
            "picture": PurePath(picture).name or None,
            "record": self.record,
            "file": None if file is None else PurePath(file).name,
            "sha256": hashlib.sha256(self.data).hexdigest(),
            "media_type": self.media_type,
            "width": self.width,
            "height": self.height,
            "collection": self.collection,
            "purpose": self.purpose,
            "style": self.style,
            "thorough": self.thorough,
            "made": self.made.isoformat().replace("+00:00", "Z"),
            "covered": self.covered,
            "kept": self.kept,
            "notices": list(self.notices),
            "threshold": _of_threshold(self.threshold),
            "faces": [_of_face(face) for face in self.faces],
        }


def _of_face(face: RedactedFace) -> dict[str, Any]:
    expected = face.expected_false_matches
    return {
        "box": [round(float(side), 2) for side in face.box],
        "score": _rounded(face.score, 4),
        "quality": _rounded(face.quality, 3),
        "covered": face.covered,
        "reason": face.reason,
        "subject": face.subject,
        "similarity": _rounded(face.similarity, 2),
        "expected_false_matches": None if expected is None else float(f"{expected:.3g}"),
    }


def _of_threshold(threshold: Threshold) -> dict[str, Any]:
    return {
        "similarity": _rounded(threshold.similarity, 2),
        "asked": threshold.asked,
        "population": threshold.population,
        "probes": threshold.probes,
        "max_expected_false_matches": threshold.max_expected_false_matches,
        "per": threshold.per,
    }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
