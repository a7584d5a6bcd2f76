"""How many false matches a collection lets its searches expect."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "collections",
        sa.Column("max_expected_false_matches", sa.Float(), nullable=False, server_default="0.01"),
    )
    op.add_column(
        "collections",
        sa.Column("false_matches_per", sa.String(16), nullable=False, server_default="picture"),
    )
