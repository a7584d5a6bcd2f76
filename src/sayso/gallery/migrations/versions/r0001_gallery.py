"""Collections, subjects, consents, faces, and what their removal leaves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "state",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_state_single")),
        sa.PrimaryKeyConstraint("id", name="pk_state"),
    )
    op.create_table(
        "collections",
        sa.Column("key", _KEY, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("model", sa.String(255)),
        sa.Column("template_version", sa.String(255)),
        sa.Column("dimension", sa.Integer()),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_collections"),
        sa.UniqueConstraint("name", name="uq_collections_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "subjects",
        sa.Column("key", _KEY, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("collection_key", _KEY, nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_subjects"),
        sa.ForeignKeyConstraint(
            ["collection_key"], ["collections.key"], name="fk_subjects_collection_key"
        ),
        sa.UniqueConstraint("id", name="uq_subjects_id"),
        sa.UniqueConstraint("collection_key", "name", name="uq_subjects_collection_key_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "consents",
        sa.Column("key", _KEY, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("subject_key", _KEY, nullable=False),
        sa.Column("evidence", sa.Text()),
        sa.Column("evidence_file", sa.String(255)),
        sa.Column("evidence_sha256", sa.String(64)),
        sa.Column("policy_version", sa.String(255)),
        sa.Column("given", sa.BigInteger(), nullable=False),
        sa.Column("valid_from", sa.BigInteger(), nullable=False),
        sa.Column("valid_until", sa.BigInteger()),
        sa.Column("recorded", sa.BigInteger(), nullable=False),
        sa.Column("recorded_by", sa.String(255), nullable=False),
        sa.CheckConstraint(
            "(evidence IS NULL) <> (evidence_file IS NULL)", name=op.f("ck_consents_evidence")
        ),
        sa.CheckConstraint(
            "(evidence_file IS NULL) = (evidence_sha256 IS NULL)",
            name=op.f("ck_consents_evidence_file"),
        ),
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
    op.create_table(
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
        sa.Column("picture_digest", sa.String(64)),
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
    op.create_table(
        "removals",
        sa.Column("face_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("collection_key", _KEY, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("face_key", name="pk_removals"),
        sa.ForeignKeyConstraint(
            ["collection_key"], ["collections.key"], name="fk_removals_collection_key"
        ),
    )
    op.create_index(
        "ix_removals_collection_key_sequence", "removals", ["collection_key", "sequence"]
    )
    op.create_table(
        "tombstones",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("collection", sa.String(255), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("erased", sa.BigInteger(), nullable=False),
        sa.Column("faces", sa.Integer(), nullable=False),
        sa.Column("consents", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tombstones"),
    )
    op.create_index("ix_tombstones_erased", "tombstones", ["erased"])
