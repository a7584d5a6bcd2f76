"""Faces: the templates that are enrolled, each on a consent."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, and_, func, insert, select

from sayso.errors import EnrolmentError, ModelConflict, SealBroken, StoreUnavailable
from sayso.gallery import consents, schema, serving
from sayso.gallery.batches import IN_LIST, ROWS, batches, driver_rows
from sayso.gallery.collections import Pinned
from sayso.gallery.consents import EnrolmentGrant
from sayso.gallery.sealing import STORED, open_template, picture_digests, seal_templates
from sayso.gallery.search import LARGEST_DIMENSION as LARGEST_SEARCHED
from sayso.gallery.store import Change
from sayso.gallery.subjects import Known
from sayso.keyring.sealing import DataKey
from sayso.keyring.store import Keyring

_FACE = schema.faces.c
_MATRIX = 2
_LENGTH_TOLERANCE = 1e-3
#: What to say of a template that is none.
DAMAGED = "the gallery cannot be used: it holds a damaged template; restore it from a backup"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a face came from; ``digest`` is the sha256 of its picture's file, in hex.

    ``size`` is the picture's width and height in pixels, ``score`` that of the detection.
    """

    box: tuple[float, float, float, float]
    quality: float
    digest: str
    size: tuple[int, int]
    score: float


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows for a cache: int64 (n,) keys of faces and subjects, float32 (n, d) templates."""

    faces: NDArray[np.int64]
    subjects: NDArray[np.int64]
    templates: NDArray[np.float32]


#: A normaliser adds two numbers to what is searched.
_LARGEST = LARGEST_SEARCHED - 2


def check_templates(templates: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return templates as float32 (n, d), C-contiguous.

    Raises ModelConflict unless they are a matrix of finite rows of unit length (within 0.001), of
    at most 512 numbers.
    """
    matrix = np.ascontiguousarray(templates, dtype=np.float32)
    if matrix.ndim != _MATRIX or matrix.shape[1] == 0:
        raise ModelConflict(f"templates must be a matrix (n, d), not of shape {matrix.shape}")
    if matrix.shape[1] > _LARGEST:
        raise ModelConflict(
            f"templates have {matrix.shape[1]} numbers; at most {_LARGEST} can be searched"
        )
    bad = _not_of_unit_length(matrix)
    if bad.size:
        length = np.linalg.norm(matrix[bad[0]])
        raise ModelConflict(f"template {bad[0]} has length {length:.4g}; templates are of length 1")
    return matrix


def insert_faces(
    change: Change,
    collection: Pinned,
    grant: EnrolmentGrant,
    *,
    subjects: Sequence[Known],
    templates: NDArray[np.float32],
    template_version: str,
    origins: Sequence[Origin] | None = None,
) -> list[str]:
    """Enrol templates, float32 (n, d), row i of ``subjects[i]``; return the faces' ids.

    This is the only statement that writes a
    template, and it takes leave of ``consents`` only. Raises EnrolmentError when that leave is of
    another change, collection or subject, or names a consent that is not the subject's own.
    """
    if (grant.sequence, grant.collection_key) != (change.sequence, collection.key):
        raise EnrolmentError("leave to enrol holds only in the change that it was given in")
    people = {subject.key: subject for subject in subjects}
    if any(key not in grant.consents for key in people):
        raise EnrolmentError("leave to enrol was given for other subjects")
    consents.check_own(change.connection, {key: grant.consents[key] for key in people})
    if len(templates) != len(subjects) or (origins is not None and len(origins) != len(subjects)):
        raise EnrolmentError(f"{len(templates)} templates are not of {len(subjects)} subjects")
    ids: list[str] = []
    last = change.connection.execute(select(func.max(_FACE.key))).scalar() or 0
    for rows in batches(range(len(subjects)), ROWS):
        found = change.find_keys({subjects[row].id for row in rows})
        keys = [found[subjects[row].id] for row in rows]
        sealed = seal_templates(keys, templates[rows[0] : rows[-1] + 1])
        values = [
            {
                "id": str(uuid.uuid4()),
                "collection_key": collection.key,
                "subject_key": subjects[row].key,
                "consent_key": grant.consents[subjects[row].key],
                "template": template,
                "template_version": template_version,
                "created": change.now,
                "sequence": change.sequence,
                **_origin(change, subjects[row], key, origins[row] if origins else None),
            }
            for row, key, template in zip(rows, keys, sealed, strict=True)
        ]
        change.connection.execute(insert(schema.faces), values)
        ids += [str(value["id"]) for value in values]
    serving.enrolled(change, collection.key, last, for_all=grant.for_all)
    return ids


def enrolled_pictures(
    change: Change, subject: Known, pictures: Sequence[str], purpose: str | None
) -> dict[str, str]:
    """Return, by the sha256 of their picture, the ids of faces that the subject has already.

    With a ``purpose`` only of those that may be shown for it.
    """
    key = change.find_keys([subject.id])[subject.id]
    digests = {digest: sha256 for sha256 in pictures for digest in picture_digests(key, sha256)}
    found: dict[str, str] = {}
    for batch in batches(digests, IN_LIST):
        query = select(_FACE.picture_digest, _FACE.id).where(
            _FACE.subject_key == subject.key, _FACE.picture_digest.in_(batch)
        )
        if purpose is not None:
            query = query.where(serving.face_shown(purpose, change.now))
        rows = change.connection.execute(query)
        found.update((digests[digest], face) for digest, face in rows)
    return found


