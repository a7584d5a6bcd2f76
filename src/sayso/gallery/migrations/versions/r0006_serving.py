"""What faces and users serve: purposes of their own, rather than all that the subject agreed to.

A face that is there serves the purposes of the consent that it was enrolled on. Those that another
consent of its subject names are added where the recorder could see everybody, as far as can be
told: the actor of no access key that could not. A user is known to those who knew of it before.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_ENROLLED = """
INSERT INTO face_purposes (key, purpose, collection_key, ended, sequence, enrolled)
SELECT f.key, a.purpose, f.collection_key, 0, f.sequence, 1
FROM faces f JOIN consent_purposes a ON a.consent_key = f.consent_key
"""
_EXTENDED = """
INSERT OR IGNORE INTO face_purposes (key, purpose, collection_key, ended, sequence, enrolled)
SELECT f.key, a.purpose, f.collection_key, 0, f.sequence, 0
FROM faces f
JOIN consents c ON c.subject_key = f.subject_key
JOIN consent_purposes a ON a.consent_key = c.key
WHERE a.withdrawn IS NULL AND NOT EXISTS (
    SELECT 1 FROM access_keys k
    WHERE k.actor = c.recorded_by AND k.actions NOT LIKE '%"admin"%'
)
"""
_KNOWN = """
INSERT OR IGNORE INTO user_purposes (key, purpose, collection_key, ended, sequence, created)
SELECT u.key, a.purpose, u.collection_key, 0, 0, max(u.created, min(c.recorded))
FROM users u
JOIN consents c ON c.subject_key = u.subject_key
JOIN consent_purposes a ON a.consent_key = c.key
GROUP BY u.key, a.purpose
"""


def upgrade() -> None:
    for name, owner, own in (
        ("face_purposes", "faces", sa.Column("enrolled", sa.Integer(), nullable=False)),
        ("user_purposes", "users", sa.Column("created", sa.BigInteger(), nullable=False)),
    ):
        op.create_table(
            name,
            sa.Column("key", _KEY, nullable=False),
            sa.Column("purpose", sa.String(64), nullable=False),
            sa.Column("collection_key", _KEY, nullable=False),
            sa.Column("ended", sa.Integer(), nullable=False),
            sa.Column("sequence", sa.BigInteger(), nullable=False),
            own,
            sa.ForeignKeyConstraint(["key"], [f"{owner}.key"], name=f"fk_{name}_key_{owner}"),
            sa.ForeignKeyConstraint(
                ["collection_key"],
                ["collections.key"],
                name=f"fk_{name}_collection_key_collections",
            ),
            sa.PrimaryKeyConstraint("key", "purpose", name=f"pk_{name}"),
        )
        op.create_index(
            f"ix_{name}_collection_key_purpose_sequence",
            name,
            ["collection_key", "purpose", "sequence"],
        )
    for statement in (_ENROLLED, _EXTENDED, _KNOWN):
        op.execute(statement)
