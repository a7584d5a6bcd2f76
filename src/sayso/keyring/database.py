"""The keyring's SQLite database: made, opened, read, written and copied.

It knows nothing of what is in the tables but their form.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from sqlalchemy import Connection, Select, delete, insert, select
from sqlalchemy.exc import DBAPIError, NoResultFound

from sayso.anchor import Anchor, moved
from sayso.durable import leftover_prefix, sweep_leftovers, sync_folder
from sayso.errors import KeyringError, KeyringUnavailable
from sayso.keyring import schema
from sayso.sqlite import FULL, WRITING, is_full, raw_connection, sqlite_engine, truncate_log

#: The name of a keyring's file in its folder.
FILE = "keyring.sqlite"
_LOG = "keyring.sqlite-wal"
_LOCK = "keyring.lock"
_MAGIC = b"SQLite format 3\x00"


class Database:
    """The database file in a folder; ``shown`` is what messages call the keyring.

    Every method raises KeyringUnavailable when the file or the folder cannot be used.
    """

    def __init__(self, folder: Path, shown: str, timeout: float) -> None:
        self.path = folder / FILE
        self._lock = folder / _LOCK
        self._shown = shown
        self._timeout = timeout
        self._engine = sqlite_engine(self.path, timeout)
        self._anchor: Anchor | None = None
        self._writing = threading.Lock()

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def there(self) -> bool:
        """Tell whether there is a keyring in the folder."""
        try:
            return self.path.exists()
        except OSError as error:
            raise self.unavailable(error.strerror or "the folder cannot be used") from error

    def make_folder(self) -> None:
        """Make the folder, for its owner alone, unless it is there."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise self.unavailable("a file is where its folder should be") from error
        except OSError as error:
            raise self.unavailable(error.strerror or "the folder cannot be used") from error

    @contextlib.contextmanager
    def locked(self, timeout: float | None = None) -> Iterator[None]:
        """Keep other processes, and threads, from creating, rotating or copying meanwhile.

        Waits ``timeout`` seconds for them; unless given, as long as a writer waits for others.
        """
        timeout = self._timeout if timeout is None else timeout
        lock = FileLock(self._lock, timeout=timeout, mode=0o600)
        try:
            lock.acquire()
        except Timeout:
            raise self.unavailable(
                f"another process has been preparing it for {timeout:g} s"
            ) from None
        except OSError as error:
            raise self.unavailable(error.strerror or "it cannot be written") from error
        try:
            yield
        finally:
            lock.release()

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the keyring, from its first query on."""
        with self._translated(), self._engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """Run a change: all of it is durable when the block is left, or nothing of it happened."""
        if not self._writing.acquire(timeout=self._timeout):
            raise self.unavailable(f"another write took longer than {self._timeout:g} s; try again")
        try:
            with self._translated(), self._engine.connect() as connection:
                connection.execution_options(**WRITING)
                with connection.begin():
                    yield connection
            self.check_files()
        finally:
            self._writing.release()

    def scrub(self) -> bool:
        """Empty the write-ahead log, after something was destroyed.

        Returns False when a reader still needed the log; the next scrub empties it.
        """
        try:
            if not self.path.with_name(_LOG).stat().st_size:
                return True
        except FileNotFoundError:
            return True
        except OSError as error:
            raise self.unavailable(error.strerror or "it cannot be read") from error
        with self._translated(), self._engine.connect() as connection:
            return truncate_log(connection, self._timeout)

    def check(self) -> None:
        """Check that the file is a keyring of the form that is known here."""
        try:
            with self.path.open("rb") as file:
                header = file.read(len(_MAGIC))
        except OSError as error:
            raise self.unavailable(error.strerror or "it cannot be read") from error
        # A new keyring gets its name only when it is complete, so an empty one is a lost one.
        if header != _MAGIC:
            raise self.unavailable(
                f"{FILE} is {'empty' if not header else 'not a database'}; put it back from your "
                "copy of the keyring"
            )
        with self.read() as connection:
            version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        if version > schema.VERSION:
            raise self.unavailable(f"a newer version of Sayso made it (form {version}); update")
        if version != schema.VERSION:
            raise self.unavailable(f"{FILE} is a database, but no keyring of Sayso's")
        self._anchor = Anchor(self.path)

    def check_files(self) -> None:
        """Raise KeyringUnavailable where the files were pulled from under whoever has them open."""
        if self._anchor is not None and (lost := self._anchor.lost()):
            raise self.unavailable(moved(lost))

    def check_unmade(self) -> None:
        """Check that nothing is there of a keyring whose main file is lost."""
        if self.path.with_name(_LOG).exists():
            raise self.unavailable(
                f"{FILE} is missing, but {_LOG}, which belongs to it, is there; put "
                f"{FILE} back, or move both away to start anew"
            )

    def create(self, fill: Callable[[Connection], None]) -> None:
        """Make the database under another name; it takes its own only when complete."""
        new = self.path.with_suffix(".new")
        try:
            _remove(new)
            os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            engine = sqlite_engine(new, self._timeout)
            try:
                with self._translated(), engine.connect() as connection:
                    connection.execution_options(**WRITING)
                    with connection.begin():
                        schema.metadata.create_all(connection)
                        connection.exec_driver_sql(f"PRAGMA user_version={schema.VERSION}")
                        fill(connection)
            finally:
                engine.dispose()
            _finish(new)
            new.rename(self.path)
            sync_folder(self.path.parent)
        except OSError as error:
            raise self.unavailable(error.strerror or "it cannot be written") from error

    def copy(self, target: Path) -> None:
        """Write a consistent copy; it takes its name, and another's place, only when complete."""
        shown = repr(str(target))
        try:
            if target.exists() and target.samefile(self.path):
                raise KeyringError(f"{shown} is the keyring itself; name another file for the copy")
            if target.with_name(f"{target.name}-wal").exists():
                raise KeyringError(
                    f"{shown} is a database in use; name another file for the copy of the keyring"
                )
            with self.locked():
                # Of one that was killed: it may have the key of somebody who was erased since.
                sweep_leftovers(target)
                self._copy(target)
        except OSError as error:
            raise KeyringUnavailable(
                f"the copy of the keyring cannot be written to {shown}: {error.strerror or error}"
            ) from error

    def take_over(self, other: Database) -> None:
        """Replace every row by those of another keyring, in one change."""
        tables = schema.metadata.sorted_tables
        with other.read() as connection:
            rows = {table: driver_rows(connection, select(table)) for table in tables}
        with self.write() as connection:
            for table in tables:
                connection.execute(delete(table))
                if rows[table]:
                    statement = insert(table).compile(dialect=connection.dialect)
                    connection.exec_driver_sql(str(statement), rows[table])

    def install(self, other: Database) -> None:
        """Make a keyring of the rows of another one, where there is none."""
        self.make_folder()
        with self.locked():
            if not self.there():
                self.check_unmade()
                other._copy(self.path)

    def _copy(self, target: Path) -> None:
        # An empty file is what VACUUM INTO accepts, and this one is its owner's alone.
        descriptor, name = tempfile.mkstemp(prefix=leftover_prefix(target), dir=target.parent)
        os.close(descriptor)
        new = Path(name)
        try:
            with self._translated(), self._engine.connect() as connection:
                raw_connection(connection).execute("VACUUM INTO ?", (name,))
            _finish(new)
            new.rename(target)
            sync_folder(target.parent)
        finally:
            _remove(new)

    def unavailable(self, reason: str) -> KeyringUnavailable:
        """Return the error that says why the keyring cannot be used."""
        return KeyringUnavailable(f"{self._shown} cannot be used: {reason}")

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, sqlite3.Error) as error:  # the latter from the driver's own connection
            self.check_files()
            message = str(error.orig if isinstance(error, DBAPIError) else error)
            raise self.unavailable(_reason(message)) from error
        except NoResultFound as error:
            raise self.unavailable(_reason("malformed: a row is missing")) from error


