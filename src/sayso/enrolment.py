"""Enrolment: which face of a picture is the one, and how it gets into the gallery.

``enrol_pictures`` and ``enrol_templates`` run inside the core's change. Both go through ``_leave``,
where the collection is pinned to its model and a consent is required.

No bystanders: only the face that a picture is of is enrolled, or the one that the caller says
(``sayso.choosing``); and none that is more like another
enrolled subject than like the one it is given for, unless the caller says that it is so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sayso.choosing import FaceChoice, choose_row, in_doubt, side
from sayso.conflicts import Likeness, conflicting, message
from sayso.errors import (
    EnrolmentError,
    FaceTooPoor,
    LooksLikeAnother,
    NameConflict,
    SaysoError,
)
from sayso.gallery import collections, consents, faces, subjects
from sayso.gallery.collections import Pinned
from sayso.gallery.consents import EnrolmentGrant
from sayso.gallery.store import Change
from sayso.gallery.subjects import Known
from sayso.results import Consent, Enrolment, LeftFace, LeftReason, PictureEnrolment
from sayso.vision.types import Analysis, Face

#: A face below either is not enrolled: the recogniser sees 112 x 112 pixels, and of a face of less
#: than 24 most of them are made up by the enlargement.
MIN_HEIGHT = 24.0
MIN_QUALITY = 10.0
#: From where on something is said to be wrong with a face that is too poor: pixels, degrees, 0 to
#: 100 twice, and a score from 0 to 1.
_SMALL, _TURNED, _DARK, _BLURRED, _DOUBTFUL = 32.0, 35.0, 25.0, 12.0, 0.5


@dataclass(frozen=True, slots=True)
class Version:
    """What templates are made by: the recogniser's name and the version of the whole chain."""

    model: str
    template_version: str


@dataclass(frozen=True, slots=True)
class Terms:
    """On what an enrolment rests: what made the templates, the consent, and who enrols.

    ``consent`` is None when one on record must do, to the ``purpose`` if there is one; it is
    ``attested`` when nobody gave it for this very subject.
    ``likeness`` says how faces are compared with those that the subject has for other purposes.
    ``most_alike`` gives for each template the key of the enrolled subject who is so similar that
    they count as a match, or None; ``allow_lookalike`` enrols even those that are of another.
    """

    version: Version
    consent: Consent | None
    actor: str
    purpose: str | None
    most_alike: Callable[[NDArray[np.float32]], list[int | None]]
    likeness: Likeness
    allow_lookalike: bool = False
    attested: bool = False


