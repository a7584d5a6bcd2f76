"""Restoring a backup into a data folder."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from filelock import FileLock, Timeout
from sqlalchemy import select

from sayso.audit.events import Restored
from sayso.audit.log import Log
from sayso.audit.verification import verify
from sayso.callers import Caller
from sayso.core.application import place_of
from sayso.core.base import Base
from sayso.core.erased import faces_erased
from sayso.core.following import adopt, follow, opened_copy, own_entries, record_again
from sayso.core.resources import Resources, erasures
from sayso.durable import sync_folder
from sayso.errors import AuditError, BackupError, StoreUnavailable
from sayso.gallery import restorable, schema
from sayso.gallery.course import MOVE_AWAY, last_common
from sayso.gallery.erasure import erase_faces
from sayso.gallery.opening import open_gallery
from sayso.gallery.restorable import Opened, Source
from sayso.gallery.restore import counts, erase_withdrawn, replace
from sayso.gallery.store import FILE, LOCK, Store
from sayso.inuse import InUse, alone
from sayso.keyring.database import FILE as KEYRING_FILE
from sayso.keyring.store import KEY_FILE, Keyring
from sayso.results import Restoration
from sayso.settings import Settings, load_settings

_LOCK_TIMEOUT = 60.0
_NEW = ".restoring-"


@dataclass(frozen=True, slots=True)
class _Place:
    """A data folder, what the user called it, and the settings that tell where its keys are."""

    folder: Path
    given: str | None
    settings: Settings

    @property
    def shown(self) -> str:
        """What messages call it."""
        return self.given or repr(str(self.folder))

    @property
    def keys(self) -> Path:
        """The folder of the keyring."""
        return self.settings.keyring_dir or self.folder

    @property
    def key_file(self) -> Path:
        """The file of the master key."""
        return self.settings.key_file or self.keys / KEY_FILE

    def keyring(self) -> Keyring:
        """Open the keyring, which must be there; raises KeyringError."""
        shown = None if self.settings.keyring_dir else self.given
        return Keyring(self.keys, key_file=self.settings.key_file, create=False, shown=shown)


def restore(
    location: str | Path | None,
    backup: str | Path,
    *,
    keyring: str | Path | None = None,
    actor: str | None = None,
) -> Restoration:
    """Put the contents of a backup into a data folder, in the place of all that is there.

    The location is as for ``open``; its keyring and master key must be in place. Where the gallery
    is there, it is replaced in one change, and other processes that have it open go on with what
    was restored. Where it was lost, it takes its name only when it is whole. Killed at any moment,
    this leaves what there was or what was restored.

    What ended after the backup was made stays ended: whoever was erased is not brought back, what
    was withdrawn stays withdrawn, revoked keys stay revoked, and consents to a purpose that was met
    have ended. A rule that was made stricter binds again the consents that it bound, and those to
    come, even if it was made looser after that. Whoever lacks a key for another reason, since the
    keyring is older than the backup, is left out, too.

    All else is as it was in the backup. Whoever was enrolled since is not in the gallery any more,
    though their data key is kept, since a newer backup may have them. Purposes have the notices
    that they had, and those that were first declared since are gone, as are access keys that were
    made since: look at them (sayso purposes list), and declare anew what has changed. A collection
    that was deleted comes back, empty. The audit log goes on: that of the gallery if it has one,
    else that of the backup.

    A gallery that never changed but by restorations follows the one that its backups are of: each
    later backup takes the place of its audit log, too. ``keyring`` is a copy of that one's keyring
    (``copy_keyring``), which is put in place first; where the gallery has changes of its own, it
    is refused.

    Raises BackupError for a file that is no whole backup of this gallery, and then nothing has
    changed; KeyringError without the keyring; StoreUnavailable.
    """
    settings, path = load_settings(), Path(backup)
    folder, shown = place_of(location, settings)
    place = _Place(folder, shown, settings)
    caller = Caller.local(actor)
    with contextlib.ExitStack() as stack:
        held = stack.enter_context(restorable.opened(path, folder if folder.is_dir() else None))
        copy = None
        if keyring is not None:
            copy = stack.enter_context(opened_copy(Path(keyring), place.keys, place.key_file))
        # Before a gallery is made or opened: what is refused leaves nothing behind.
        source = check(held, path, Log(_signing_key(place, copy)).public_key)
        if copy is not None and not (place.keys / KEYRING_FILE).exists():
            copy.install(place.keys)
        if not (folder / FILE).exists():
            with contextlib.closing(place.keyring()) as own:
                if copy is not None:
                    adopt(own, copy, standby=not own.knows_more_than(copy))
                return _restore_lost(place, own, caller, source)
        _sweep(folder)
        try:
            opened = open_gallery(folder, settings, shown=shown, to_replace=True)
        except StoreUnavailable as error:
            raise BackupError(f"{error}; {MOVE_AWAY}") from error
        return _fill(Resources(*opened, settings, None), caller, source, copy)


def _signing_key(place: _Place, copy: Keyring | None) -> Ed25519PrivateKey:
    if copy is not None:
        return copy.signing_key()
    with contextlib.closing(place.keyring()) as own:
        return own.signing_key()


def check(backup: Opened, path: Path, public_key: bytes) -> Source:
    """Return an opened backup that is whole, and of the gallery that this public key is of.

    The key is the audit log's, 32 bytes. Raises BackupError.
    """
    audit, state, connection = schema.audit.c, schema.state.c, backup.connection
    with restorable.reading(path):
        begun = connection.execute(select(audit.body).where(audit.number == 1)).scalar()
        if public_key.hex() not in str(begun):
            raise BackupError(
                f"the backup {str(path)!r} is not of the gallery that this keyring belongs to: put "
                "the keyring and the master key of that gallery in place, or set SAYSO_KEYRING_DIR "
                "and SAYSO_KEY_FILE to where they are"
            )
        restorable.check_seal(backup, path, public_key)
        found = verify(connection, public_key)
        if not found.ok:
            problem = found.problems[0]
            where = "" if problem.number is None else f", entry {problem.number}"
            raise BackupError(
                f"the audit log in the backup {str(path)!r} is not what was written{where}: "
                f"{problem.what}; take another backup"
            )
        events, head = connection.execute(select(state.events, state.head)).one()
        time = connection.execute(select(audit.time).where(audit.number == events)).scalar_one()
    return Source(connection, path, int(events), head, int(time))


class _Restoring(Base):
    """Restores for a caller; the resources are its own."""

    def restore(self, source: Source) -> Restoration:
        try:
            with self._act(self._admit("admin")) as act:
                parted = last_common(act.connection, source)
                own = follow(act.connection, source, parted)
                left_out = replace(act.change, source, parted)
                record_again(self._resources.log, act.connection, own)
                expired = self._resources.sweep(act.change, since=-1)
                withdrawn = erase_withdrawn(act.change)
                unfounded = erase_faces(act.change)
                subjects, faces = counts(act.connection)
                erased = left_out.subjects + len(expired) + len(withdrawn)
                act.record(
                    *erasures(left_out.tombstones + withdrawn),
                    *faces_erased(unfounded, "withdrawn"),
                    Restored(events=source.events, subjects=subjects, erased=erased),
                )
        except AuditError as error:
            raise BackupError(f"{error}; {MOVE_AWAY}") from error
        # Also where nothing ended anew: what was replaced must not stay in the write-ahead log.
        self._resources.settle()
        self._resources.store.scrub()
        return Restoration(subjects, faces, erased)


def _fill(
    resources: Resources, caller: Caller, source: Source, copy: Keyring | None = None
) -> Restoration:
    try:
        if copy is not None:
            with resources.store.read() as connection:
                parted = last_common(connection, source)
                standby = own_entries(connection, parted) is not None
            adopt(resources.keyring, copy, standby=standby)
        return _Restoring(resources, caller).restore(source)
    finally:
        resources.close()


def _restore_lost(place: _Place, keyring: Keyring, caller: Caller, source: Source) -> Restoration:
    """Make the gallery in a folder of its own; it takes its place only when it is whole."""
    try:
        place.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with alone(place.folder), FileLock(place.folder / LOCK, timeout=_LOCK_TIMEOUT, mode=0o600):
            if (place.folder / FILE).exists():
                raise BackupError(
                    f"a gallery was made in {place.shown} at this moment: look at it, and restore "
                    "again to replace it"
                )
            _sweep(place.folder)
            new = Path(tempfile.mkdtemp(prefix=_NEW, dir=place.folder))
            try:
                store = Store(new, keyring, shown=place.shown)
                restored = _fill(Resources(store, keyring, place.settings, None), caller, source)
                _install(new / FILE, place.folder / FILE)
            finally:
                shutil.rmtree(new, ignore_errors=True)
    except InUse:
        raise BackupError(
            f"the gallery in {place.shown} was lost, but a process that had it open still runs and "
            "would not see what is restored: stop every process that uses it (sayso serve), and "
            "restore again"
        ) from None
    except Timeout:
        raise StoreUnavailable(
            f"another process has been preparing the gallery in {place.shown} for "
            f"{_LOCK_TIMEOUT:g} s"
        ) from None
    except OSError as error:
        raise StoreUnavailable(
            f"the gallery in {place.shown} cannot be used: {error.strerror or 'it is in the way'}"
        ) from error
    return restored


def _sweep(folder: Path) -> None:
    """Remove what a restoration that was killed has left."""
    for leftover in folder.glob(_NEW + "*"):
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def _install(new: Path, place: Path) -> None:
    """Give a restored database, which nobody has open any more, its name."""
    for suffix in ("-wal", "-shm"):
        if new.with_name(new.name + suffix).exists():
            raise BackupError("the restored gallery could not be closed; restore again")
        # Of the lost database: SQLite would take it for the restored one's.
        place.with_name(place.name + suffix).unlink(missing_ok=True)
    new.rename(place)
    sync_folder(place.parent)
