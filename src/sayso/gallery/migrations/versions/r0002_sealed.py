"""Names, evidence and templates are sealed, each under its subject's own key; purposes and rules.

What 0001 kept in the clear is read here and written again sealed, 10,000 rows at a time. The
formats are spelt out, not taken from the gallery's modules: they are those of this revision,
whatever later code writes.

After the migration has been committed, the old rows may still be in the files: in the write-ahead
log, and in free pages of the database where ``secure_delete`` was off. Whoever ran it on a gallery
with subjects must ``VACUUM`` and then truncate the log (``PRAGMA wal_checkpoint(TRUNCATE)``),
neither of which can be done inside the transaction. That it is still to be done is in the database:
its ``user_version`` is 1 until then.

A migration that does not get as far as its commit leaves keys in the keyring, and a gallery at
0001. The next one finds those keys and uses them.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from alembic import op

from sayso.errors import KeyringUnavailable
from sayso.keyring.sealing import DataKey
from sayso.keyring.store import Keyring

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_ROWS = 10_000
_IDLE_DAYS = 1095
_UNSCRUBBED = 1
_MICROSECOND = timedelta(microseconds=1)
_NOTICE = "Before version 0.2 no notice was recorded for this purpose."

# Nothing that stays refers to these, so they can all be renamed, copied and dropped. Parents first.
_REPLACED = ("state", "tombstones", "subjects", "consents", "consent_purposes", "faces")
_NUMBERED = ("subjects", "consents", "faces")
# An index keeps its name when its table is renamed, and the new table's needs that name.
_INDEXES = (
    "ix_consents_subject_key",
    "ix_consent_purposes_collection_key_purpose_sequence",
    "ix_faces_consent_key",
    "ix_faces_collection_key_sequence",
    "ix_tombstones_erased",
)


def upgrade() -> None:
    connection = op.get_bind()
    context = op.get_context()
    attributes = context.config.attributes if context.config is not None else {}
    keyring: Keyring | None = attributes.get("keyring")
    plain = connection.scalar(sa.text("SELECT 1 FROM subjects LIMIT 1")) is not None
    if plain and keyring is None:
        raise KeyringUnavailable(
            "the gallery holds subjects that are not sealed yet, and no keyring was given to seal "
            "them with; open it together with its keyring"
        )
    for index in _INDEXES:
        op.drop_index(index)
    for table in _REPLACED:
        op.rename_table(table, f"{table}_0001")
    _create_state()
    subjects = _create_subjects()
    purposes, notices = _create_purposes()
    consents = _create_consents()
    faces = _create_faces()
    _create_tombstones()
    _create_access()
    _create_audit()

    for table in _NUMBERED:
        _keep_numbering(connection, table)
    _copy_state(connection)
    _copy_tombstones(connection)
    if keyring is not None:
        _seal_subjects(connection, keyring, subjects)
        _seal_consents(connection, keyring, consents)
        _seal_faces(connection, keyring, faces)
    _copy_consent_purposes(connection)
    _declare_purposes(connection, purposes, notices)
    for table in reversed(_REPLACED):
        op.drop_table(f"{table}_0001")
    if plain:
        connection.execute(sa.text(f"PRAGMA user_version = {_UNSCRUBBED}"))


def _create_state() -> None:
    op.create_table(
        "state",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.String(36), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.LargeBinary()),
        sa.CheckConstraint("id = 1", name=op.f("ck_state_single")),
        sa.PrimaryKeyConstraint("id", name="pk_state"),
    )


def _create_subjects() -> sa.Table:
    subjects = op.create_table(
        "subjects",
        sa.Column("key", _KEY, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("collection_key", _KEY, nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("name_digest", sa.LargeBinary(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_subjects"),
        sa.ForeignKeyConstraint(
            ["collection_key"], ["collections.key"], name="fk_subjects_collection_key"
        ),
        sa.UniqueConstraint("id", name="uq_subjects_id"),
        sa.UniqueConstraint(
            "collection_key", "name_digest", name="uq_subjects_collection_key_name_digest"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_subjects_collection_key_created_id", "subjects", ["collection_key", "created", "id"]
    )
    return subjects


def _create_purposes() -> tuple[sa.Table, sa.Table]:
    purposes = op.create_table(
        "purposes",
        sa.Column("key", _KEY, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("collection_key", _KEY, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("notice", sa.Integer(), nullable=False),
        sa.Column("max_days", sa.Integer()),
        sa.Column("idle_days", sa.Integer(), nullable=False),
        sa.Column("by_default", sa.Integer(), nullable=False),
        sa.Column("met", sa.BigInteger()),
        sa.PrimaryKeyConstraint("key", name="pk_purposes"),
        sa.ForeignKeyConstraint(
            ["collection_key"], ["collections.key"], name="fk_purposes_collection_key"
        ),
        sa.UniqueConstraint("id", name="uq_purposes_id"),
        sa.UniqueConstraint("collection_key", "name", name="uq_purposes_collection_key_name"),
        sqlite_autoincrement=True,
    )
    notices = op.create_table(
        "notices",
        sa.Column("purpose_key", _KEY, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("written", sa.BigInteger(), nullable=False),
        sa.Column("written_by", sa.String(255), nullable=False),
        sa.PrimaryKeyConstraint("purpose_key", "version", name="pk_notices"),
        sa.ForeignKeyConstraint(["purpose_key"], ["purposes.key"], name="fk_notices_purpose_key"),
    )
    return purposes, notices


def _create_consents() -> sa.Table:
    consents = op.create_table(
        "consents",
        sa.Column("key", _KEY, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("subject_key", _KEY, nullable=False),
        sa.Column("evidence", sa.LargeBinary(), nullable=False),
        sa.Column("policy_version", sa.String(255)),
        sa.Column("given", sa.BigInteger(), nullable=False),
        sa.Column("valid_from", sa.BigInteger(), nullable=False),
        sa.Column("valid_until", sa.BigInteger()),
        sa.Column("recorded", sa.BigInteger(), nullable=False),
        sa.Column("recorded_by", sa.String(255), nullable=False),
        sa.Column("last_interaction", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("valid_until > valid_from", name=op.f("ck_consents_window")),
        sa.PrimaryKeyConstraint("key", name="pk_consents"),
        sa.ForeignKeyConstraint(["subject_key"], ["subjects.key"], name="fk_consents_subject_key"),
        sa.UniqueConstraint("id", name="uq_consents_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_consents_subject_key", "consents", ["subject_key"])
    op.create_table(
        "consent_purposes",
        sa.Column("consent_key", _KEY, nullable=False),
        sa.Column("purpose", sa.String(64), nullable=False),
        sa.Column("collection_key", _KEY, nullable=False),
        sa.Column("notice", sa.Integer(), nullable=False),
        sa.Column("latest", sa.BigInteger()),
        sa.Column("idle", sa.BigInteger(), nullable=False),
        sa.Column("ends", sa.BigInteger(), nullable=False),
        sa.Column("withdrawn", sa.BigInteger()),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("consent_key", "purpose", name="pk_consent_purposes"),
        sa.ForeignKeyConstraint(
            ["consent_key"], ["consents.key"], name="fk_consent_purposes_consent_key"
        ),
        sa.ForeignKeyConstraint(
            ["collection_key"], ["collections.key"], name="fk_consent_purposes_collection_key"
        ),
    )
    op.create_index(
        "ix_consent_purposes_collection_key_purpose_sequence",
        "consent_purposes",
        ["collection_key", "purpose", "sequence"],
    )
    op.create_index("ix_consent_purposes_ends", "consent_purposes", ["ends"])
    return consents


def _create_faces() -> sa.Table:
    faces = op.create_table(
        "faces",
        sa.Column("key", _KEY, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("collection_key", _KEY, nullable=False),
        sa.Column("subject_key", _KEY, nullable=False),
        sa.Column("consent_key", _KEY, nullable=False),
        sa.Column("template", sa.LargeBinary(), nullable=False),
        sa.Column("template_version", sa.String(255), nullable=False),
        sa.Column("quality", sa.Float()),
        sa.Column("box_left", sa.Float()),
        sa.Column("box_top", sa.Float()),
        sa.Column("box_right", sa.Float()),
        sa.Column("box_bottom", sa.Float()),
        sa.Column("picture_digest", sa.LargeBinary()),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_faces"),
        sa.ForeignKeyConstraint(
            ["collection_key"], ["collections.key"], name="fk_faces_collection_key"
        ),
        sa.ForeignKeyConstraint(["subject_key"], ["subjects.key"], name="fk_faces_subject_key"),
        sa.ForeignKeyConstraint(["consent_key"], ["consents.key"], name="fk_faces_consent_key"),
        sa.UniqueConstraint("id", name="uq_faces_id"),
        sa.UniqueConstraint(
            "subject_key", "picture_digest", name="uq_faces_subject_key_picture_digest"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_faces_consent_key", "faces", ["consent_key"])
    op.create_index("ix_faces_collection_key_sequence", "faces", ["collection_key", "sequence"])
    return faces


def _create_tombstones() -> None:
    op.create_table(
        "tombstones",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("collection", sa.String(255), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("erased", sa.BigInteger(), nullable=False),
        sa.Column("faces", sa.Integer(), nullable=False),
        sa.Column("consents", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tombstones"),
    )
    op.create_index("ix_tombstones_erased", "tombstones", ["erased"])
    op.create_index(
        "ix_tombstones_collection_created_id", "tombstones", ["collection", "created", "id"]
    )
    op.create_table(
        "pending_endings",
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("id", sa.String(255), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "id", name="pk_pending_endings"),
    )


def _create_access() -> None:
    op.create_table(
        "access_keys",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("purpose", sa.String(64), nullable=False),
        sa.Column("actions", sa.Text(), nullable=False),
        sa.Column("collections", sa.Text()),
        sa.Column("attestation", sa.LargeBinary()),
        sa.Column("secret", sa.LargeBinary()),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(255), nullable=False),
        sa.Column("expires", sa.BigInteger()),
        sa.Column("revoked", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_access_keys"),
    )


def _create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("collection", sa.String(255)),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_audit"),
    )
    op.create_index("ix_audit_collection_number", "audit", ["collection", "number"])
    op.create_table(
        "audit_subjects",
        sa.Column("subject", sa.String(36), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject", "number", name="pk_audit_subjects"),
        sa.ForeignKeyConstraint(["number"], ["audit.number"], name="fk_audit_subjects_number"),
    )
    op.create_index("ix_audit_subjects_number", "audit_subjects", ["number"])


def _keep_numbering(connection: sa.Connection, table: str) -> None:
    """Go on after the last key that was ever given, also where its row is long gone."""
    connection.execute(
        sa.text(
            "INSERT INTO sqlite_sequence (name, seq) "
            "SELECT :new, seq FROM sqlite_sequence WHERE name = :old"
        ),
        {"new": table, "old": f"{table}_0001"},
    )


def _copy_state(connection: sa.Connection) -> None:
    connection.execute(
        sa.text(
            "INSERT INTO state (id, sequence, created, epoch, events) "
            "SELECT id, sequence, created, :epoch, 0 FROM state_0001"
        ),
        {"epoch": str(uuid.uuid4())},
    )


def _copy_tombstones(connection: sa.Connection) -> None:
    connection.execute(
        sa.text(
            "INSERT INTO tombstones (id, collection, created, erased, faces, consents, reason) "
            "SELECT id, collection, created, erased, faces, consents, 'asked' FROM tombstones_0001"
        )
    )


def _batches(connection: sa.Connection, statement: str) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of a statement with the parameters ``last`` (a ``key``) and ``limit``."""
    last = -1
    while True:
        found = connection.execute(sa.text(statement), {"last": last, "limit": _ROWS}).mappings()
        rows = [dict(row) for row in found]
        if not rows:
            return
        yield rows
        last = rows[-1]["key"]


