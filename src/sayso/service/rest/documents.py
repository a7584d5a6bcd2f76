"""Faces, pictures and who is in them, as the API tells of them; as ``--json`` does, too."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from sayso import results
from sayso.evidence.rule import Per
from sayso.results import LeftReason, RecognizedFace
from sayso.service.rest.values import Answer, significant
from sayso.vision import types as vision

_Four = Field(min_length=4, max_length=4)
Box = Annotated[list[float], _Four]
Point = Annotated[list[float], Field(min_length=2, max_length=2)]
Turn = Annotated[
    int,
    Field(
        description="How far the head is turned clockwise in the picture, in degrees: 0, 90, 180 "
        "or 270."
    ),
]
_BOX = "x1, y1, x2, y2 in pixels of the upright picture; may leave it."
_EXPECTED = (
    "How many strangers would be expected to score at least this high, among those whom the "
    "purpose covers."
)


class Quality(Answer):
    """How fit a face is to recognise somebody by."""

    overall: float = Field(description="0 to 100; orders faces by how well they recognise.")
    sharpness: float = Field(description="0 to 100.")
    brightness: float = Field(description="0 to 100.")
    yaw: float = Field(description="Degrees; positive when the nose points to the right.")
    pitch: float = Field(description="Degrees; positive when the face looks up.")
    roll: float = Field(description="Degrees; positive when the head tilts clockwise.")
    height: float = Field(description="Of the box, in pixels.")
    visible: float = Field(description="Share of the face inside the picture, 0 to 1.")

    @classmethod
    def of(cls, found: vision.Quality) -> Quality:
        """Return it as a document."""
        names = cls.model_fields
        return cls(**{name: round(float(getattr(found, name)), 3) for name in names})


class Face(Answer):
    """A face of a picture."""

    box: Box = Field(description=_BOX)
    score: float = Field(description="How sure the detectors are that this is a face, 0 to 1.")
    landmarks: list[Point] = Field(
        min_length=5,
        max_length=5,
        description="Left eye, right eye, nose tip, left and right mouth corner as seen in the "
        "picture, each x, y in pixels.",
    )
    quality: Quality
    turn: Turn

    @classmethod
    def of(cls, found: vision.Face) -> Face:
        """Return it as a document."""
        return cls(
            box=box(found.box),
            score=round(found.score, 4),
            landmarks=_points(found),
            quality=Quality.of(found.quality),
            turn=found.turn,
        )


class NamedFace(Face):
    """A face of a picture, and whom it was recognised as."""

    subject: str | None = Field(
        description="Null for an unknown face, be it a stranger's or that of somebody whom the "
        "purpose does not cover."
    )
    similarity: float | None = Field(description="0 to 100; null when unknown.")
    expected_false_matches: float | None = Field(description=f"{_EXPECTED} Null when unknown.")
    duplicate: bool = Field(
        description="Whether another face of the picture was recognised as the same subject: a "
        "mirror or a picture in the picture, or one of the names is wrong."
    )

    @classmethod
    def of_recognised(cls, found: RecognizedFace) -> NamedFace:
        """Return it as a document."""
        similarity, expected = found.similarity, found.expected_false_matches
        return cls(
            box=box(found.box),
            score=round(found.score, 4),
            landmarks=_points(found.face),
            quality=Quality.of(found.quality),
            turn=found.face.turn,
            duplicate=found.duplicate,
            subject=found.subject,
            similarity=None if similarity is None else round(similarity, 2),
            expected_false_matches=None if expected is None else significant(expected),
        )


class EnrolledFace(Answer):
    """A face in a collection; no template leaves it."""

    face_id: str
    subject: str
    consent: str = Field(description="The id of the consent that it was enrolled on.")
    model: str = Field(description="The recogniser that made the template.")
    template_version: str
    box: Box | None = Field(description=f"{_BOX} Null for an imported template.")
    quality: float | None = Field(description="Overall, 0 to 100; null for an imported template.")
    score: float | None = Field(description="How sure the detectors were; null where not known.")
    picture_id: str | None = Field(description="A random id of the picture that it is from.")
    picture_size: Annotated[list[int], Field(min_length=2, max_length=2)] | None = Field(
        description="Width and height of that picture in pixels."
    )
    user: str | None = Field(description="The user that it is associated with.")
    created: datetime

    @classmethod
    def of(cls, found: results.EnrolledFace) -> EnrolledFace:
        """Return it as a document."""
        size = found.picture_size
        return cls(
            face_id=found.id,
            subject=found.subject,
            consent=found.consent,
            model=found.model,
            template_version=found.template_version,
            box=None if found.box is None else box(found.box),
            quality=None if found.quality is None else round(found.quality, 3),
            score=None if found.score is None else round(found.score, 4),
            picture_id=found.picture,
            picture_size=None if size is None else list(size),
            user=found.user,
            created=found.created,
        )


class LeftFace(Answer):
    """A face of a picture that was not looked for, and why; the first reason counted."""

    face: Face
    reasons: list[LeftReason]

    @classmethod
    def of(cls, found: results.LeftFace) -> LeftFace:
        """Return it as a document."""
        return cls(face=Face.of(found.face), reasons=list(found.reasons))


class Threshold(Answer):
    """What had to be reached to be found, by the caller's limit and the collection's rule."""

    similarity: float | None = Field(
        description="0 to 100. Null when it was not measured: no score is known to keep the rule "
        "among so many, so nobody could be found."
    )
    asked: float = Field(description="The caller's own limit.")
    population: int = Field(description="How many of the enrolled could have been found.")
    probes: int = Field(description="How many faces were looked for together.")
    max_expected_false_matches: float = Field(description="The collection's rule.")
    per: Per = Field(description="What the rule holds for: all faces of a picture, or each face.")

    @classmethod
    def of(cls, found: results.Threshold) -> Threshold:
        """Return it as a document."""
        similarity = found.similarity
        return cls(
            similarity=None if similarity is None else round(similarity, 2),
            asked=found.asked,
            population=found.population,
            probes=found.probes,
            max_expected_false_matches=found.max_expected_false_matches,
            per=found.per,
        )


class ThresholdInForce(Threshold):
    """What a search would have to reach now, and what that is worth."""

    score: float | None = Field(
        description="The lowest score that counts. Null where no score keeps the rule, or none is "
        "asked for; and so are the next two."
    )
    scale: Literal["normalised", "cosine"] = Field(
        description="Whether scores are normalised, so that one means the same for everybody, or "
        "plain cosines; of a normalised one there is no one cosine."
    )
    false_match_rate: float | None = Field(
        description="Upper bound on the share of pairs of strangers that reach the score."
    )
    expected_false_matches: float | None = Field(
        description="How many strangers may be expected among the matches of such a search, at "
        "most: of all its faces together, or of each, as the rule has it."
    )

    @classmethod
    def of_today(cls, found: results.ThresholdInForce) -> ThresholdInForce:
        """Return it as a document."""
        rate, expected = found.false_match_rate, found.expected_false_matches
        return cls(
            **Threshold.of(found.threshold).model_dump(),
            score=None if found.score is None else round(found.score, 4),
            scale="normalised" if found.normalised else "cosine",
            false_match_rate=None if rate is None else significant(rate),
            expected_false_matches=None if expected is None else significant(expected),
        )


class FaceCandidate(Answer):
    """An enrolled face that is similar."""

    face: EnrolledFace
    similarity: float = Field(description="0 to 100.")
    cosine: float = Field(description="The raw score of the recogniser, -1 to 1.")
    expected_false_matches: float = Field(description=_EXPECTED)

    @classmethod
    def of(cls, found: results.FaceCandidate) -> FaceCandidate:
        """Return it as a document."""
        return cls(face=EnrolledFace.of(found.face), **scores(found))


def box(found: tuple[float, float, float, float]) -> list[float]:
    """Return x1, y1, x2, y2 as documents have them."""
    return [round(float(side), 2) for side in found]


def scores(found: results.FaceCandidate | results.UserCandidate) -> dict[str, float]:
    """Return the numbers of a candidate as documents have them."""
    return {
        "similarity": round(found.similarity, 2),
        "cosine": round(found.cosine, 4),
        "expected_false_matches": significant(found.expected_false_matches),
    }


def _points(found: vision.Face) -> list[list[float]]:
    return [[round(float(x), 2), round(float(y), 2)] for x, y in found.landmarks]
