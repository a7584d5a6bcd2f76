"""Users, tags of collections, where a face came from, and answers to requests that come again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_COLUMNS = (
    ("picture_id", sa.String(36)),
    ("picture_width", sa.Integer()),
    ("picture_height", sa.Integer()),
    ("score", sa.Float()),
    ("linked", sa.BigInteger()),
)


def upgrade() -> None:
    _create_users()
    for name, kind in _COLUMNS:
        op.add_column("faces", sa.Column(name, kind))
    # Alembic adds no column that refers to another table on SQLite, which can.
    op.execute(
        "ALTER TABLE faces ADD COLUMN user_key INTEGER "
        "CONSTRAINT fk_faces_user_key_users REFERENCES users (key)"
    )
    op.create_index("ix_faces_collection_key_linked", "faces", ["collection_key", "linked"])
    op.create_index("ix_faces_user_key", "faces", ["user_key"])
    op.create_table(
        "tags",
        sa.Column("collection_key", _KEY, nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("value", sa.String(256), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_key"], ["collections.key"], name="fk_tags_collection_key_collections"
        ),
        sa.PrimaryKeyConstraint("collection_key", "name", name="pk_tags"),
    )
    op.create_table(
        "answers",
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("request", sa.LargeBinary(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("collection", sa.String(255)),
        sa.Column("given", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token", name="pk_answers"),
    )
    op.create_index("ix_answers_collection", "answers", ["collection"])
    op.create_index("ix_answers_given", "answers", ["given"])


def _create_users() -> None:
    op.create_table(
        "users",
        sa.Column("key", _KEY, nullable=False, autoincrement=True),
        sa.Column("collection_key", _KEY, nullable=False),
        sa.Column("subject_key", _KEY, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_key"], ["collections.key"], name="fk_users_collection_key_collections"
        ),
        sa.ForeignKeyConstraint(
            ["subject_key"], ["subjects.key"], name="fk_users_subject_key_subjects"
        ),
        sa.PrimaryKeyConstraint("key", name="pk_users"),
        sa.UniqueConstraint("subject_key", name="uq_users_subject_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_users_collection_key", "users", ["collection_key"])
