"""The store: a SQLite database in a data folder, opened, migrated, read and written.

The store is the truth about the gallery. What ``write`` has committed is on the disk: SQLite runs
with ``synchronous=FULL``, so the write-ahead log is synced before a commit returns. Deleted content
is overwritten (``secure_delete``), and ``scrub`` takes it out of the write-ahead log.

Several threads and processes may use one folder. Readers see one consistent state for as long as
their connection is open and never wait; writers wait for each other.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    create_engine,
    event,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError, NoResultFound

from sayso.errors import StoreUnavailable
from sayso.gallery import schema
from sayso.gallery.times import microseconds

_FILE = "gallery.sqlite"
_LOCK = "gallery.lock"
_MAGIC = b"SQLite format 3\x00"
_OPENING_TIMEOUT = 60.0
_SCRUB_TIMEOUT_MS = 1000
_WAL_LIMIT = 64 << 20  # bytes of write-ahead log that stay on the disk after a larger change

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Change:
    """A write transaction: its connection, its number in the sequence of changes, and its time.

    ``now`` is in microseconds since 1970, UTC.
    """

    connection: Connection
    sequence: int
    now: int


class Store:
    """One gallery database.

    ``folder`` is created, for its owner alone, when it is not there. ``shown`` is what messages
    call it. ``busy_timeout`` is how many seconds a writer waits for others.

    Raises StoreUnavailable when the folder or the database cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        *,
        shown: str | None = None,
        clock: Clock = utc_now,
        busy_timeout: float = 60.0,
    ) -> None:
        self.clock = clock
        self._shown = f"the gallery in {shown or repr(str(folder))}"
        self._path = folder / _FILE
        self._timeout = busy_timeout
        self._writing = threading.Lock()
        try:
            _make_folder(folder)
            found = self._path.exists()
        except (FileExistsError, NotADirectoryError) as error:
            raise self._unavailable(
                "a file is where a folder should be; set SAYSO_DATA to a folder, or open another"
            ) from error
        except OSError as error:
            raise self._unavailable(error.strerror or "the folder cannot be used") from error
        if found:
            self._check_header()
        self._engine = _engine(self._path, busy_timeout)
        try:
            revision = self._revision() if found else None
            if revision != schema.REVISION:
                self._prepare(folder / _LOCK)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close every connection; the store must not be used any more."""
        self._engine.dispose()

    def now(self) -> int:
        """Return the time as the store counts it: microseconds since 1970, UTC."""
        return microseconds(self.clock())

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the store, from its first query on."""
        with self._translated(), self._engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Change]:
        """Run a change: all of it is durable when the block is left, or nothing of it happened.

        Raises StoreUnavailable when other writers keep the store for longer than the timeout.
        """
        if not self._writing.acquire(timeout=self._timeout):
            raise self._unavailable(
                f"another write took longer than {self._timeout:g} s; try again"
            )
        try:
            with self._translated(), self._engine.connect() as connection:
                connection.execution_options(sayso_begin="BEGIN IMMEDIATE")
                with connection.begin():
                    state = schema.state
                    sequence: int = connection.execute(
                        update(state)
                        .values(sequence=state.c.sequence + 1)
                        .returning(state.c.sequence)
                    ).scalar_one()
                    yield Change(connection, sequence, self.now())
        finally:
            self._writing.release()

    def scrub(self) -> bool:
        """Move the write-ahead log into the database and empty it, after an erasure.

        Returns False when a reader's view still needed the log: nothing is lost, and the next
        scrub empties it.
        """
        with self._translated(), self._engine.connect() as connection:
            raw = connection.connection.dbapi_connection
            assert isinstance(raw, sqlite3.Connection)  # noqa: S101 - tells the type checker
            raw.execute(f"PRAGMA busy_timeout={_SCRUB_TIMEOUT_MS}")
            try:
                busy, _, _ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                raw.execute(f"PRAGMA busy_timeout={int(self._timeout * 1000)}")
            return not busy

    def _check_header(self) -> None:
        try:
            with self._path.open("rb") as file:
                header = file.read(len(_MAGIC))
        except OSError as error:
            raise self._unavailable(error.strerror or "it cannot be read") from error
        # A new database gets its name only when it is complete, so an empty one is a lost one.
        if header != _MAGIC:
            raise self._unavailable(
                f"{_FILE} is {'empty' if not header else 'not a database'}; restore it from a "
                "backup, or move it away to start anew"
            )

    def _revision(self) -> str:
        with self.read() as connection:
            try:
                found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
            except DBAPIError as error:
                if "no such table" not in str(error.orig):
                    raise
                found = None
        if not isinstance(found, str):
            raise self._unavailable(f"{_FILE} is a database, but not one of Sayso's")
        return found

    def _prepare(self, lock: Path) -> None:
        """Create or migrate the database, in one process at a time."""
        from sayso.gallery import migrations  # Alembic is slow to import

        try:
            with FileLock(lock, timeout=_OPENING_TIMEOUT, mode=0o600):
                # Another process may have done it while this one waited.
                if not self._path.exists():
                    self._create(migrations.upgrade)
                elif (revision := self._revision()) != schema.REVISION:
                    self._migrate(self._engine, lambda c: migrations.upgrade(c, revision))
        except Timeout:
            raise self._unavailable(
                f"another process has been preparing it for {_OPENING_TIMEOUT:g} s"
            ) from None
        except OSError as error:
            raise self._unavailable(error.strerror or "it cannot be written") from error

    def _create(self, upgrade: Callable[[Connection, str | None], None]) -> None:
        """Make the database under another name; it takes its own only when complete."""
        new = self._path.with_suffix(".new")
        for leftover in new.parent.glob(new.name + "*"):
            leftover.unlink()
        os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        engine = _engine(new, self._timeout)

        def build(connection: Connection) -> None:
            upgrade(connection, None)
            row = {"id": 1, "sequence": 0, "created": self.now()}
            connection.execute(insert(schema.state).values(row))

        try:
            self._migrate(engine, build)
        finally:
            engine.dispose()
        # The file remembers this. Only now, so that it is complete by itself when it is renamed.
        with contextlib.closing(sqlite3.connect(new)) as raw:
            raw.execute("PRAGMA journal_mode=WAL")
        new.rename(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _migrate(self, engine: Engine, change: Callable[[Connection], None]) -> None:
        with self._translated(), engine.connect() as connection:
            connection.execution_options(sayso_begin="BEGIN IMMEDIATE")
            with connection.begin():
                change(connection)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise self._unavailable(_reason(str(error.orig))) from error
        except sqlite3.Error as error:  # while connecting, where SQLAlchemy does not wrap it
            raise self._unavailable(_reason(str(error))) from error
        except NoResultFound as error:
            raise self._unavailable(_reason("malformed: a row is missing")) from error

    def _unavailable(self, reason: str) -> StoreUnavailable:
        return StoreUnavailable(f"{self._shown} cannot be used: {reason}")


def current_sequence(connection: Connection) -> int:
    """Return the number of the last change that the connection sees."""
    return int(connection.execute(select(schema.state.c.sequence)).scalar_one())


def _reason(message: str) -> str:
    if "locked" in message or "busy" in message:
        return "other processes kept it locked for too long; try again"
    if "malformed" in message or "not a database" in message:
        return f"the database is damaged ({message}); restore it from a backup"
    return message


def _make_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _engine(path: Path, timeout: float) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": timeout, "check_same_thread": False},
        hide_parameters=True,  # a message never shows a template
        max_overflow=-1,
    )

    @event.listens_for(engine, "connect")
    def connected(connection: sqlite3.Connection, _record: Any) -> None:
        # The driver must not begin transactions by itself; see "begun".
        connection.isolation_level = None
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA journal_size_limit={_WAL_LIMIT}")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA secure_delete=ON")

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        statement = connection.get_execution_options().get("sayso_begin", "BEGIN")
        connection.exec_driver_sql(statement)

    return engine