@dataclass(frozen=True, slots=True)
class Chosen:
    """The face to enrol of a picture with so many ``faces``, and its template, float32 (d,).

    ``digest`` is the sha256 of the picture's file, in hex; ``size`` its width and height in pixels.
    ``notices`` say what people are to know of it.
    """

    face: Face
    template: NDArray[np.float32]
    digest: str
    faces: int
    size: tuple[int, int]
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What an enrolment did, for the audit log.

    One entry for each new face: ``faces`` has its id, ``owners`` the key of its subject, and
    ``lookalikes`` the id of another subject who is more alike, where that was allowed; ``digests``
    has the sha256 of its picture, in hex, where there is one. ``refused`` were not enrolled.
    """

    subjects: tuple[Known, ...]
    grant: EnrolmentGrant
    faces: tuple[str, ...]
    owners: tuple[int, ...]
    lookalikes: tuple[str | None, ...]
    digests: tuple[str, ...] = ()
    refused: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A face that is more like the subject whose id is ``lookalike`` than like its own.

    ``lookalike`` is None for a conflict: the face is not like its subject's for another purpose.
    ``subject`` is the id of its own, None for one who was made by the same change; ``digest`` the
    sha256 of its picture, in hex, None for a template.
    """

    lookalike: str | None
    subject: str | None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why a picture with so many ``faces`` cannot be used.

    ``digest`` is the sha256 of its file, in hex; None where it could not be looked at.
    """

    error: SaysoError
    faces: int = 0
    digest: str | None = None


def digest_of(data: bytes) -> str:
    """Return the sha256, in hex, by which a picture is known again."""
    return hashlib.sha256(data).hexdigest()


def choose_face(analysis: Analysis, digest: str, face: FaceChoice | None = None) -> Chosen:
    """Choose the face that a picture is of, or the one that the caller says, which must be good.

    Nobody smaller is taken in its place: a picture of somebody out of focus would enrol whoever
    stands behind them. Raises NoFaceFound, FaceTooPoor (the face is not high enough or not good
    enough), or AmbiguousFace (others, good or not, stand out as much); see ``sayso.choosing``.
    """
    row = choose_row(analysis, face)
    found = analysis.faces[row]
    if not _good(found):
        which = "largest face" if face in (None, "largest") else "face"
        raise FaceTooPoor(
            f"the {which} is {found.height:.0f} px high with quality "
            f"{found.quality.overall:.0f}; enrolment needs {MIN_HEIGHT:.0f} px and quality "
            f"{MIN_QUALITY:.0f}"
        )
    return chosen(analysis, row, digest)


def chosen(analysis: Analysis, row: int, digest: str) -> Chosen:
    """Return one face of a picture as the one to enrol."""
    size = (analysis.width, analysis.height)
    return Chosen(
        analysis.faces[row],
        analysis.templates[row],
        digest,
        len(analysis.faces),
        size,
        analysis.notices,
    )


def choose_or_leave(
    analysis: Analysis, digest: str, min_quality: float
) -> tuple[Chosen | None, tuple[LeftFace, ...]]:
    """Choose as ``choose_face`` does; where none can be, it is told of each face why.

    The chosen one needs ``min_quality``, where that is more than every enrolment asks.
    """
    least = max(min_quality, MIN_QUALITY)
    likeliest = in_doubt(analysis)
    row = likeliest[0] if len(likeliest) == 1 else None
    if row is not None and left_reasons(analysis.faces[row], least):
        row = None
    order = sorted(range(len(analysis.faces)), key=lambda i: -side(analysis.faces[i]))
    left = tuple(
        LeftFace(found, left_reasons(found, least) or ("EXCEEDS_MAX_FACES",))
        for found in (analysis.faces[i] for i in order if i != row)
    )
    return (None if row is None else chosen(analysis, row, digest)), left


def left_reasons(face: Face, min_quality: float) -> tuple[LeftReason, ...]:
    """Return why a face is too poor to recognise somebody by; nothing for one that is not."""
    quality = face.quality
    if _good(face, min_quality):
        return ()
    found: list[LeftReason] = []
    if face.height < _SMALL:
        found.append("SMALL_BOUNDING_BOX")
    if abs(quality.yaw) > _TURNED or abs(quality.pitch) > _TURNED:
        found.append("EXTREME_POSE")
    if quality.brightness < _DARK:
        found.append("LOW_BRIGHTNESS")
    if quality.sharpness < _BLURRED:
        found.append("LOW_SHARPNESS")
    if face.score < _DOUBTFUL:
        found.append("LOW_CONFIDENCE")
    return (*found, "LOW_FACE_QUALITY") if quality.overall < min_quality else tuple(found)


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
) -> tuple[Enrolment, Enrolled]:
    """Enrol what was chosen of named pictures as one subject's, each picture once.

    At least one picture must have a chosen face. Raises CollectionNotFound, InvalidName,
    ConsentRequired, PurposeNotDeclared, ModelConflict, and FacesRefused when no picture is left.
    """
    found = {p.digest: p for _, p in pictures if isinstance(p, Chosen)}
    pinned = collections.find(change.connection, collection)
    templates = np.array([p.template for p in found.values()], np.float32)
    people, grant = _leave(change, pinned, [subject], templates.shape[1], terms)
    known = people[subject]
    only = terms.likeness.purpose
    enrolled = faces.enrolled_pictures(change, known, list(found), only)
    owners = [known] * len(found)
    others = dict(zip(found, _others(change, terms, owners, templates), strict=True))
    before = None if known.id in change.new_keys else known.id
    digests = list(found)
    refused = {
        digests[row]: Refusal(other, before, digests[row])
        for row, other in _refused(change, terms, owners, templates, grant, list(others.values()))
        if digests[row] not in enrolled
    }
    if len(refused) == len(found):
        raise FacesRefused(_reason(subject, refused[digests[0]]), list(refused.values()))
    new = [d for d in found if d not in enrolled and d not in refused]
    ids = faces.insert_faces(
        change,
        pinned,
        grant,
        subjects=[known] * len(new),
        templates=np.array([found[d].template for d in new], np.float32).reshape(
            len(new), templates.shape[1]
        ),
        template_version=terms.version.template_version,
        origins=[_origin(found[d]) for d in new],
    )
    outcomes = _outcomes(
        pictures,
        dict(zip(new, ids, strict=True)),
        enrolled,
        {digest: _reason(subject, each) for digest, each in refused.items()},
    )
    consent_id = consents.id_of(change.connection, grant.consents[known.key])
    done = Enrolled(
        (known,),
        grant,
        tuple(ids),
        (known.key,) * len(new),
        tuple(others[digest] for digest in new),
        tuple(new),
        tuple(replace(each, subject=known.id) for each in refused.values()),
    )
    return Enrolment(collection, subject, consent_id, outcomes), done


def enrol_templates(
    change: Change,
    collection: str,
    names: Sequence[str],
    templates: NDArray[np.float32],
    terms: Terms,
) -> Enrolled:
    """Enrol templates, float32 (n, d); row i is of the subject ``names[i]``; all or none.

    Templates of one call are not compared with each other. Raises CollectionNotFound, InvalidName,
    ConsentRequired, PurposeNotDeclared, ModelConflict, EnrolmentError, FacesRefused.
    """
    if len(names) != len(templates):
        raise EnrolmentError(f"{len(names)} subjects were named for {len(templates)} templates")
    pinned = collections.find(change.connection, collection)
    people, grant = _leave(change, pinned, names, templates.shape[1], terms)
    subjects_of = [people[name] for name in names]
    others = _others(change, terms, subjects_of, templates)
    for first, other in _refused(change, terms, subjects_of, templates, grant, others):
        own = subjects_of[first].id
        refusal = Refusal(other, None if own in change.new_keys else own)
        error = _reason(names[first], refusal)
        raise FacesRefused(type(error)(f"template {first}: {error}"), [refusal])
    ids = faces.insert_faces(
        change,
        pinned,
        grant,
        subjects=subjects_of,
        templates=templates,
        template_version=terms.version.template_version,
    )
    owners = tuple(subject.key for subject in subjects_of)
    return Enrolled(tuple(people.values()), grant, tuple(ids), owners, tuple(others))


class FacesRefused(Exception):
    """Ends the change: what was refused, for the audit log, and what the caller may be told."""

    def __init__(self, error: EnrolmentError, refused: Sequence[Refusal]) -> None:
        super().__init__(str(error))
        self.error = error
        self.refused = refused


def _outcomes(
    pictures: Sequence[tuple[str, Chosen | Rejected]],
    fresh: dict[str, str],
    known: dict[str, str],
    refused: Mapping[str, EnrolmentError],
) -> tuple[PictureEnrolment, ...]:
    """Tell what became of each picture.

    ``fresh`` and ``known`` are face ids by digest, ``refused`` why some are not enrolled.
    """
    outcomes: list[PictureEnrolment] = []
    seen = set(known)
    for name, picture in pictures:
        if isinstance(picture, Rejected):
            outcomes.append(PictureEnrolment(name, picture.faces, error=picture.error))
            continue
        digest = picture.digest
        if digest in refused:
            outcomes.append(PictureEnrolment(name, picture.faces, error=refused[digest]))
            continue
        outcomes.append(
            PictureEnrolment(
                name,
                picture.faces,
                face_id=fresh.get(digest) or known[digest],
                box=picture.face.box,
                quality=picture.face.quality,
                repeated=digest in seen,
                notices=picture.notices,
                turn=picture.face.turn,
            )
        )
        seen.add(digest)  # the same picture twice in one call: the second is a repetition
    return tuple(outcomes)


def _others(
    change: Change, terms: Terms, people: Sequence[Known], templates: NDArray[np.float32]
) -> list[str | None]:
    """Return for each template the id of whoever is more alike than its own subject."""
    if not len(templates):
        return []
    alike = [
        None if other == subject.key else other
        for other, subject in zip(terms.most_alike(templates), people, strict=True)
    ]
    # Whoever was erased by this very change is still there for those who only read.
    left = subjects.ids(change.connection, sorted({other for other in alike if other is not None}))
    return [None if other is None else left.get(other) for other in alike]


def _refused(
    change: Change,
    terms: Terms,
    people: Sequence[Known],
    templates: NDArray[np.float32],
    grant: EnrolmentGrant,
    others: Sequence[str | None],
) -> list[tuple[int, str | None]]:
    """Return the rows that are not enrolled, each with its lookalike, None for a conflict."""
    conflicts = conflicting(change, terms.likeness, people, templates, grant.consents)
    lookalikes = {} if terms.allow_lookalike else dict(enumerate(others))
    return [
        (row, lookalikes.get(row))
        for row in range(len(people))
        if row in conflicts or lookalikes.get(row) is not None
    ]


def _reason(subject: str, refusal: Refusal) -> EnrolmentError:
    if refusal.lookalike is None:
        return NameConflict(message(subject))
    return LooksLikeAnother(
        f"the face is more like another enrolled subject than like {subject!r}: check whose it is, "
        "and tell to enrol it all the same if it is theirs (--allow-lookalike)"
    )


def _leave(
    change: Change,
    pinned: Pinned,
    names: Iterable[str],
    dimension: int,
    terms: Terms,
) -> tuple[dict[str, Known], EnrolmentGrant]:
    version = terms.version
    collections.pin(change, pinned, version.model, version.template_version, dimension)
    people = subjects.find_or_create(change, pinned, names)
    return people, consents.require_enrolment_consent(
        change,
        pinned,
        list(people.values()),
        terms.consent,
        terms.actor,
        terms.purpose,
        terms.attested,
        extends=terms.likeness.purpose is None,
    )


def _origin(picture: Chosen) -> faces.Origin:
    face = picture.face
    return faces.Origin(face.box, face.quality.overall, picture.digest, picture.size, face.score)


def _good(face: Face, min_quality: float = MIN_QUALITY) -> bool:
    return face.height >= MIN_HEIGHT and face.quality.overall >= min_quality
