"""Enrolment: which face of a picture is the one, and how it gets into the gallery.

``enrol_pictures`` and ``enrol_templates`` run inside the core's change. Both go through ``_leave``,
where the collection is pinned to its model and a consent is required.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sayso.errors import AmbiguousFace, EnrolmentError, FaceTooPoor, NoFaceFound, SaysoError
from sayso.gallery import collections, consents, faces, subjects
from sayso.gallery.collections import Pinned
from sayso.gallery.consents import EnrolmentGrant
from sayso.gallery.store import Change
from sayso.results import Consent, Enrolment, PictureEnrolment
from sayso.vision.types import Analysis, Face

#: A face below either is not enrolled: the recogniser sees 112 x 112 pixels, and of a face of less
#: than 24 most of them are made up by the enlargement.
MIN_HEIGHT = 24.0
MIN_QUALITY = 10.0
#: Another face, good or not, with sides of at least this share of the largest one's makes it a
#: guess whom the picture shows.
COMPARABLE = 0.8


@dataclass(frozen=True, slots=True)
class Version:
    """What templates are made by: the recogniser's name and the version of the whole chain."""

    model: str
    template_version: str


@dataclass(frozen=True, slots=True)
class Terms:
    """On what an enrolment rests: what made the templates, the consent, and who enrols.

    ``consent`` is None when one on record must do.
    """

    version: Version
    consent: Consent | None
    actor: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """The face to enrol of a picture with so many ``faces``, and its template, float32 (d,).

    ``digest`` is the sha256 of the picture's file, in hex.
    """

    face: Face
    template: NDArray[np.float32]
    digest: str
    faces: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why a picture with so many ``faces`` cannot be used."""

    error: SaysoError
    faces: int = 0


def digest_of(data: bytes) -> str:
    """Return the sha256, in hex, by which a picture is known again."""
    return hashlib.sha256(data).hexdigest()


def choose_face(analysis: Analysis, digest: str) -> Chosen:
    """Choose the largest face, which must be a good one.

    Nobody smaller is taken in its place: a picture of somebody out of focus would enrol whoever
    stands behind them. Raises NoFaceFound, FaceTooPoor (the largest face is not high enough or
    not good enough), or AmbiguousFace (another face, good or not, is of comparable size).
    """
    if not analysis.faces:
        raise NoFaceFound("no face was found in the picture")
    sides = [_side(face) for face in analysis.faces]
    largest = int(np.argmax(sides))
    face = analysis.faces[largest]
    if not _good(face):
        raise FaceTooPoor(
            f"the largest face is {face.height:.0f} px high with quality "
            f"{face.quality.overall:.0f}; enrolment needs {MIN_HEIGHT:.0f} px and quality "
            f"{MIN_QUALITY:.0f}"
        )
    comparable = sum(side >= COMPARABLE * sides[largest] for side in sides)
    if comparable > 1:
        raise AmbiguousFace(
            f"{comparable} faces of about the same size are in the picture, so it is not clear "
            "whose it is: crop it to one face"
        )
    return Chosen(face, analysis.templates[largest], digest, len(analysis.faces))


def none_usable(subject: str, pictures: Iterable[tuple[str, Chosen | Rejected]]) -> SaysoError:
    """Make one error of those of every picture, of the first one's type."""
    errors = [(name, found.error) for name, found in pictures if isinstance(found, Rejected)]
    told = "; ".join(
        str(error) if str(error).startswith(name) else f"{name}: {error}" for name, error in errors
    )
    kind = type(errors[0][1])
    if len(errors) == 1:
        return kind(told)
    return kind(f"none of {len(errors)} pictures can enrol {subject!r}: {told}")


def enrol_pictures(
    change: Change,
    collection: str,
    subject: str,
    pictures: Sequence[tuple[str, Chosen | Rejected]],
    terms: Terms,
) -> Enrolment:
    """Enrol what was chosen of named pictures as one subject's, each picture once.

    At least one picture must have a chosen face. Raises CollectionNotFound, InvalidName,
    ConsentRequired, ModelConflict.
    """
    found = {p.digest: p for _, p in pictures if isinstance(p, Chosen)}
    pinned = collections.find(change.connection, collection)
    dimension = len(next(iter(found.values())).template)
    keys, grant = _leave(change, pinned, [subject], dimension, terms)
    key = keys[subject]
    known = faces.enrolled_pictures(change.connection, key, list(found))
    new = [chosen for digest, chosen in found.items() if digest not in known]
    ids = faces.insert_faces(
        change,
        pinned,
        grant,
        subjects=[key] * len(new),
        templates=np.array([c.template for c in new], np.float32).reshape(len(new), dimension),
        template_version=terms.version.template_version,
        origins=[faces.Origin(c.face.box, c.face.quality.overall, c.digest) for c in new],
    )
    fresh = dict(zip((chosen.digest for chosen in new), ids, strict=True))
    outcomes: list[PictureEnrolment] = []
    seen = set(known)
    for name, picture in pictures:
        if isinstance(picture, Rejected):
            outcomes.append(PictureEnrolment(name, picture.faces, error=picture.error))
            continue
        digest = picture.digest
        outcomes.append(
            PictureEnrolment(
                name,
                picture.faces,
                face_id=fresh.get(digest) or known[digest],
                box=picture.face.box,
                quality=picture.face.quality,
                repeated=digest in seen,
            )
        )
        seen.add(digest)  # the same picture twice in one call: the second is a repetition
    consent_id = consents.id_of(change.connection, grant.consents[key])
    return Enrolment(collection, subject, consent_id, tuple(outcomes))


def enrol_templates(
    change: Change,
    collection: str,
    names: Sequence[str],
    templates: NDArray[np.float32],
    terms: Terms,
) -> int:
    """Enrol templates, float32 (n, d); row i is of the subject ``names[i]``; return n.

    Raises CollectionNotFound, InvalidName, ConsentRequired, ModelConflict, EnrolmentError.
    """
    if len(names) != len(templates):
        raise EnrolmentError(f"{len(names)} subjects were named for {len(templates)} templates")
    pinned = collections.find(change.connection, collection)
    if not len(names):
        return 0
    dimension = templates.shape[1]
    keys, grant = _leave(change, pinned, names, dimension, terms)
    ids = faces.insert_faces(
        change,
        pinned,
        grant,
        subjects=[keys[name] for name in names],
        templates=templates,
        template_version=terms.version.template_version,
    )
    return len(ids)


def _leave(
    change: Change,
    pinned: Pinned,
    names: Iterable[str],
    dimension: int,
    terms: Terms,
) -> tuple[dict[str, int], EnrolmentGrant]:
    version = terms.version
    collections.pin(change, pinned, version.model, version.template_version, dimension)
    keys = subjects.find_or_create(change, pinned, names)
    return keys, consents.require_enrolment_consent(
        change, pinned, keys, terms.consent, terms.actor
    )


def _good(face: Face) -> bool:
    return face.height >= MIN_HEIGHT and face.quality.overall >= MIN_QUALITY


def _side(face: Face) -> float:
    return float(np.sqrt(max(face.width, 0) * max(face.height, 0)))
