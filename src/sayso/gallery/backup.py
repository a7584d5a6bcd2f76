"""Backups: the whole gallery in one file, without the keys, written while it is in use.

A backup is a SQLite database of one moment, and after its last page a seal: the line ``sayso backup
1``, a line feed, and an Ed25519 signature (RFC 8032), by the key that signs the audit log, of the
SHA-256 of all bytes before the seal. So a backup that was damaged, cut off or edited shows, and one
of another gallery does, too. SQLite itself does not look behind the last page.

What is sealed in the gallery is sealed in its backup, under the same keys. That is why the two must
not be kept in one place: whoever has the backup of somebody erased has nothing, unless they also
have a copy of the keyring that is older than the erasure. Answers to requests that may come again
(see ``answers``) are left out: no key of a subject's seals them.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import Connection, select

from sayso.durable import leftover_prefix, sweep_leftovers, sync_folder
from sayso.errors import BackupError
from sayso.gallery import schema
from sayso.gallery.restorable import SEAL
from sayso.gallery.store import Store
from sayso.gallery.types import Backup
from sayso.keyring.database import FILE as KEYRING_FILE
from sayso.keyring.store import Keyring
from sayso.sqlite import raw_connection

#: What SQLite lays beside a database that is in use.
_COMPANIONS = ("-wal", "-shm", "-journal")
_LOCK_TIMEOUT = 600.0


def check_targets(
    store: Store,
    keyring: Keyring,
    keyring_folder: Path | None,
    *,
    target: Path,
    keyring_copy: Path | None,
) -> Path:
    """Return where a backup goes, links followed; a copy of the keyring may go along.

    Raises BackupError unless both can go there: not over a file of the gallery's own or of another
    database in use, and never both into one folder. ``keyring_folder`` is where the keyring is,
    None for the gallery's own folder.
    """
    shown = repr(str(target))
    try:
        real = target.resolve()
        for wanted in (target, keyring_copy):
            if wanted is not None:
                require_foreign(store, keyring, keyring_folder, wanted)
        if not real.parent.is_dir():
            raise BackupError(
                f"there is no folder for the backup {shown}: make it, or name another file"
            )
        if real.exists() and not real.is_file():
            raise BackupError(f"{shown} is no file that a backup could replace: name a file")
        if any(real.with_name(real.name + each).exists() for each in _COMPANIONS):
            raise BackupError(f"{shown} is a database in use: name another file for the backup")
        if keyring_copy is not None and _same(real.parent, keyring_copy.resolve().parent):
            raise BackupError(
                f"{shown} and {str(keyring_copy)!r} are in the same folder, but a backup and its "
                "keys must be kept apart: whoever has both, and the master key, can read the "
                "backup, also what it holds of people who are erased later. Name a file in another "
                "place for the copy of the keyring"
            )
        return real
    except (OSError, RuntimeError) as error:  # RuntimeError: a symbolic link to itself
        raise _unwritable(target, error) from error


def require_foreign(
    store: Store, keyring: Keyring, keyring_folder: Path | None, target: Path
) -> None:
    """Raise BackupError where a file to be written is one that the gallery itself needs.

    ``keyring_folder`` is where the keyring is, None for the gallery's own folder.
    """
    try:
        real = target.resolve()
        own = any(_same(real, each) for each in _own_files(store, keyring, keyring_folder))
    except (OSError, RuntimeError) as error:
        raise _unwritable(target, error) from error
    if own:
        raise BackupError(
            f"{str(target)!r} is a file that the gallery itself needs: name another one"
        )


def entries(connection: Connection) -> int:
    """Return how many entries the audit log has before whatever comes next is put there."""
    # The first one of all comes by itself, before any other.
    return max(1, int(connection.execute(select(schema.state.c.events)).scalar_one()))


def write(store: Store, keyring: Keyring, real: Path, target: Path) -> Backup:
    """Write a backup over whatever ``real`` is, as ``check_targets`` has found it.

    ``target`` is what messages call it: no link is followed anew that may lead elsewhere by now.
    The backup takes the name only when it is complete and on the disk. One at a time is written of
    a gallery. Raises BackupError.
    """
    lock = FileLock(_database(store).with_suffix(".lock"), timeout=_LOCK_TIMEOUT, mode=0o600)
    try:
        with lock:
            sweep_leftovers(real)  # of one that was killed
            return _write(store, keyring, real, target)
    except Timeout:
        raise BackupError(
            f"the backup {str(target)!r} was not written: another one has been for "
            f"{_LOCK_TIMEOUT:g} s; try again"
        ) from None
    except (OSError, RuntimeError, UnicodeError) as error:
        raise _unwritable(target, error) from error


def _write(store: Store, keyring: Keyring, real: Path, target: Path) -> Backup:
    """Write a backup beside its place, and give it that; ``target`` is what messages call it."""
    # An empty file is what VACUUM INTO accepts, and this one is its owner's alone.
    descriptor, name = tempfile.mkstemp(prefix=leftover_prefix(real), dir=real.parent)
    os.close(descriptor)
    new = Path(name)
    try:
        _copy(store, new, target)
        counts = _counts(new)
        _seal(new, keyring)
        size = new.stat().st_size
        new.rename(real)
        sync_folder(real.parent)
    finally:
        for suffix in ("", *_COMPANIONS):
            new.with_name(new.name + suffix).unlink(missing_ok=True)
    return Backup(*counts, bytes=size)


def _own_files(store: Store, keyring: Keyring, keyring_folder: Path | None) -> Iterator[Path]:
    """Yield what the gallery is made of: databases and their companions, and the key file."""
    yield keyring.key_file
    gallery = _database(store)
    for database in (gallery, (keyring_folder or gallery.parent) / KEYRING_FILE):
        yield database
        yield database.with_suffix(".lock")
        for suffix in _COMPANIONS:
            yield database.with_name(database.name + suffix)


def _database(store: Store) -> Path:
    """Return the file of a gallery's database."""
    with store.read() as connection:
        rows = raw_connection(connection).execute("PRAGMA database_list").fetchall()
    return Path(rows[0][2])


