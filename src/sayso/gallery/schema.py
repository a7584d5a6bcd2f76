"""The tables of the gallery, in SQLAlchemy Core, for SQLite now and PostgreSQL later.

- A ``key`` is an integer for joins inside the store; an ``id`` is a random UUID that may be shown.
  Keys are never given twice, also not after a deletion, since caches in other processes refer to
  rows by them.
- Times are microseconds since 1970, UTC (see ``times``).
- ``sequence`` is the change that wrote a row. Every write transaction takes the next number from
  ``state`` and keeps that row locked until it commits, so numbers become visible in their order:
  whoever has read up to n needs only what is above n.

- What is sealed is AES-256-GCM under the data key of a subject, which lies in the keyring and not
  here: when that key is destroyed nobody can read it, in this file or in any old copy of it. So
  are the digests of a subject's pictures; only the digest of a name is under a key for all.

A change here needs a migration and a new REVISION; a test compares the two.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

#: The migration that this code needs the store to be at.
REVISION = "0006"

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_Key = BigInteger().with_variant(Integer, "sqlite")  # only INTEGER numbers rows by itself there


def _key() -> Column[int]:
    return Column("key", _Key, primary_key=True, autoincrement=True)


def _id() -> Column[str]:
    return Column("id", String(36), nullable=False, unique=True)


state = Table(
    "state",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("created", BigInteger, nullable=False),
    # Another one after a backup was restored: whatever was cached before is of another gallery.
    Column("epoch", String(36), nullable=False),
    # The audit log's end: how many entries, and the hash of the last.
    Column("events", BigInteger, nullable=False),
    Column("head", LargeBinary),
    CheckConstraint("id = 1", name="single"),
)

collections = Table(
    "collections",
    metadata,
    _key(),
    Column("name", String(255), nullable=False, unique=True),
    # What the first enrolment decided, and every later one must equal.
    Column("model", String(255)),
    Column("template_version", String(255)),
    Column("dimension", Integer),
    Column("created", BigInteger, nullable=False),
    # How many false matches may be expected of a search, and over what.
    Column("max_expected_false_matches", Float, nullable=False, server_default="0.01"),
    Column("false_matches_per", String(16), nullable=False, server_default="picture"),
    sqlite_autoincrement=True,
)

subjects = Table(
    "subjects",
    metadata,
    _key(),
    _id(),
    Column("collection_key", ForeignKey(collections.c.key), nullable=False),
    Column("name", LargeBinary, nullable=False),  # sealed
    Column("name_digest", LargeBinary, nullable=False),  # to find the name by; HMAC-SHA256
    Column("created", BigInteger, nullable=False),
    UniqueConstraint("collection_key", "name_digest"),
    Index(None, "collection_key", "created", "id"),
    sqlite_autoincrement=True,
)

#: What a collection is for: one row for each purpose that was declared.
purposes = Table(
    "purposes",
    metadata,
    _key(),
    _id(),
    Column("collection_key", ForeignKey(collections.c.key), nullable=False),
    Column("name", String(64), nullable=False),
    Column("notice", Integer, nullable=False),  # the version in force
    Column("max_days", Integer),
    Column("idle_days", Integer, nullable=False),
    Column("by_default", Integer, nullable=False),  # 1 where the first consent declared it
    Column("met", BigInteger),
    UniqueConstraint("collection_key", "name"),
    sqlite_autoincrement=True,
)

#: What people are told, in every version that anybody may have agreed to.
notices = Table(
    "notices",
    metadata,
    Column("purpose_key", ForeignKey(purposes.c.key), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("text", Text, nullable=False),
    Column("written", BigInteger, nullable=False),
    Column("written_by", String(255), nullable=False),
)

consents = Table(
    "consents",
    metadata,
    _key(),
    _id(),
    Column("subject_key", ForeignKey(subjects.c.key), nullable=False, index=True),
    # A text, or the name and sha256 of a document that the operator keeps; JSON, sealed.
    Column("evidence", LargeBinary, nullable=False),
    Column("policy_version", String(255)),
    Column("given", BigInteger, nullable=False),
    Column("valid_from", BigInteger, nullable=False),
    Column("valid_until", BigInteger),
    Column("recorded", BigInteger, nullable=False),
    Column("recorded_by", String(255), nullable=False),
    Column("last_interaction", BigInteger, nullable=False),
    CheckConstraint("valid_until > valid_from", name="window"),
    sqlite_autoincrement=True,
)

consent_purposes = Table(
    "consent_purposes",
    metadata,
    Column("consent_key", ForeignKey(consents.c.key), primary_key=True),
    Column("purpose", String(64), primary_key=True),
    # The subject's collection again, so that a cache finds what changed in its own without a scan.
    Column("collection_key", ForeignKey(collections.c.key), nullable=False),
    # The version of the notice that was agreed to, and the strictest rule since: ``latest`` bounds
    # ``ends`` whatever happens, ``idle`` (microseconds) counts from the last interaction.
    Column("notice", Integer, nullable=False),
    Column("latest", BigInteger),
    Column("idle", BigInteger, nullable=False),
    Column("ends", BigInteger, nullable=False),
    Column("withdrawn", BigInteger),
    Column("sequence", BigInteger, nullable=False),
    Index(None, "collection_key", "purpose", "sequence"),
    Index(None, "ends"),
)

faces = Table(
    "faces",
    metadata,
    _key(),
    _id(),
    Column("collection_key", ForeignKey(collections.c.key), nullable=False),
    Column("subject_key", ForeignKey(subjects.c.key), nullable=False),
    # No face without a consent: not even the database would take one.
    Column("consent_key", ForeignKey(consents.c.key), nullable=False, index=True),
    # Unit length, float32, little-endian; sealed.
    Column("template", LargeBinary, nullable=False),
    Column("template_version", String(255), nullable=False),
    Column("quality", Float),  # overall, 0 to 100
    Column("box_left", Float),
    Column("box_top", Float),
    Column("box_right", Float),
    Column("box_bottom", Float),
    # HMAC of the file under the subject's key; none for an imported template.
    Column("picture_digest", LargeBinary),
    Column("created", BigInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    # The picture that it came from: a random id, and its size in pixels.
    Column("picture_id", String(36)),
    Column("picture_width", Integer),
    Column("picture_height", Integer),
    Column("score", Float),  # of the detection, 0 to 1
    # The user that it is associated with, and the change that last said so.
    Column("user_key", ForeignKey("users.key")),
    Column("linked", BigInteger),
    UniqueConstraint("subject_key", "picture_digest"),
    Index(None, "collection_key", "sequence"),
    Index(None, "collection_key", "linked"),
    Index(None, "user_key"),
    sqlite_autoincrement=True,
)

#: Subjects to be searched for by several faces at once. The fused templates are not kept: the
#: index makes them of the faces that are associated, so that nothing of an erased face is in one.
users = Table(
    "users",
    metadata,
    _key(),
    Column("collection_key", ForeignKey(collections.c.key), nullable=False, index=True),
    Column("subject_key", ForeignKey(subjects.c.key), nullable=False, unique=True),
    Column("created", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)


def _serving(name: str, owner: Table, *more: Column[Any]) -> Table:
    """Return a table of what each row of another serves: one row for each purpose."""
    return Table(
        name,
        metadata,
        Column("key", ForeignKey(owner.c.key), primary_key=True),
        Column("purpose", String(64), primary_key=True),
        Column("collection_key", ForeignKey(collections.c.key), nullable=False),
        # 1 once it no longer serves the purpose; the row stays for the caches of other processes.
        Column("ended", Integer, nullable=False),
        Column("sequence", BigInteger, nullable=False),
        *more,
        Index(None, "collection_key", "purpose", "sequence"),
    )


#: The purposes that a face serves: while consent to them is live, and for no other. ``enrolled`` is
#: 1 for those that it was enrolled for, which alone keep it.
face_purposes = _serving("face_purposes", faces, Column("enrolled", Integer, nullable=False))

#: The purposes for which a user is known, and since when.
user_purposes = _serving("user_purposes", users, Column("created", BigInteger, nullable=False))

#: What the operator notes of a collection; never of a person.
tags = Table(
    "tags",
    metadata,
    Column("collection_key", ForeignKey(collections.c.key), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("value", String(256), nullable=False),
)

#: What was answered to requests that may be sent again, by a digest of their token; sealed.
answers = Table(
    "answers",
    metadata,
    Column("token", LargeBinary, primary_key=True),
    Column("request", LargeBinary, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("collection", String(255), index=True),
    Column("given", BigInteger, nullable=False, index=True),
)

#: Faces that are gone, for the caches of other processes.
removals = Table(
    "removals",
    metadata,
    Column("face_key", BigInteger, primary_key=True, autoincrement=False),
    Column("collection_key", ForeignKey(collections.c.key), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Index(None, "collection_key", "sequence"),
)

#: What is left of the erased: no name, no biometrics.
tombstones = Table(
    "tombstones",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("collection", String(255), nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("erased", BigInteger, nullable=False, index=True),
    Column("faces", Integer, nullable=False),
    Column("consents", Integer, nullable=False),
    Column("reason", String(16), nullable=False),
    Index(None, "collection", "created", "id"),
)

#: What ended here and is still to be told to the keyring, which ends it for every backup.
pending_endings = Table(
    "pending_endings",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("id", String(255), primary_key=True),
    Column("at", BigInteger, nullable=False),
)

access_keys = Table(
    "access_keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("actor", String(255), nullable=False),
    Column("purpose", String(64), nullable=False),
    Column("actions", Text, nullable=False),  # JSON array of names
    Column("collections", Text),  # JSON array of names; every one where there is none
    # Both sealed under the keyring's key for secrets; there is no secret when it is revoked.
    Column("attestation", LargeBinary),
    Column("secret", LargeBinary),
    Column("created", BigInteger, nullable=False),
    Column("created_by", String(255), nullable=False),
    Column("expires", BigInteger),
    Column("revoked", BigInteger),
)

#: The audit log. The ``body`` is what counts, and what is hashed and signed; the other columns
#: repeat parts of it to look for.
audit = Table(
    "audit",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("time", BigInteger, nullable=False),
    Column("kind", String(64), nullable=False),
    Column("actor", String(255), nullable=False),
    Column("collection", String(255)),
    Column("body", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Index(None, "collection", "number"),
)

#: Which entries are about which subjects, by id.
audit_subjects = Table(
    "audit_subjects",
    metadata,
    Column("subject", String(36), primary_key=True),
    Column("number", ForeignKey(audit.c.number), primary_key=True),
    Index(None, "number"),
)
