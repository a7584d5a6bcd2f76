"""The tables of the keyring. Every key in them is wrapped by the master key."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

#: ``PRAGMA user_version`` of a keyring of this form.
VERSION = 1

metadata = MetaData()

#: One row: which master key wraps the keys.
master = Table(
    "master",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1"), primary_key=True),
    Column("fingerprint", String(16), nullable=False),
)

#: The data keys of the subjects, by the 16 bytes of the subject's UUID.
data_keys = Table(
    "data_keys",
    metadata,
    Column("subject", LargeBinary(16), primary_key=True),
    Column("wrapped", LargeBinary(60), nullable=False),
    sqlite_with_rowid=False,
)

#: The gallery's own keys.
system_keys = Table(
    "system_keys",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("wrapped", LargeBinary(60), nullable=False),
)

#: What ended for good, and when (microseconds since 1970, UTC), so that no backup brings it back.
endings = Table(
    "endings",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("id", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
