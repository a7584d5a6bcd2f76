"""The store: a SQLite database in a data folder, opened, migrated, read and written.

The store is the truth about the gallery. What ``write`` has committed is on the disk (see
``sayso.sqlite``). Deleted content is overwritten; ``scrub`` takes it out of the write-ahead log.

Two files are written that no transaction spans: this one and the keyring. Data keys are durable in
the keyring before anything here is sealed under them. What ends (a subject, a purpose of a
consent, an access key) ends here first, and is left in ``pending_endings`` in the same
transaction; ``settle`` then ends it in the keyring. Whoever is killed in between leaves that to
the next opening.

Several threads and processes may use one folder. Readers see one consistent state for as long as
their connection is open and never wait; writers wait for each other.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine, bindparam, delete, insert, select, text, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError, NoResultFound

from sayso.anchor import Anchor, moved
from sayso.durable import sync_folder
from sayso.errors import StoreUnavailable
from sayso.gallery import schema
from sayso.gallery.commits import Commits
from sayso.gallery.times import microseconds
from sayso.inuse import InUse, Use
from sayso.keyring.endings import Ending, Kind
from sayso.keyring.sealing import DataKey
from sayso.keyring.store import Keyring
from sayso.reserve import Reserves
from sayso.sqlite import FULL, WRITING, is_full, raw_connection, sqlite_engine, truncate_log

FILE = "gallery.sqlite"
LOCK = "gallery.lock"
_MAGIC = b"SQLite format 3\x00"
_OPENING_TIMEOUT = 60.0
_ENDING = ("kind", "id", "at")
#: What to say of a database of somebody else's.
FOREIGN = f"{FILE} is a database, but not one of Sayso's"

Clock = Callable[[], datetime]
#: Gives the data keys of subjects, by their ids; those whose key is gone are left out.
FindKeys = Callable[[Iterable[str]], dict[str, DataKey]]


def utc_now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Change:
    """A write transaction: its connection, its number in the sequence of changes, and its time.

    ``now`` is in microseconds since 1970, UTC. ``new_keys`` are those of subjects that the change
    makes: they are kept when it is done. ``endings`` lists what it has ended, ``stripped`` the
    ids of subjects who lost faces by it.
    """

    connection: Connection
    sequence: int
    now: int
    keyring: Keyring
    new_keys: dict[str, DataKey] = field(default_factory=dict)
    endings: list[Ending] = field(default_factory=list)
    stripped: list[str] = field(default_factory=list)

    def find_keys(self, subjects: Iterable[str]) -> dict[str, DataKey]:
        """Return the data keys of subjects, also of those that this change makes."""
        wanted = list(subjects)
        found = {each: self.new_keys[each] for each in wanted if each in self.new_keys}
        return found | self.keyring.find(each for each in wanted if each not in found)

    def end(self, kind: Kind, ids: Iterable[str]) -> None:
        """Note what ends with this change, so that no backup brings it back."""
        new = [Ending(kind, each, self.now) for each in ids]
        rows = [{"kind": each.kind, "id": each.id, "at": each.at} for each in new]
        if rows:
            pending = sqlite.insert(schema.pending_endings)
            # A user or a link may end anew before the keyring knows of the last time.
            again = pending.on_conflict_do_update(set_={"at": pending.excluded.at})
            self.connection.execute(again, rows)
        self.endings.extend(new)


class Store:
    """One gallery database, with the keyring that its contents are sealed by.

    ``folder`` is created, for its owner alone, when it is not there. ``shown`` is what messages
    call it. ``busy_timeout`` is how many seconds a writer waits for others.

    Raises StoreUnavailable when the folder or the database cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        keyring: Keyring,
        *,
        shown: str | None = None,
        clock: Clock = utc_now,
        busy_timeout: float = 60.0,
    ) -> None:
        self.clock = clock
        self.keyring = keyring
        self._shown = called(folder, shown)
        self._path = folder / FILE
        self._timeout = busy_timeout
        found = find_database(folder, shown=shown)
        self._engine = sqlite_engine(self._path, busy_timeout)
        self._commits = Commits(self._engine, busy_timeout, self._too_busy, self._check_files)
        self._anchor: Anchor | None = None
        self.reserves = Reserves(folder, keyring.folder)
        self._use = self._use_of(folder)
        try:
            revision = self._revision() if found else None
            if revision != schema.REVISION or self._unscrubbed():
                self._prepare(folder / LOCK)
            with self.read() as connection:  # now every file of it is open
                current_sequence(connection)
            self._anchor = Anchor(self._path)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close every connection; the store must not be used any more."""
        self._engine.dispose()
        self._use.end()

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
        with self._translated(), self._commits.change() as connection:
            state = schema.state
            sequence: int = connection.execute(
                update(state).values(sequence=state.c.sequence + 1).returning(state.c.sequence)
            ).scalar_one()
            change = Change(connection, sequence, self.now(), self.keyring)
            yield change
            if change.new_keys:
                self.keyring.keep(change.new_keys)

    def probe(self) -> None:
        """Commit, and change nothing; raises StoreUnavailable where nothing can be committed."""
        state = schema.state
        with self._translated(), self._commits.change() as connection:
            connection.execute(update(state).values(created=state.c.created))

    def settle_pending(self) -> None:
        """Settle what a process that was killed has left."""
        with self.read() as connection:
            left = connection.execute(select(schema.pending_endings.c.id).limit(1)).first()
        if left is not None:
            self.settle()

    def settle(self) -> None:
        """End in the keyring whatever has ended here, and take it out of the files.

        Data keys are destroyed, and the write-ahead logs are emptied. Where somebody who reads
        just then keeps that from being done, what ended stays pending: whichever process looks
        next does the rest.
        """
        pending = schema.pending_endings.c
        with self.read() as connection:
            rows = connection.execute(select(pending.kind, pending.id, pending.at)).all()
        endings = [Ending(kind, each, at) for kind, each, at in rows]
        if not endings:
            self.scrub()
            return
        gone = self.keyring.end(endings)
        if self.scrub() and gone:
            with self.write() as change:
                change.connection.execute(
                    delete(schema.pending_endings).where(
                        pending.kind == bindparam("ended_kind"),
                        pending.id == bindparam("ended_id"),
                        pending.at == bindparam("ended_at"),
                    ),
                    [
                        {f"ended_{name}": getattr(each, name) for name in _ENDING}
                        for each in endings
                    ],
                )
            self.scrub()

    def scrub(self) -> bool:
        """Move the write-ahead log into the database and empty it, after an erasure.

        Returns False when a reader's view still needed the log: nothing is lost, and the next
        scrub empties it.
        """
        with self._translated(), self._engine.connect() as connection:
            return truncate_log(connection, self._timeout)

    def _revision(self) -> str:
        with self.read() as connection:
            try:
                found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
            except DBAPIError as error:
                if "no such table" not in str(error.orig):
                    raise
                found = None
        if not isinstance(found, str):
            raise self._unavailable(FOREIGN)
        return found

    def _prepare(self, lock: Path) -> None:
        """Create or migrate the database, in one process at a time."""
        from sayso.gallery import migrations  # Alembic is slow to import

        try:
            with FileLock(lock, timeout=_OPENING_TIMEOUT, mode=0o600):
                # Another process may have done it while this one waited.
                if not self._path.exists():
                    self._create(lambda c: migrations.upgrade(c, None, self.keyring))
                    return
                if (revision := self._revision()) != schema.REVISION:
                    self._migrate(
                        self._engine, lambda c: migrations.upgrade(c, revision, self.keyring)
                    )
                if self._unscrubbed():
                    self._compact()
        except Timeout:
            raise self._unavailable(
                f"another process has been preparing it for {_OPENING_TIMEOUT:g} s"
            ) from None
        except OSError as error:
            raise self._unavailable(error.strerror or "it cannot be written") from error

    def _unscrubbed(self) -> bool:
        """Tell whether what a migration sealed may still be in the clear in the files."""
        with self.read() as connection:
            return bool(connection.execute(text("PRAGMA user_version")).scalar())

    def _compact(self) -> None:
        """Write the database anew, so that nothing of what it held before is left in the file.

        Only then is the mark taken off that the migration has left; see its revision 0002.
        """
        with self._translated(), self._engine.connect() as connection:
            raw_connection(connection).execute("VACUUM")
        if self.scrub():
            with self._translated(), self._engine.connect() as connection:
                raw_connection(connection).execute("PRAGMA user_version = 0")

    def _create(self, upgrade: Callable[[Connection], None]) -> None:
        """Make the database under another name; it takes its own only when complete."""
        new = self._path.with_suffix(".new")
        for leftover in new.parent.glob(new.name + "*"):
            leftover.unlink()
        os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        engine = sqlite_engine(new, self._timeout)

        def build(connection: Connection) -> None:
            upgrade(connection)
            row = {
                "id": 1,
                "sequence": 0,
                "created": self.now(),
                "epoch": str(uuid.uuid4()),
                "events": 0,
            }
            connection.execute(insert(schema.state).values(row))

        try:
            self._migrate(engine, build)
        finally:
            engine.dispose()
        # The file remembers this. Only now, so that it is complete by itself when it is renamed.
        with contextlib.closing(sqlite3.connect(new)) as raw:
            raw.execute("PRAGMA journal_mode=WAL")
        new.rename(self._path)
        sync_folder(self._path.parent)

    def _migrate(self, engine: Engine, change: Callable[[Connection], None]) -> None:
        with self._translated(), engine.connect() as connection:
            connection.execution_options(**WRITING)
            with connection.begin():
                change(connection)

    def _use_of(self, folder: Path) -> Use:
        try:
            return Use(folder, _OPENING_TIMEOUT)
        except InUse:
            raise self._unavailable(
                f"a backup has been restored into it for {_OPENING_TIMEOUT:g} s; try again"
            ) from None
        except OSError as error:
            raise self._unavailable(error.strerror or "it cannot be written") from error

    def _check_files(self) -> None:
        """Raise StoreUnavailable or KeyringUnavailable where files were pulled from under it."""
        if self._anchor is not None and (lost := self._anchor.lost()):
            raise self._unavailable(moved(lost))
        self.keyring.check_files()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, sqlite3.Error) as error:  # the latter while connecting
            message = str(error.orig if isinstance(error, DBAPIError) else error)
            if is_full(message):
                self.reserves.noticed_full()
            self._check_files()
            raise self._unavailable(_reason(message)) from error
        except NoResultFound as error:
            raise self._unavailable(_reason("malformed: a row is missing")) from error

    def _too_busy(self) -> StoreUnavailable:
        return self._unavailable(f"another write took longer than {self._timeout:g} s; try again")

    def _unavailable(self, reason: str) -> StoreUnavailable:
        return StoreUnavailable(f"{self._shown} cannot be used: {reason}")


def find_database(folder: Path, *, shown: str | None = None) -> bool:
    """Make the folder if it is not there; tell whether it has a database in it.

    Raises StoreUnavailable when the folder cannot be used, or the file is no database.
    """
    name = called(folder, shown)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (folder / FILE).exists():
            return False
        with (folder / FILE).open("rb") as file:
            header = file.read(len(_MAGIC))
    except (FileExistsError, NotADirectoryError) as error:
        raise StoreUnavailable(
            f"{name} cannot be used: a file is where a folder should be; set SAYSO_DATA to a "
            "folder, or open another"
        ) from error
    except OSError as error:
        raise StoreUnavailable(
            f"{name} cannot be used: {error.strerror or 'it cannot be read'}"
        ) from error
    # A new database gets its name only when it is complete, so an empty one is a lost one.
    if header != _MAGIC:
        raise StoreUnavailable(
            f"{name} cannot be used: {FILE} is {'not a database' if header else 'empty'}; "
            "restore it from a backup, or move it away to start anew"
        )
    return True


def called(folder: Path, shown: str | None) -> str:
    """Return what messages call the gallery of a folder."""
    return f"the gallery in {shown or repr(str(folder))}"


def current_sequence(connection: Connection) -> int:
    """Return the number of the last change that the connection sees."""
    return int(connection.execute(select(schema.state.c.sequence)).scalar_one())


def current_state(connection: Connection) -> tuple[str, int]:
    """Return the epoch of the gallery, and the number of the last change that is seen."""
    state = schema.state.c
    epoch, sequence = connection.execute(select(state.epoch, state.sequence)).one()
    return str(epoch), int(sequence)


def _reason(message: str) -> str:
    if "locked" in message or "busy" in message:
        return "other processes kept it locked for too long; try again"
    if "malformed" in message or "not a database" in message:
        return f"the database is damaged ({message}); restore it from a backup"
    if is_full(message):
        return FULL
    if "readonly" in message:
        return "it cannot be written, and every call is put on record: make the folder writable"
    return message
