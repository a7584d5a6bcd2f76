"""The tables of the gallery, in SQLAlchemy Core, for SQLite now and PostgreSQL later.

- A ``key`` is an integer for joins inside the store; an ``id`` is a random UUID that may be shown.
  Keys are never given twice, also not after a deletion, since caches in other processes refer to
  rows by them.
- Times are microseconds since 1970, UTC (see ``times``).
- ``sequence`` is the change that wrote a row. Every write transaction takes the next number from
  ``state`` and keeps that row locked until it commits, so numbers become visible in their order:
  whoever has read up to n needs only what is above n.

A change here needs a migration and a new REVISION; a test compares the two.
"""

from __future__ import annotations

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
REVISION = "0001"

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
    sqlite_autoincrement=True,
)

subjects = Table(
    "subjects",
    metadata,
    _key(),
    _id(),
    Column("collection_key", ForeignKey(collections.c.key), nullable=False),
    Column("name", String(255), nullable=False),
    Column("created", BigInteger, nullable=False),
    UniqueConstraint("collection_key", "name"),
    sqlite_autoincrement=True,
)

consents = Table(
    "consents",
    metadata,
    _key(),
    _id(),
    Column("subject_key", ForeignKey(subjects.c.key), nullable=False, index=True),
    # Either a text, or the name and sha256 of a document that the operator keeps.
    Column("evidence", Text),
    Column("evidence_file", String(255)),
    Column("evidence_sha256", String(64)),
    Column("policy_version", String(255)),
    Column("given", BigInteger, nullable=False),
    Column("valid_from", BigInteger, nullable=False),
    Column("valid_until", BigInteger),
    Column("recorded", BigInteger, nullable=False),
    Column("recorded_by", String(255), nullable=False),
    CheckConstraint("(evidence IS NULL) <> (evidence_file IS NULL)", name="evidence"),
    CheckConstraint("(evidence_file IS NULL) = (evidence_sha256 IS NULL)", name="evidence_file"),
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
    Column("withdrawn", BigInteger),
    Column("sequence", BigInteger, nullable=False),
    Index(None, "collection_key", "purpose", "sequence"),
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
    Column("template", LargeBinary, nullable=False),  # unit length, float32, little-endian
    Column("template_version", String(255), nullable=False),
    Column("quality", Float),  # overall, 0 to 100
    Column("box_left", Float),
    Column("box_top", Float),
    Column("box_right", Float),
    Column("box_bottom", Float),
    Column("picture_digest", String(64)),  # sha256 of the file; none for an imported template
    Column("created", BigInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    UniqueConstraint("subject_key", "picture_digest"),
    Index(None, "collection_key", "sequence"),
    sqlite_autoincrement=True,
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
)
