"""The keyring: a data key for each subject, and the gallery's own, apart from the gallery.

What a subject's key sealed can be read by nobody once the key is destroyed, not even in an older
copy of the gallery. That holds for as long as no copy of the keyring has the key still.

Several threads and processes may use one folder. What ``make``, ``end`` and ``rotate`` have done is
on the disk when they return.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import (
    Connection,
    func,
    select,
    update,
)

from sayso.errors import KeyringError, KeyringUnavailable, MasterKeyWrong
from sayso.keyring import copies, endings, schema, wraps
from sayso.keyring.database import Database, driver_rows
from sayso.keyring.endings import Ending, Kind
from sayso.keyring.master import KeyFile, MasterKey
from sayso.keyring.sealing import DataKey

_log = logging.getLogger(__name__)

#: The file of the master key, unless another one is named.
KEY_FILE = "master.key"
_ATTEMPTS = 5
_TIMEOUT = 60.0

T = TypeVar("T")


class Keyring:
    """The keyring in a folder, opened with the master key in ``key_file``.

    The key file is ``master.key`` in the folder unless named. Where there is no keyring, one is
    made, with its folder if need be, for its owner alone: with the master key that is in the key
    file, or with a new one where there is no such file. ``shown`` and ``shown_key`` are what
    messages call the folder and the key file; ``busy_timeout`` is how many seconds a writer waits
    for others.

    Raises KeyringUnavailable when the folder or the keyring cannot be used, and when there is none
    and ``create`` is False; MasterKeyMissing when the key file cannot be read; MasterKeyWrong when
    its key is not the keyring's; SealBroken when the gallery's own keys were tampered with.
    """

    #: The key file, if this opening generated the master key.
    made_key_file: Path | None

    def __init__(
        self,
        folder: Path,
        *,
        key_file: Path | None = None,
        create: bool = True,
        shown: str | None = None,
        shown_key: str | None = None,
        busy_timeout: float = _TIMEOUT,
    ) -> None:
        shown = shown or repr(str(folder))
        if shown_key is None:
            shown_key = repr(str(key_file)) if key_file else f"{KEY_FILE} in {shown}"
        self._shown = f"the keyring in {shown}"
        self._file = KeyFile(key_file or folder / KEY_FILE, shown_key)
        self._masters: Mapping[str, MasterKey] = {}
        self._scrubbing = threading.Lock()
        self._unscrubbed = False
        self.made_key_file = None
        self._database = Database(folder, self._shown, busy_timeout)
        try:
            if not self._database.there():
                self._prepare(create)
            self._database.check()
            self._system = self._using_master(self._database.read, wraps.system_keys)
            self._file.warn()
            self._scrub()  # whoever was here before may have been killed before doing it
            self._tidy()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close every connection; the keyring must not be used any more."""
        self._database.close()

    @property
    def key_file(self) -> Path:
        """The file that the master key is read from."""
        return self._file.path

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that tell the master key from others."""
        with self._database.read() as connection:
            return wraps.fingerprint(connection)

    @property
    def folder(self) -> Path:
        """The folder that the keyring is in."""
        return self._database.path.parent

    def check_files(self) -> None:
        """Raise KeyringUnavailable where the keyring's files are not there any more."""
        self._database.check_files()

    def probe(self) -> None:
        """Commit, and change nothing; raises KeyringError where no key could be made.

        Or where the master key is not in its file any more: what is sealed from now on could not
        be opened after a restart.
        """
        with self._database.write() as connection:
            connection.execute(update(schema.master).values(id=schema.master.c.id))
        self._file.read()

    def make(self, subjects: Sequence[str]) -> dict[str, DataKey]:
        """Return a key for each subject, by its id: a new one for each that has none yet.

        Raises KeyringError when one of them was ended; then no key was made.
        """
        asked = {wraps.subject_bytes(subject): subject for subject in subjects}

        def work(connection: Connection, master: MasterKey) -> dict[str, DataKey]:
            ended = wraps.first_ended(connection, asked)
            if ended is not None:
                raise KeyringError(
                    f"the key of subject {ended} was destroyed, and it gets no other; enrol the "
                    "person as a new subject"
                )
            return wraps.make(connection, master, asked)

        keys = self._using_master(self._database.write, work)
        if self._unscrubbed:
            self._scrub()
        return keys

    def keep(self, keys: Mapping[str, DataKey]) -> None:
        """Put in the new keys of subjects, by their ids, that something was sealed under already.

        They are durable when this returns: only then may what they sealed be committed elsewhere.
        """
        raw = {wraps.subject_bytes(subject): key for subject, key in keys.items()}
        self._using_master(
            self._database.write, lambda connection, master: wraps.keep(connection, master, raw)
        )
        if self._unscrubbed:
            self._scrub()

    def find(self, subjects: Iterable[str]) -> dict[str, DataKey]:
        """Return the keys of those subjects that have one, by the subject's id.

        Raises SealBroken when the keyring was tampered with.
        """
        asked = {wraps.subject_bytes(subject): subject for subject in subjects}
        return self._using_master(
            self._database.read, lambda connection, master: wraps.find(connection, master, asked)
        )

    def end(self, ended: Sequence[Ending]) -> bool:
        """Remember endings, and destroy the keys of the subjects among them; all or none of it.

        What ended before keeps its time; but a user or a link, which can be made anew, has the
        last. What is remembered of a subject's faces goes when the subject does.

        Returns True when nothing of a destroyed key is left in the files. False where another
        process reads at that moment: then it goes with the next change or opening, or when this is
        asked again.
        """
        with self._database.write() as connection:
            gone = endings.keep(connection, ended)
        if gone or self._unscrubbed:
            self._scrub()
        return not self._unscrubbed

    def ended(self, kind: Kind) -> dict[str, int]:
        """Return what of that kind ended: when, by its id."""
        table = schema.endings
        with self._database.read() as connection:
            query = select(table.c.id, table.c.at).where(table.c.kind == kind)
            return dict(driver_rows(connection, query))

    def count(self) -> int:
        """Return how many subjects have a key."""
        with self._database.read() as connection:
            query = select(func.count()).select_from(schema.data_keys)
            return int(connection.execute(query).scalar_one())

    def signing_key(self) -> Ed25519PrivateKey:
        """Return the key that signs the audit log; it is the same for ever."""
        return Ed25519PrivateKey.from_private_bytes(self._system[wraps.SIGNING].raw)

    def secrets(self) -> DataKey:
        """Return the key that the secrets of access keys are sealed with."""
        return self._system[wraps.SECRETS]

    def digests(self) -> DataKey:
        """Return the key of the digests that names and pictures are known again by."""
        return self._system[wraps.DIGESTS]

    def rotate(self, to: Path | None = None) -> str:
        """Wrap every key with another master key, and return that one's fingerprint.

        Without ``to``, a new key takes the place of the old one in the key file: no other keyring
        may use that file. With it, the key in that file is taken, or one is made there, and the
        old file is left alone; every later opening must name the new one. Killed at any moment,
        this leaves a keyring that opens with the key file it had or, with ``to``, with one of the
        two. Other processes go on, but for those that know the old file only, after ``to``.

        A copy of the keyring that was made before needs the old key.

        Raises KeyringError when ``to`` has the key that is in use, and KeyringUnavailable when the
        key file cannot be replaced or written; the keyring is then as it was.
        """
        with self._database.locked():
            file = self._file if to is None else KeyFile(to, repr(str(to)))
            new = MasterKey.generate() if to is None else _key_in(file)

            def work(connection: Connection, old: MasterKey) -> None:
                if new.fingerprint == old.fingerprint:
                    raise KeyringError(
                        f"{file.shown} has the master key that is in use; name another file, or "
                        "one that is not there yet"
                    )
                self._masters = {old.fingerprint: old, new.fingerprint: new}
                if to is None:
                    file.replace([new, old])
                wraps.rewrap(connection, old, new)

            self._using_master(self._database.write, work)
            if to is None:
                self._forget_old(new)
            self._file = file
            self._masters = {new.fingerprint: new}
        self._scrub()
        return new.fingerprint

    def copy(self, target: Path) -> None:
        """Write a copy, consistent while the keyring is in use, over whatever ``target`` is.

        It opens with the master key of this moment, which is not in it.

        Raises KeyringUnavailable when it cannot be written, and KeyringError when ``target`` is the
        keyring itself or a database in use.
        """
        with self._database.write() as connection:
            connection.execute(copies.marking())
        self._database.copy(target)

    def install(self, folder: Path) -> None:
        """Make a keyring in a folder that has none, which holds what this one does.

        Raises KeyringUnavailable.
        """
        place = Database(folder, f"the keyring in {str(folder)!r}", _TIMEOUT)
        try:
            if not place.there():
                place.install(self._database)
        finally:
            place.close()

    def knows_more_than(self, copy: Keyring) -> bool:
        """Return whether there are keys or endings here that a copy knows nothing of."""
        with self._database.read() as own, copy._database.read() as other:
            return copies.knows_more(own, other)

    def adopt(self, copy: Keyring) -> None:
        """Hold what a copy holds from now on, and nothing of before; all or none of it.

        Keys that the copy does not have are destroyed, and what ended since it was made is
        forgotten. Raises KeyringError for a copy of another keyring, and one that is older than
        the copy that was adopted before.
        """
        copies.check(self, copy)
        self._database.take_over(copy._database)
        self._scrub()

    def _prepare(self, create: bool) -> None:
        """Make the keyring, in one process at a time."""
        if not create:
            raise KeyringUnavailable(
                f"{self._shown} is not there; put it back from your copy of the keyring, or set "
                "SAYSO_KEYRING_DIR to where it is"
            )
        self._database.make_folder()
        with self._database.locked():
            # Another process may have done it while this one waited.
            if self._database.there():
                return
            self._database.check_unmade()
            if self._file.there():
                master = self._file.read()[0]
            else:
                master = MasterKey.generate()
                self._file.create(master)
                self.made_key_file = self._file.path
            self._database.create(lambda connection: wraps.fill(connection, master))

    def _using_master(
        self,
        connect: Callable[[], contextlib.AbstractContextManager[Connection]],
        work: Callable[[Connection, MasterKey], T],
    ) -> T:
        """Do what needs the master key that wraps the keys in the state the connection sees."""
        for _ in range(_ATTEMPTS):
            with connect() as connection:
                fingerprint = wraps.fingerprint(connection)
                master = self._master(fingerprint)
                if master is not None:
                    return work(connection, master)
            # The file may be ahead of that state, where another process rotates: look again.
        raise MasterKeyWrong(
            f"{self._shown} is wrapped by the master key {fingerprint}, which is not in "
            f"{self._file.shown}; set SAYSO_KEY_FILE to the file that has it (where it was rotated "
            "to another file, that one), or put it back from your copy"
        )

    def _master(self, fingerprint: str) -> MasterKey | None:
        masters = self._masters
        if fingerprint not in masters:
            masters = {key.fingerprint: key for key in self._file.read()}
            self._masters = masters
        return masters.get(fingerprint)

    def _tidy(self) -> None:
        """Remove the master keys that a rotation that was killed has left, unless one goes on."""
        if self._file.untidy():
            with (
                contextlib.suppress(KeyringUnavailable),
                self._database.locked(timeout=0),
            ):
                self._file.tidy(self.fingerprint)

    def _forget_old(self, new: MasterKey) -> None:
        """Take the old master key out of the key file, after a rotation."""
        try:
            self._file.replace([new])
        except KeyringUnavailable as error:
            _log.warning("the old master key is still in its file, too: %s", error)

    def _scrub(self) -> None:
        with self._scrubbing:
            self._unscrubbed = not self._database.scrub()


def _key_in(file: KeyFile) -> MasterKey:
    """Return the current key of a file that is there, or of one that is made now."""
    if file.there():
        key = file.read()[0]
        file.warn()
        return key
    new = MasterKey.generate()
    file.create(new)
    return new
