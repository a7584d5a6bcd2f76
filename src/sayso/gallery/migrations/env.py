"""Alembic runs this file; the connection comes from ``sayso.gallery.migrations.upgrade``."""

from __future__ import annotations

from alembic import context

from sayso.gallery.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite can roll DDL back; Alembic assumes that it cannot, for drivers that commit before DDL.
    transactional_ddl=True,
)
context.run_migrations()
