"""What the application answers, in one place to import from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sayso.audit.about import EntryAbout
from sayso.audit.log import Entry
from sayso.errors import SaysoError
from sayso.evidence.rule import FalseMatchRule, Threshold
from sayso.gallery.types import (
    AccessKey,
    Backup,
    Collection,
    Consent,
    ConsentRecord,
    EnrolledFace,
    EvidenceFile,
    NewAccessKey,
    Purpose,
    Restoration,
    Subject,
    Tombstone,
    User,
    Withdrawal,
)
from sayso.redacted import Redacted, RedactedFace
from sayso.vision.types import Face, Mode, Quality

#: Why a face of a picture was not taken, in the words of Amazon Rekognition.
LeftReason = Literal[
    "EXCEEDS_MAX_FACES",
    "EXTREME_POSE",
    "LOW_BRIGHTNESS",
    "LOW_SHARPNESS",
    "LOW_CONFIDENCE",
    "SMALL_BOUNDING_BOX",
    "LOW_FACE_QUALITY",
    "FACE_NOT_LARGEST",
]
DeletionFailure = Literal["FACE_NOT_FOUND", "ASSOCIATED_TO_AN_EXISTING_USER"]
#: How far an evaluation is. Open, it takes pictures; then it waits for its turn, is measured, has
#: its report drawn, and is done.
EvaluationState = Literal["open", "waiting", "measuring", "drawing", "done", "failed", "discarded"]
LinkFailure = Literal["FACE_NOT_FOUND", "ASSOCIATED_TO_A_DIFFERENT_USER", "LOW_MATCH_CONFIDENCE"]


@dataclass(frozen=True, slots=True)
class PictureEnrolment:
    """What became of one picture: ``face_id``, or ``error`` saying why not.

    ``picture`` is the path as given, or ``picture 2`` for the second of a list given as bytes.
    ``faces`` counts the faces that were found, of which at most one is enrolled. ``repeated``
    is True when that picture had enrolled the subject before: ``face_id`` is then the old one.
    ``notices`` say what people are to know of the picture's file. ``turn`` is how far the head was
    turned clockwise in the picture: 0, 90, 180 or 270 degrees. It is enrolled as if it were
    upright.
    """

    picture: str
    faces: int
    face_id: str | None = None
    box: tuple[float, float, float, float] | None = None
    quality: Quality | None = None
    repeated: bool = False
    error: SaysoError | None = None
    notices: tuple[str, ...] = ()
    turn: int = 0


@dataclass(frozen=True, slots=True)
class Enrolment:
    """The outcome of enrolling one subject, picture by picture in the order given.

    ``consent`` is the id of the consent that the faces were enrolled on.
    """

    collection: str
    subject: str
    consent: str
    pictures: tuple[PictureEnrolment, ...]

    @property
    def enrolled(self) -> int:
        """How many faces are new in the gallery."""
        return sum(p.face_id is not None and not p.repeated for p in self.pictures)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An enrolled subject whom a probe resembles, by their most similar face.

    ``similarity`` runs from 0 to 100 (see ``sayso.evidence``), ``cosine`` is the raw score.
    ``expected_false_matches`` is how many of the enrolled faces whose subjects the caller may see
    would be expected to score at least this high with a stranger, as an upper bound.
    """

    subject: str
    face_id: str
    similarity: float
    cosine: float
    expected_false_matches: float


@dataclass(frozen=True, slots=True)
class TemplateMatches:
    """For each template that was looked for, the subjects that it resembles, most similar first.

    A sequence of these; ``threshold`` tells what they had to reach.
    """

    candidates: tuple[tuple[Candidate, ...], ...]
    threshold: Threshold

    def __iter__(self) -> Iterator[tuple[Candidate, ...]]:
        return iter(self.candidates)

    def __len__(self) -> int:
        return len(self.candidates)

    def __getitem__(self, place: int) -> tuple[Candidate, ...]:
        return self.candidates[place]


@dataclass(frozen=True, slots=True)
class RecognizedFace:
    """A face in a picture, with the subject it was recognised as, or None when unknown.

    A face of somebody whose consent does not cover the purpose is unknown like any other.
    ``duplicate`` is True where another face of the picture was recognised as the same subject: a
    mirror or a picture in the picture shows people twice, or else one of the names is wrong.
    """

    face: Face
    candidate: Candidate | None
    duplicate: bool = False

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Corners x1, y1, x2, y2 in pixels."""
        return self.face.box

    @property
    def score(self) -> float:
        """How sure the detector is that this is a face, 0 to 1."""
        return self.face.score

    @property
    def landmarks(self) -> NDArray[np.float32]:
        """Eyes, nose and mouth corners: float32 (5, 2), x and y in pixels."""
        return self.face.landmarks

    @property
    def quality(self) -> Quality:
        """How fit the face is to recognise somebody by."""
        return self.face.quality

    @property
    def subject(self) -> str | None:
        """The subject's name, or None for an unknown face."""
        return self.candidate.subject if self.candidate else None

    @property
    def similarity(self) -> float | None:
        """Similarity to the subject, 0 to 100, or None for an unknown face."""
        return self.candidate.similarity if self.candidate else None

    @property
    def expected_false_matches(self) -> float | None:
        """Strangers expected to look that similar, or None for an unknown face."""
        return self.candidate.expected_false_matches if self.candidate else None