def _same(one: Path, other: Path) -> bool:
    """Tell whether two paths, the first of them resolved, are one file, there or not."""
    if one == other.resolve():
        return True
    return one.exists() and other.exists() and one.samefile(other)


def _copy(store: Store, new: Path, target: Path) -> None:
    with store.read() as connection:
        try:
            raw_connection(connection).execute("VACUUM INTO ?", (str(new),))
            _leave_out_answers(new)
        except sqlite3.Error as error:
            # SQLite's own words may name the file that nobody typed.
            reason = "the disk is full" if "full" in str(error) else error.sqlite_errorname
            raise BackupError(
                f"the backup {str(target)!r} cannot be written: {reason}; what was there before is "
                "as it was"
            ) from error


def _leave_out_answers(new: Path) -> None:
    """Take out of a copy what was answered to requests that may come again.

    An answer may name a subject, and is sealed by a key that outlives them.
    """
    with contextlib.closing(sqlite3.connect(new)) as raw, raw:
        raw.execute("PRAGMA secure_delete=ON")
        raw.execute("PRAGMA journal_mode=MEMORY")  # nothing beside the copy that could stay
        raw.execute("DELETE FROM answers")


def _counts(new: Path) -> tuple[int, int, int]:
    """Return how many entries, subjects and faces there are: in the copy, not the gallery."""
    with contextlib.closing(sqlite3.connect(new)) as raw:
        events, subjects, faces = raw.execute(
            "SELECT (SELECT events FROM state), (SELECT count(*) FROM subjects), "
            "(SELECT count(*) FROM faces)"
        ).fetchone()
    return int(events), int(subjects), int(faces)


def _seal(new: Path, keyring: Keyring) -> None:
    """Sign what was written, and bring all of it to the disk."""
    with new.open("r+b") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
        file.seek(0, os.SEEK_END)
        file.write(SEAL + keyring.signing_key().sign(SEAL + digest))
        file.flush()
        os.fsync(file.fileno())


def _unwritable(target: Path, error: Exception) -> BackupError:
    if isinstance(error, UnicodeError):
        reason = "its name must be text in UTF-8"
    else:
        reason = getattr(error, "strerror", None) or "a link in its name leads nowhere"
    return BackupError(f"the backup {str(target)!r} cannot be written: {reason}")
