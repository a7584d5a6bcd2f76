"""Faces: the templates that are enrolled, each on a consent."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, insert, select

from sayso.errors import EnrolmentError, ModelConflict, StoreUnavailable
from sayso.gallery import consents, schema
from sayso.gallery.batches import IN_LIST, ROWS, batches, driver_rows
from sayso.gallery.collections import Pinned
from sayso.gallery.consents import EnrolmentGrant
from sayso.gallery.search import LARGEST_DIMENSION
from sayso.gallery.store import Change
from sayso.gallery.times import moment
from sayso.gallery.types import EnrolledFace

_FACE = schema.faces.c
#: Templates in the store: float32, little-endian, one after the other.
STORED = np.dtype("<f4")
_MATRIX = 2
_LENGTH_TOLERANCE = 1e-3
#: What to say of a template that is none.
DAMAGED = "the gallery cannot be used: it holds a damaged template; restore it from a backup"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a face came from; ``box`` and ``digest`` are those of its picture (sha256, hex)."""

    box: tuple[float, float, float, float]
    quality: float
    digest: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows for a cache: int64 (n,) keys of faces and subjects, float32 (n, d) templates."""

    faces: NDArray[np.int64]
    subjects: NDArray[np.int64]
    templates: NDArray[np.float32]


def check_templates(templates: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return templates as float32 (n, d), C-contiguous.

    Raises ModelConflict unless they are a matrix of finite rows of unit length (within 0.001), of
    at most 512 numbers.
    """
    matrix = np.ascontiguousarray(templates, dtype=np.float32)
    if matrix.ndim != _MATRIX or matrix.shape[1] == 0:
        raise ModelConflict(f"templates must be a matrix (n, d), not of shape {matrix.shape}")
    if matrix.shape[1] > LARGEST_DIMENSION:
        raise ModelConflict(
            f"templates have {matrix.shape[1]} numbers; at most {LARGEST_DIMENSION} can be searched"
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
    subjects: Sequence[int],
    templates: NDArray[np.float32],
    template_version: str,
    origins: Sequence[Origin] | None = None,
) -> list[str]:
    """Enrol templates, float32 (n, d), of these subject keys; return the faces' ids.

    This is the only statement that writes a template, and it takes leave of ``consents`` only.
    Raises EnrolmentError when that leave is of another change, collection or subject, or names a
    consent that is not the subject's own.
    """
    if (grant.sequence, grant.collection_key) != (change.sequence, collection.key):
        raise EnrolmentError("leave to enrol holds only in the change that it was given in")
    if any(key not in grant.consents for key in subjects):
        raise EnrolmentError("leave to enrol was given for other subjects")
    consents.check_own(change.connection, {key: grant.consents[key] for key in subjects})
    if len(templates) != len(subjects) or (origins is not None and len(origins) != len(subjects)):
        raise EnrolmentError(f"{len(templates)} templates are not of {len(subjects)} subjects")
    stored = templates.astype(STORED, copy=False)
    ids: list[str] = []
    for rows in batches(range(len(subjects)), ROWS):
        values = [
            {
                "id": str(uuid.uuid4()),
                "collection_key": collection.key,
                "subject_key": subjects[row],
                "consent_key": grant.consents[subjects[row]],
                "template": stored[row].tobytes(),
                "template_version": template_version,
                "created": change.now,
                "sequence": change.sequence,
                **_origin(origins[row] if origins else None),
            }
            for row in rows
        ]
        change.connection.execute(insert(schema.faces), values)
        ids += [str(value["id"]) for value in values]
    return ids


def enrolled_pictures(
    connection: Connection, subject_key: int, digests: Sequence[str]
) -> dict[str, str]:
    """Return, by the digest of their picture, the ids of faces that the subject has already."""
    found: dict[str, str] = {}
    for batch in batches(digests, IN_LIST):
        rows = connection.execute(
            select(_FACE.picture_digest, _FACE.id).where(
                _FACE.subject_key == subject_key, _FACE.picture_digest.in_(batch)
            )
        )
        found.update((str(digest), face) for digest, face in rows)
    return found


def of_subject(
    connection: Connection, collection: Pinned, subject_key: int, name: str
) -> tuple[EnrolledFace, ...]:
    """Return the subject's faces, the oldest first."""
    consent = schema.consents.c
    rows = connection.execute(
        select(
            _FACE.id,
            consent.id.label("consent"),
            _FACE.template_version,
            _FACE.box_left,
            _FACE.box_top,
            _FACE.box_right,
            _FACE.box_bottom,
            _FACE.quality,
            _FACE.created,
        )
        .join(schema.consents, consent.key == _FACE.consent_key)
        .where(_FACE.subject_key == subject_key)
        .order_by(_FACE.key)
    )
    return tuple(_face(row, collection, name) for row in rows)


def changed(
    connection: Connection, collection_key: int, dimension: int, since: int
) -> Iterator[Chunk]:
    """Yield the faces of a collection that came after the change numbered ``since``, in chunks.

    Raises StoreUnavailable for a template of another length.
    """
    query = (
        select(_FACE.key, _FACE.subject_key, _FACE.template)
        .where(_FACE.collection_key == collection_key, _FACE.sequence > since)
        .order_by(_FACE.sequence, _FACE.key)
    )
    for rows in driver_rows(connection.execute(query)):
        keys, subjects, templates = zip(*rows, strict=True)
        stored = b"".join(templates)
        if len(stored) != len(rows) * dimension * STORED.itemsize:
            raise StoreUnavailable(DAMAGED)
        matrix = np.frombuffer(stored, dtype=STORED).astype(np.float32, copy=False)
        yield Chunk(
            np.array(keys, np.int64),
            np.array(subjects, np.int64),
            matrix.reshape(len(rows), dimension),
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


def names(connection: Connection, keys: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Return id and subject's name of those faces, by key, that are still there."""
    found: dict[int, tuple[str, str]] = {}
    subject = schema.subjects.c
    for batch in batches(keys, IN_LIST):
        rows = connection.execute(
            select(_FACE.key, _FACE.id, subject.name)
            .join(schema.subjects, subject.key == _FACE.subject_key)
            .where(_FACE.key.in_(batch))
        )
        found.update((key, (face, name)) for key, face, name in rows)
    return found


def _not_of_unit_length(matrix: NDArray[np.float32]) -> NDArray[np.int64]:
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.einsum("ij,ij->i", matrix, matrix)
        return np.flatnonzero(~(np.abs(np.sqrt(squares) - 1) <= _LENGTH_TOLERANCE))  # NaN too


def _origin(origin: Origin | None) -> dict[str, float | str | None]:
    left, top, right, bottom = origin.box if origin else (None,) * 4
    return {
        "quality": origin.quality if origin else None,
        "box_left": left,
        "box_top": top,
        "box_right": right,
        "box_bottom": bottom,
        "picture_digest": origin.digest if origin else None,
    }


def _face(row: Any, collection: Pinned, name: str) -> EnrolledFace:
    face_id, consent, version, left, top, right, bottom, quality, created = row
    return EnrolledFace(
        id=face_id,
        subject=name,
        consent=consent,
        model=collection.model or "",
        template_version=version,
        box=None if left is None else (left, top, right, bottom),
        quality=quality,
        created=moment(created),
    )
