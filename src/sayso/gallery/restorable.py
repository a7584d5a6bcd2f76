"""A backup as a restoration reads it: one private copy, whose seal is checked, and nothing else.

How a backup is made, and what the seal is, is in ``backup``.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, Engine, Insert, Table, create_engine, event, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from sayso.errors import BackupError
from sayso.gallery import schema
from sayso.gallery.batches import ROWS
from sayso.sqlite import raw_connection

#: What comes after a backup's last page; an Ed25519 signature follows.
SEAL = b"sayso backup 1\n"
_SIGNATURE = 64
_MAGIC = b"SQLite format 3\x00"
_CHUNK = 1 << 20
#: How the names begin of copies that are made of a backup while it is restored.
COPYING = ".restoring-copy-"


#: A row as SQLite has it.
Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """A backup that is read, and what its seal is to be held against.

    ``digest`` is the SHA-256 of all bytes before the seal, and ``signature`` is the seal's own.
    """

    connection: Connection
    digest: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Source:
    """A backup that was opened and found to be whole, and the end of its audit log.

    ``time`` is when that entry was written, in microseconds since 1970; ``path`` is as the user
    gave it.
    """

    connection: Connection
    path: Path
    events: int
    head: bytes
    time: int


@contextlib.contextmanager
def opened(path: Path, within: Path | None = None) -> Iterator[Opened]:
    """Give a connection to a private copy of a backup, which nobody else can change or exchange.

    The file is opened once. What its seal is checked against, and what is read, are the bytes of
    the copy: a file that is exchanged or written to meanwhile changes neither. The copy lies in
    the folder ``within``, unless given the system's for temporary files, and has no name any more
    once this is entered.

    Raises BackupError for a file that is no whole backup of a gallery of this form. Whether it is
    the backup that was written, only ``check_seal`` tells.
    """
    shown = repr(str(path))
    with _private_copy(path, shown, within) as copy:
        with copy.open("rb") as file:
            digest, signature = _digest(file)
        # Nobody writes to it: SQLite needs no lock, and looks for no log beside it.
        address = f"{copy.absolute().as_uri()}?mode=ro&immutable=1"
        engine = create_engine(
            "sqlite://",
            creator=lambda: sqlite3.connect(address, uri=True, check_same_thread=False),
            poolclass=NullPool,
            hide_parameters=True,
        )
        _prepare(engine)
        try:
            with contextlib.ExitStack() as stack:
                with reading(path):
                    connection = stack.enter_context(engine.connect())
                    _check_database(connection, shown)
                copy.unlink()
                yield Opened(connection, digest, signature)
        finally:
            engine.dispose()


@contextlib.contextmanager
def _private_copy(path: Path, shown: str, within: Path | None) -> Iterator[Path]:
    """Give a copy of a backup in a file for its owner alone; it is removed unless that was done."""
    copy = _copied(path, shown, within)
    try:
        yield copy
    finally:
        copy.unlink(missing_ok=True)


def _copied(path: Path, shown: str, within: Path | None) -> Path:
    try:
        # A pipe would be waited for without end.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise BackupError(f"the backup {shown} cannot be read: it is no file")
            _check_form(file, shown)  # before much is copied for nothing
            file.seek(0)
            descriptor, copy = _new_file(within)
            try:
                with open(descriptor, "w+b") as new:  # noqa: PTH123 - it is open already
                    _copy_to(new, file, shown)
                    _check_form(new, shown)
            except BaseException:
                copy.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise BackupError(
            f"the backup {shown} cannot be read: {error.strerror or 'it has no place'}"
        ) from error
    return copy


def _new_file(within: Path | None) -> tuple[int, Path]:
    try:
        descriptor, name = tempfile.mkstemp(prefix=COPYING, dir=within)
    except OSError as error:
        raise BackupError(
            "a private copy of the backup cannot be made in the folder for the gallery: "
            f"{error.strerror or error}"
        ) from error
    return descriptor, Path(name)


def _copy_to(new: BinaryIO, file: BinaryIO, shown: str) -> None:
    try:
        shutil.copyfileobj(file, new, _CHUNK)
        new.flush()
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise BackupError(
            f"the backup {shown} cannot be restored: there is no room for a copy of it, which is "
            "made before it is checked; free as much as the file is large"
        ) from error


def _prepare(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def connected(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA query_only=ON")
        connection.execute("PRAGMA trusted_schema=OFF")

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Say of what goes wrong with a database meanwhile that it is the backup's fault."""
    try:
        yield
    except (sqlite3.Error, SQLAlchemyError, UnicodeDecodeError) as error:
        raise damaged(path) from error