@dataclass(frozen=True, slots=True)
class Recognition:
    """Every face of one picture; iterating gives them in the order of the analysis.

    ``picture`` is the path as given, or empty for bytes; width and height are in pixels.
    ``threshold`` tells what had to be reached to be named, and ``notices`` say what people are to
    know of the picture's file.
    """

    picture: str
    width: int
    height: int
    faces: tuple[RecognizedFace, ...]
    threshold: Threshold
    notices: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[RecognizedFace]:
        return iter(self.faces)

    def __len__(self) -> int:
        return len(self.faces)


@dataclass(frozen=True, slots=True)
class Comparison:
    """How alike the largest faces of two pictures are.

    ``false_match_rate`` is an upper bound on the share of pairs of strangers that score at least
    as high.
    """

    a: Face
    b: Face
    similarity: float
    cosine: float
    false_match_rate: float


@dataclass(frozen=True, slots=True)
class FaceCandidate:
    """An enrolled face that a probe resembles; see ``Candidate`` for the numbers."""

    face: EnrolledFace
    similarity: float
    cosine: float
    expected_false_matches: float


@dataclass(frozen=True, slots=True)
class UserCandidate:
    """A user whose fused template a probe resembles; see ``Candidate`` for the numbers.

    ``expected_false_matches`` counts users in the place of faces.
    """

    user: User
    similarity: float
    cosine: float
    expected_false_matches: float


@dataclass(frozen=True, slots=True)
class LeftFace:
    """A face of a picture that was not taken, and why; the first reason is the one that counted."""

    face: Face
    reasons: tuple[LeftReason, ...]


@dataclass(frozen=True, slots=True)
class PictureSearch:
    """The outcome of searching for the largest face of a picture that is good enough.

    ``width`` and ``height`` are the picture's, in pixels; ``face`` is the one that was searched
    for, ``left`` every other one. ``candidates`` come most similar first; ``threshold`` tells what
    they had to reach.
    """

    width: int
    height: int
    face: Face
    left: tuple[LeftFace, ...]
    candidates: tuple[FaceCandidate, ...]
    threshold: Threshold


@dataclass(frozen=True, slots=True)
class FaceMatches:
    """The enrolled faces that another resembles, most similar first; a sequence of these.

    ``threshold`` tells what they had to reach.
    """

    candidates: tuple[FaceCandidate, ...]
    threshold: Threshold

    def __iter__(self) -> Iterator[FaceCandidate]:
        return iter(self.candidates)

    def __len__(self) -> int:
        return len(self.candidates)

    def __getitem__(self, place: int) -> FaceCandidate:
        return self.candidates[place]


@dataclass(frozen=True, slots=True)
class UserMatches:
    """The users that a face or another user resembles, most similar first; as ``FaceMatches``."""

    candidates: tuple[UserCandidate, ...]
    threshold: Threshold

    def __iter__(self) -> Iterator[UserCandidate]:
        return iter(self.candidates)

    def __len__(self) -> int:
        return len(self.candidates)

    def __getitem__(self, place: int) -> UserCandidate:
        return self.candidates[place]


@dataclass(frozen=True, slots=True)
class UserSearch:
    """The outcome of searching for users by the largest good face of a picture.

    ``face`` is None where no face was good enough; everything else as in ``PictureSearch``.
    """

    width: int
    height: int
    face: Face | None
    left: tuple[LeftFace, ...]
    candidates: tuple[UserCandidate, ...]
    threshold: Threshold


@dataclass(frozen=True, slots=True)
class PictureIndexing:
    """The outcome of enrolling the largest good face of one picture as a subject's.

    ``enrolled`` is the face in the gallery and ``face`` the same one in the picture, both None
    where none could be taken; ``left`` are the others. ``repeated`` is True when that picture had
    enrolled the subject before: ``enrolled`` is then the old one. ``width`` and ``height`` are the
    picture's, in pixels.
    """

    width: int
    height: int
    enrolled: EnrolledFace | None
    face: Face | None
    left: tuple[LeftFace, ...]
    repeated: bool


@dataclass(frozen=True, slots=True)
class FaceMatch:
    """A face of another picture, and how alike it is to the one asked about; see ``Comparison``."""

    face: Face
    similarity: float
    cosine: float
    false_match_rate: float