def changed(
    connection: Connection, keyring: Keyring, collection_key: int, dimension: int, since: int
) -> Iterator[Chunk]:
    """Yield the faces of a collection that came after the change numbered ``since``, in chunks.

    Whoever is erased meanwhile is left out. Raises StoreUnavailable for a template that cannot be
    opened or is of another length, and for a subject whose key is lost.
    """
    new = and_(_FACE.collection_key == collection_key, _FACE.sequence > since)
    people = select(_FACE.subject_key).where(new)
    subject = schema.subjects.c
    query = select(subject.id).where(subject.key.in_(people))
    ids = {row[0] for rows in driver_rows(connection.execute(query)) for row in rows}
    found = keyring.find(ids)
    if len(found) < len(ids):
        check_erased(keyring, ids - set(found))
    query = (
        select(_FACE.key, _FACE.subject_key, _FACE.template, subject.id)
        .join(schema.subjects, subject.key == _FACE.subject_key)
        .where(new)
        .order_by(_FACE.sequence, _FACE.key)
    )
    for rows in driver_rows(connection.execute(query)):
        left = [row for row in rows if row[3] in found]
        if not left:
            continue
        keys, subjects, sealed, owners = zip(*left, strict=True)
        try:
            opened = [
                open_template(found[owner], each)
                for owner, each in zip(owners, sealed, strict=True)
            ]
        except SealBroken as error:
            raise StoreUnavailable(DAMAGED) from error
        stored = b"".join(opened)
        if len(stored) != len(left) * dimension * STORED.itemsize:
            raise StoreUnavailable(DAMAGED)
        matrix = np.frombuffer(stored, dtype=STORED).astype(np.float32, copy=False)
        yield Chunk(
            np.array(keys, np.int64),
            np.array(subjects, np.int64),
            matrix.reshape(len(left), dimension),
        )


def check_erased(keyring: Keyring, subjects: Set[str]) -> None:
    """Raise StoreUnavailable unless all these subjects, who have no key, were erased."""
    lost = subjects - set(keyring.ended("subject"))
    if lost:
        raise StoreUnavailable(
            f"the keyring lacks the keys of {len(lost)} of the gallery's subjects, so what is held "
            "of them cannot be read: put back the keyring that belongs to this gallery, or restore "
            "a backup (sayso restore), which leaves them out"
        )


def removed(connection: Connection, collection_key: int, since: int) -> NDArray[np.int64]:
    """Return the keys, int64 (n,), of faces that went after the change numbered ``since``."""
    removal = schema.removals.c
    rows = connection.execute(
        select(removal.face_key).where(
            removal.collection_key == collection_key, removal.sequence > since
        )
    )
    return np.array(rows.scalars().all(), np.int64)


def ids(connection: Connection, keys: Sequence[int]) -> dict[int, str]:
    """Return the ids of those faces, by key, that are still there."""
    found: dict[int, str] = {}
    for batch in batches(keys, IN_LIST):
        rows = connection.execute(select(_FACE.key, _FACE.id).where(_FACE.key.in_(batch)))
        found.update((key, face) for key, face in rows)
    return found


def linked(connection: Connection, keys: Sequence[int]) -> dict[int, int | None]:
    """Return the keys of the users of those faces, by key, that are still there."""
    found: dict[int, int | None] = {}
    for batch in batches(keys, IN_LIST):
        query = select(_FACE.key, _FACE.user_key).where(_FACE.key.in_(batch))
        found.update((key, user) for key, user in connection.execute(query))
    return found


def _not_of_unit_length(matrix: NDArray[np.float32]) -> NDArray[np.int64]:
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.einsum("ij,ij->i", matrix, matrix)
        return np.flatnonzero(~(np.abs(np.sqrt(squares) - 1) <= _LENGTH_TOLERANCE))  # NaN too


def _free_digest(change: Change, subject: Known, key: DataKey, sha256: str) -> bytes:
    """Return a digest for a picture that may have enrolled the subject for another purpose."""
    digests = picture_digests(key, sha256)
    query = select(_FACE.picture_digest).where(
        _FACE.subject_key == subject.key, _FACE.picture_digest.in_(digests)
    )
    taken = set(change.connection.execute(query).scalars())
    free = next((each for each in digests if each not in taken), None)
    if free is None:
        raise EnrolmentError("the picture has enrolled the subject for too many purposes")
    return free


def _origin(
    change: Change, subject: Known, key: DataKey, origin: Origin | None
) -> dict[str, float | bytes | str | None]:
    left, top, right, bottom = origin.box if origin else (None,) * 4
    width, height = origin.size if origin else (None, None)
    return {
        "quality": origin.quality if origin else None,
        "box_left": left,
        "box_top": top,
        "box_right": right,
        "box_bottom": bottom,
        "picture_digest": _free_digest(change, subject, key, origin.digest) if origin else None,
        "picture_id": str(uuid.uuid4()) if origin else None,
        "picture_width": width,
        "picture_height": height,
        "score": origin.score if origin else None,
    }