def damaged(path: Path) -> BackupError:
    """Return the error for a backup that is not what was written."""
    return BackupError(
        f"the backup {str(path)!r} is damaged or was edited: nothing was restored; take another one"
    )


def check_seal(backup: Opened, path: Path, public_key: bytes) -> None:
    """Raise BackupError unless the backup is, byte for byte, what the gallery of that key wrote.

    ``public_key`` is the audit log's, 32 bytes; ``path`` is the backup as the user named it.
    """
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(
            backup.signature, SEAL + backup.digest
        )
    except InvalidSignature:
        raise damaged(path) from None


def _check_form(file: BinaryIO, shown: str) -> None:
    """Raise BackupError for what is no backup at first sight."""
    file.seek(0)
    header = file.read(len(_MAGIC))
    if header != _MAGIC:
        raise BackupError(
            f"{shown} is {'empty' if not header else 'no backup of a gallery'}: name a file that "
            "was made by a backup (sayso backup)"
        )
    file.seek(0, os.SEEK_END)
    file.seek(max(0, file.tell() - len(SEAL) - _SIGNATURE))
    if not file.read().startswith(SEAL):
        raise BackupError(
            f"{shown} is a database, but no whole backup of a gallery: it is cut off at its end, "
            "or was not made by a backup (sayso backup)"
        )


def _digest(file: BinaryIO) -> tuple[bytes, bytes]:
    """Return the SHA-256 of what was sealed, and the signature."""
    file.seek(0, os.SEEK_END)
    left = file.tell() - len(SEAL) - _SIGNATURE
    file.seek(0)
    digest = hashlib.sha256()
    while left > 0 and (part := file.read(min(left, _CHUNK))):
        digest.update(part)
        left -= len(part)
    return digest.digest(), file.read()[len(SEAL) :]


def _check_database(connection: Connection, shown: str) -> None:
    found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    if found != "ok":
        raise BackupError(f"the backup {shown} is damaged: take another one")
    there = connection.exec_driver_sql(
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'alembic_version'"
    ).scalar()
    if not there:
        raise BackupError(f"{shown} is a database, but not one of Sayso's")
    revision = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    if revision != schema.REVISION:
        raise BackupError(
            f"the backup {shown} is of form {revision}, and this version of Sayso restores form "
            f"{schema.REVISION}: restore it with the version that made it, and open the gallery "
            "with this one then"
        )


def rows_of(source: Source, table: Table) -> Iterator[list[Row]]:
    """Yield the rows of a table of the backup as SQLite has them, in lists."""
    with reading(source.path):
        cursor = raw_connection(source.connection).execute(str(select(table)))
    with contextlib.closing(cursor):
        while True:
            with reading(source.path):
                rows = cursor.fetchmany(ROWS)
            if not rows:
                return
            yield rows


def insert_rows(connection: Connection, statement: Insert, rows: list[Row]) -> None:
    """Insert rows as SQLite has them."""
    # SQLAlchemy's own way takes longer to convert the values than SQLite to write them.
    if rows:
        connection.exec_driver_sql(str(statement.compile(dialect=sqlite.dialect())), rows)