def _seal_subjects(connection: sa.Connection, keyring: Keyring, subjects: sa.Table) -> None:
    digests = keyring.digests()
    for rows in _batches(
        connection,
        "SELECT s.*, c.name AS collection FROM subjects_0001 s "
        "JOIN collections c ON c.key = s.collection_key "
        "WHERE s.key > :last ORDER BY s.key LIMIT :limit",
    ):
        keys = keyring.make([row["id"] for row in rows])
        for row in rows:
            name, collection = row["name"].encode(), row.pop("collection").encode()
            row["name"] = keys[row["id"]].seal(name, b"name")
            row["name_digest"] = digests.digest(b"subject\0" + collection + b"\0" + name)
        connection.execute(subjects.insert(), rows)


def _seal_consents(connection: sa.Connection, keyring: Keyring, consents: sa.Table) -> None:
    for rows in _batches(
        connection,
        "SELECT c.*, s.id AS subject FROM consents_0001 c "
        "JOIN subjects_0001 s ON s.key = c.subject_key "
        "WHERE c.key > :last ORDER BY c.key LIMIT :limit",
    ):
        keys = keyring.find({row["subject"] for row in rows})
        for row in rows:
            row["evidence"] = _sealed_evidence(keys[row.pop("subject")], row)
            # Nobody recorded one since, however much later the consent was put on record.
            row["last_interaction"] = row["given"]
        connection.execute(consents.insert(), rows)