@dataclass(frozen=True, slots=True)
class FaceComparison:
    """The largest good face of one picture against every face of another.

    ``matches`` are those at least as similar as was asked, the most similar first; ``unmatched``
    the others. ``source_size`` and ``target_size`` are width and height in pixels.
    """

    source: Face
    source_size: tuple[int, int]
    target_size: tuple[int, int]
    matches: tuple[FaceMatch, ...]
    unmatched: tuple[FaceMatch, ...]


@dataclass(frozen=True, slots=True)
class FacesDeletion:
    """Which faces were deleted, by id, and which were not, with the reason by id."""

    deleted: tuple[str, ...]
    failed: Mapping[str, DeletionFailure]
    users: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FaceLinking:
    """Which faces were associated with a user, or disassociated, by id; and the others, with why.

    ``users`` tells of some of the failed ones the user that they belong to instead, and
    ``similarities`` how alike they are to the user.
    """

    user: User
    linked: tuple[str, ...]
    failed: Mapping[str, LinkFailure]
    users: Mapping[str, str]
    similarities: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class SubjectReport:
    """All that a subject can be told about themselves.

    ``notices`` has the texts that they agreed to, by purpose and version; ``entries`` every entry
    of the audit log that is about them, the oldest first: each search that returned them among
    them. Nobody else is told of in them.
    """

    subject: Subject
    faces: tuple[EnrolledFace, ...]
    consents: tuple[ConsentRecord, ...]
    notices: Mapping[tuple[str, int], str]
    entries: tuple[EntryAbout, ...]


@dataclass(frozen=True, slots=True)
class ThresholdInForce:
    """What a search would have to reach now, and what that is worth; nobody was searched for.

    ``score`` is the lowest that counts, on the scale that searches stand on: ``normalised`` tells
    whether that is normalised scores, or plain cosines. ``false_match_rate`` is the share of pairs
    of strangers that reach it, at most, and ``expected_false_matches`` how many strangers are
    expected among the matches of such a search, at most. All three are None where no score keeps
    the rule, or none is asked for.
    """

    threshold: Threshold
    score: float | None
    normalised: bool
    false_match_rate: float | None
    expected_false_matches: float | None


@dataclass(frozen=True, slots=True)
class EvaluatedPictures:
    """How many ``pictures`` of ``people`` an evaluation has, and how many gave a template."""

    pictures: int
    people: int
    with_template: int


@dataclass(frozen=True, slots=True)
class EvaluationRun:
    """How far an evaluation is; nobody is told of in it but by numbers.

    ``searched`` are the pictures of the gallery that it searches in, if there is one. ``labelled``
    counts the people with a group. ``step`` says what is done now, and ``progress``, 0 to 1, how
    much was done since it was finished. ``problem`` says why it failed.
    """

    id: str
    name: str
    state: EvaluationState
    mode: Mode
    compare: bool
    created: datetime
    created_by: str
    finished: datetime | None
    pictures: EvaluatedPictures
    searched: EvaluatedPictures
    labelled: int
    step: str | None
    progress: float
    problem: str | None


@dataclass(frozen=True, slots=True)
class EvaluatedPicture:
    """What an evaluation made of a picture: ``quality`` 0 to 100, or ``why`` it is of no use."""

    quality: float | None
    why: str | None


@dataclass(frozen=True, slots=True)
class EvaluationFigures:
    """What an evaluation found: in sentences, and everything as plain values."""

    summary: tuple[str, ...]
    figures: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyringStatus:
    """How many subjects have a key, and under which master key, in which file.

    ``made`` is that file if it was made when the gallery was opened: whoever loses it loses
    everything, and should be told so.
    """

    fingerprint: str
    subjects: int
    key_file: Path
    made: Path | None


__all__ = [
    "AccessKey",
    "Backup",
    "Candidate",
    "Collection",
    "Comparison",
    "Consent",
    "ConsentRecord",
    "DeletionFailure",
    "EnrolledFace",
    "Enrolment",
    "Entry",
    "EntryAbout",
    "EvaluatedPicture",
    "EvaluatedPictures",
    "EvaluationFigures",
    "EvaluationRun",
    "EvaluationState",
    "EvidenceFile",
    "FaceCandidate",
    "FaceComparison",
    "FaceLinking",
    "FaceMatch",
    "FaceMatches",
    "FacesDeletion",
    "FalseMatchRule",
    "KeyringStatus",
    "LeftFace",
    "LeftReason",
    "LinkFailure",
    "NewAccessKey",
    "PictureEnrolment",
    "PictureIndexing",
    "PictureSearch",
    "Purpose",
    "Recognition",
    "RecognizedFace",
    "Redacted",
    "RedactedFace",
    "Restoration",
    "Subject",
    "SubjectReport",
    "TemplateMatches",
    "Threshold",
    "ThresholdInForce",
    "Tombstone",
    "User",
    "UserCandidate",
    "UserMatches",
    "UserSearch",
    "Withdrawal",
]
