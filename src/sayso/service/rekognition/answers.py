"""What is told of faces, in Amazon's words and units: ratios of the picture, 0 to 100, degrees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sayso.core import Sayso
from sayso.results import Collection, EnrolledFace, FaceCandidate, LeftFace, UserCandidate
from sayso.service.rekognition.faults import Fault
from sayso.vision.types import Face

Document = dict[str, Any]
Size = tuple[int, int]

#: How Amazon calls our landmarks, in our order; left and right are as seen in the picture.
_LANDMARKS = ("eyeLeft", "eyeRight", "nose", "mouthLeft", "mouthRight")
#: What no model here infers, and none will.
_TRAITS = frozenset({"AGE_RANGE", "EMOTIONS", "GENDER"})
_MEASURED = frozenset({"ALL", "DEFAULT"})
_ANGLE = 180.0


def check_attributes(names: Iterable[str]) -> None:
    """Raise Fault for an attribute that was asked for by name and that there is not.

    ALL and DEFAULT are the same here: all that is measured.
    """
    asked = set(names)
    if traits := sorted(asked & _TRAITS):
        raise Fault(
            "InvalidParameterException",
            f"{' and '.join(traits)} cannot be asked for: what somebody feels, or how old or of "
            "which gender they are, is not to be read from a face (policy no-inference-of-traits)",
        )
    if others := sorted(asked - _MEASURED):
        raise Fault(
            "InvalidParameterException",
            f"{' and '.join(others)} cannot be asked for: there is no model for it here. DEFAULT "
            "and ALL tell BoundingBox, Confidence, Landmarks, Pose and Quality",
        )


def model_version(app: Sayso) -> str:
    """Return the FaceModelVersion: what this installation makes templates by."""
    return app.template_version


def collection_version(app: Sayso, collection: Collection) -> str:
    """Return the FaceModelVersion of a collection: what its templates are made by, or would be."""
    return collection.template_version or model_version(app)


def percent(value: float) -> float:
    """Return a number held to what Amazon's model allows, 0 to 100."""
    return float(min(max(value, 0.0), 100.0))


def box(corners: Sequence[float], size: Size) -> Document:
    """Return a BoundingBox of x1, y1, x2, y2 in pixels; it may leave the picture."""
    (x1, y1, x2, y2), (width, height) = corners, size
    return {
        "Left": x1 / width,
        "Top": y1 / height,
        "Width": (x2 - x1) / width,
        "Height": (y2 - y1) / height,
    }


def confidence(score: float) -> float:
    """Return the Confidence of a score from 0 to 1."""
    return percent(100 * score)


def face_detail(face: Face, size: Size) -> Document:
    """Return a FaceDetail, which is a ComparedFace as well."""
    width, height = size
    quality = face.quality
    return {
        "BoundingBox": box(face.box, size),
        "Confidence": confidence(face.score),
        "Landmarks": [
            {"Type": name, "X": float(x) / width, "Y": float(y) / height}
            for name, (x, y) in zip(_LANDMARKS, face.landmarks, strict=True)
        ],
        "Pose": {
            "Roll": _angle(quality.roll),
            "Yaw": _angle(quality.yaw),
            "Pitch": _angle(quality.pitch),
        },
        "Quality": {
            "Brightness": percent(quality.brightness),
            "Sharpness": percent(quality.sharpness),
        },
    }


def enrolled_face(face: EnrolledFace) -> Document:
    """Return a Face; what is not known of an imported template is left out."""
    told: Document = {"FaceId": face.id, "ExternalImageId": face.subject}
    if face.box is not None and face.picture_size is not None:
        told["BoundingBox"] = box(face.box, face.picture_size)
    if face.picture is not None:
        told["ImageId"] = face.picture
    if face.score is not None:
        told["Confidence"] = confidence(face.score)
    if face.user is not None:
        told["UserId"] = face.user
    return told


def face_matches(candidates: Iterable[FaceCandidate]) -> list[Document]:
    """Return FaceMatches, the most similar first."""
    return [
        {"Similarity": percent(each.similarity), "Face": enrolled_face(each.face)}
        for each in candidates
    ]


def user_matches(candidates: Iterable[UserCandidate]) -> list[Document]:
    """Return UserMatches, the most similar first."""
    return [
        {
            "Similarity": percent(each.similarity),
            "User": {"UserId": each.user.name, "UserStatus": each.user.status},
        }
        for each in candidates
    ]


def left_faces(left: Iterable[LeftFace], size: Size, member: str) -> list[Document]:
    """Return the faces that were not taken, and why; ``member`` is what a face is called there."""
    return [{"Reasons": list(each.reasons), member: face_detail(each.face, size)} for each in left]


def unsuccessful(
    failed: Mapping[str, str],
    users: Mapping[str, str],
    similarities: Mapping[str, float] | None = None,
) -> list[Document]:
    """Return the faces that something was not done with: why, whose they are, and how alike."""
    told: list[Document] = []
    for face, reason in failed.items():
        one: Document = {"FaceId": face, "Reasons": [reason]}
        if face in users:
            one["UserId"] = users[face]
        if similarities is not None and face in similarities:
            one["Confidence"] = percent(similarities[face])
        told.append(one)
    return told


def _angle(degrees: float) -> float:
    return float(min(max(degrees, -_ANGLE), _ANGLE))