def _sealed_evidence(key: DataKey, row: dict[str, Any]) -> bytes:
    text, file, sha256 = (
        row.pop(column) for column in ("evidence", "evidence_file", "evidence_sha256")
    )
    document = {"text": text} if file is None else {"file": file, "sha256": sha256}
    plain = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return key.seal(plain.encode(), b"evidence")


def _seal_faces(connection: sa.Connection, keyring: Keyring, faces: sa.Table) -> None:
    for rows in _batches(
        connection,
        "SELECT f.*, s.id AS subject FROM faces_0001 f "
        "JOIN subjects_0001 s ON s.key = f.subject_key "
        "WHERE f.key > :last ORDER BY f.key LIMIT :limit",
    ):
        keys = keyring.find({row["subject"] for row in rows})
        for row in rows:
            key, sha256 = keys[row.pop("subject")], row["picture_digest"]
            row["template"] = key.seal(row["template"], b"template")
            if sha256 is not None:
                row["picture_digest"] = key.digest(b"picture\0" + bytes.fromhex(sha256))
        connection.execute(faces.insert(), rows)


def _copy_consent_purposes(connection: sa.Connection) -> None:
    connection.execute(
        sa.text(
            "INSERT INTO consent_purposes (consent_key, purpose, collection_key, notice, latest, "
            "idle, ends, withdrawn, sequence) "
            "SELECT p.consent_key, p.purpose, p.collection_key, 1, c.valid_until, :idle, "
            "min(coalesce(c.valid_until, c.last_interaction + :idle), c.last_interaction + :idle), "
            "p.withdrawn, p.sequence "
            "FROM consent_purposes_0001 p JOIN consents c ON c.key = p.consent_key"
        ),
        {"idle": timedelta(days=_IDLE_DAYS) // _MICROSECOND},
    )


def _declare_purposes(connection: sa.Connection, purposes: sa.Table, notices: sa.Table) -> None:
    """Declare what consents were given for, with a notice that says that there was none."""
    written = (datetime.now(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // _MICROSECOND
    met = connection.execute(
        sa.text(
            "SELECT DISTINCT collection_key, purpose FROM consent_purposes "
            "ORDER BY collection_key, purpose"
        )
    ).all()
    for collection, purpose in met:
        declared = connection.execute(
            purposes.insert()
            .values(
                id=str(uuid.uuid4()),
                collection_key=collection,
                name=purpose,
                notice=1,
                idle_days=_IDLE_DAYS,
                by_default=1,
            )
            .returning(purposes.c.key)
        ).scalar_one()
        connection.execute(
            notices.insert().values(
                purpose_key=declared,
                version=1,
                text=_NOTICE,
                written=written,
                written_by="migration",
            )
        )