def driver_rows(connection: Connection, query: Select[Any]) -> list[tuple[Any, ...]]:
    """Return rows as the driver gives them: several times faster where there are many.

    For columns of integers, bytes and text only, which need no conversion.
    """
    result = connection.execute(query)
    with contextlib.closing(result):
        if result.cursor is None:
            raise TypeError("the statement returns no rows")
        return list(result.cursor.fetchall())


def _finish(new: Path) -> None:
    """Make a database that is complete a durable one, with a write-ahead log from now on."""
    with contextlib.closing(sqlite3.connect(new)) as raw:
        raw.execute("PRAGMA journal_mode=WAL")
    descriptor = os.open(new, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(new: Path) -> None:
    """Remove a database that was not completed, and what SQLite puts beside one."""
    for suffix in ("", "-journal", "-wal", "-shm"):
        new.with_name(new.name + suffix).unlink(missing_ok=True)


def _reason(message: str) -> str:
    if "locked" in message or "busy" in message:
        return "other processes kept it locked for too long; try again"
    if "malformed" in message or "not a database" in message or "no such table" in message:
        return f"the database is damaged ({message}); put it back from your copy of the keyring"
    if is_full(message):
        return FULL
    if "readonly" in message:
        return "it cannot be written, and every call is put on record: make the folder writable"
    return message
