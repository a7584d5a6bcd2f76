"""Following a primary: what a standby may have done, and the keyring that comes with a backup.

A standby is a data folder in which nothing was changed but by restorations. Each later backup of
the primary takes the place of what it has, the audit log too. What is on record of the standby
alone, that it was restored and who looked into it, is put on record again, behind the primary's.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection

from sayso.audit import events
from sayso.audit.log import Entry, Log, Who, entries
from sayso.errors import BackupError, KeyringUnavailable
from sayso.gallery.course import another_course
from sayso.gallery.restorable import Source
from sayso.gallery.times import microseconds
from sayso.keyring.database import FILE
from sayso.keyring.store import Keyring

#: What changes nothing that anybody agreed to or asked for.
_LOOKS = (
    events.AuditRead,
    events.BackupMade,
    events.CallRefused,
    events.CollectionsRead,
    events.ConflictRefused,
    events.EnrolledSearched,
    events.EvaluationBegun,
    events.EvaluationDropped,
    events.EvaluationLabelled,
    events.EvaluationRead,
    events.FacesCompared,
    events.FacesDetected,
    events.FacesRead,
    events.KeyringCopied,
    events.KeyringRead,
    events.KeysRead,
    events.LookalikeRefused,
    events.PictureRedacted,
    events.PictureSearched,
    events.PicturesEvaluated,
    events.PurposesRead,
    events.Restored,
    events.RetentionSwept,
    events.SignedIn,
    events.SubjectRead,
    events.SubjectsRead,
    events.TombstonesRead,
    events.UsersRead,
)


def own_entries(connection: Connection, parted: int) -> list[Entry] | None:
    """Return what is on record after the entry of that number; None where it has changes in it."""
    found: list[Entry] = []
    for entry in entries(connection, after=parted):
        if not _is_look(entry.event):
            return None
        found.append(entry)
    return found


def follow(connection: Connection, source: Source, parted: int) -> list[Entry]:
    """Return what a gallery alone has on record, where a backup goes on without it.

    Raises BackupError where that has changes in it: then the gallery is no standby.
    """
    if parted == source.events:
        return []
    own = own_entries(connection, parted)
    if own is None:
        raise another_course(source)
    return own


def record_again(log: Log, connection: Connection, own: list[Entry]) -> None:
    """Put entries on record behind those that are there, as of their own time."""
    for entry in own:
        who = Who(entry.actor, entry.key, entry.purpose)
        log.append(connection, microseconds(entry.time), who, [entry.event])


def _is_look(event: events.Event) -> bool:
    if isinstance(event, events.SubjectErased):
        return event.reason not in ("asked", "collection")  # but by a rule, or a restoration
    if isinstance(event, events.FacesErased):
        return event.reason != "asked"
    return isinstance(event, _LOOKS)


@contextlib.contextmanager
def opened_copy(copy: Path, folder: Path, key_file: Path) -> Iterator[Keyring]:
    """Give a copy of the keyring, opened: a private copy of it, which nobody can exchange.

    ``folder`` is where the keyring is to be, and ``key_file`` has the master key. Raises
    KeyringError.
    """
    shown = repr(str(copy))
    with tempfile.TemporaryDirectory(
        prefix=".restoring-", dir=folder if folder.is_dir() else None
    ) as name:
        try:
            shutil.copyfile(copy, Path(name) / FILE)
        except OSError as error:
            raise KeyringUnavailable(
                f"the copy of the keyring {shown} cannot be read: {error.strerror or error}"
            ) from error
        keyring = Keyring(Path(name), key_file=key_file, create=False, shown=shown)
        try:
            yield keyring
        finally:
            keyring.close()


def adopt(keyring: Keyring, copy: Keyring, *, standby: bool) -> None:
    """Let the keyring in place hold what a copy of the primary's holds.

    ``standby`` says that nothing in place is lost by that: its gallery is one, or there is none and
    the copy knows everything. Raises BackupError or KeyringError.
    """
    if not standby:
        raise BackupError(
            "the copy of the keyring must not take the place of the keyring that is there, which "
            "knows of people, or of what ended, that the copy does not: restore without the copy"
        )
    keyring.adopt(copy)
