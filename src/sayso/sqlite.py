"""SQLite as every database here is opened: durable, and without residue of what was deleted.

The write-ahead log is synced before a commit returns (``synchronous=FULL``), deleted content is
overwritten (``secure_delete``), and transactions begin when they are told to.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

_WAL_LIMIT = 64 << 20  # bytes of write-ahead log that stay on the disk after a larger change
_SCRUB_TIMEOUT_MS = 1000
#: Of a connection, in KiB. Ids are random, so an import of many touches the whole of each index.
_CACHE_KIB = 64 << 10

#: Give this to ``Connection.execution_options`` before a transaction that writes.
WRITING = {"sayso_begin": "BEGIN IMMEDIATE"}


def sqlite_engine(path: Path, timeout: float) -> Engine:
    """Return an engine for a database file that is there.

    Writers wait ``timeout`` seconds for each other. Connections may move between threads. A
    transaction begins with ``BEGIN``, or as the execution option ``sayso_begin`` says (see
    ``WRITING``).
    """
    # Without "rwc": where a database was moved away, none may be made in its place.
    address = f"{path.absolute().as_uri()}?mode=rw"
    engine = create_engine(
        URL.create("sqlite", database=str(path)),  # for the pool that files are given
        creator=lambda: sqlite3.connect(
            address, uri=True, timeout=timeout, check_same_thread=False
        ),
        hide_parameters=True,  # a message never shows a template or a key
        max_overflow=-1,
    )

    @event.listens_for(engine, "connect")
    def connected(connection: sqlite3.Connection, _record: Any) -> None:
        # The driver must not begin transactions by itself; see "begun".
        connection.isolation_level = None
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA journal_size_limit={_WAL_LIMIT}")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute(f"PRAGMA cache_size={-_CACHE_KIB}")
        connection.execute("PRAGMA secure_delete=ON")

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        statement = connection.get_execution_options().get("sayso_begin", "BEGIN")
        connection.exec_driver_sql(statement)

    return engine


#: What to say of a disk that is full.
FULL = (
    "the disk is full; free some room. People can still be erased, and consents withdrawn: room is "
    "kept for that"
)


def is_full(message: str) -> bool:
    """Return whether an error of SQLite's is that there is no room left."""
    return "is full" in message


def raw_connection(connection: Connection) -> sqlite3.Connection:
    """Return the driver's connection under one of SQLAlchemy's."""
    raw = connection.connection.dbapi_connection
    if not isinstance(raw, sqlite3.Connection):
        raise TypeError(f"{type(raw).__name__} is no connection of SQLite's")
    return raw


def truncate_log(connection: Connection, busy_timeout: float) -> bool:
    """Move the write-ahead log into the database and empty it, after an erasure.

    Returns False when a reader's view still needed the log: nothing is lost, and the next time
    empties it. ``busy_timeout`` is the connection's own, in seconds, set again afterwards.
    """
    raw = raw_connection(connection)
    raw.execute(f"PRAGMA busy_timeout={_SCRUB_TIMEOUT_MS}")
    try:
        busy, _, _ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        raw.execute(f"PRAGMA busy_timeout={int(busy_timeout * 1000)}")
    return not busy
