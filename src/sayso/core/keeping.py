"""Keeping a gallery: the master key, copies of the keyring, backups."""

from __future__ import annotations

from pathlib import Path

from sayso.audit.events import BackupMade, KeyringCopied, KeyringRead, MasterKeyRotated
from sayso.callers import ACTIONS
from sayso.core.base import Base
from sayso.gallery import backup
from sayso.results import Backup, KeyringStatus


class Keeping(Base):
    """What can be done to keep a gallery and its keys."""

    def keyring_status(self) -> KeyringStatus:
        """Return what the keyring holds, and where its master key is."""
        with self._act(self._admit("admin", everywhere=True)) as act:
            act.record(KeyringRead())
        keyring = self._resources.keyring
        return KeyringStatus(
            keyring.fingerprint, keyring.count(), keyring.key_file, keyring.made_key_file
        )

    def rotate_master_key(self, to: Path | None = None) -> str:
        """Wrap every key under a new master key; return its fingerprint.

        It goes into the key file, or into the file ``to``, from where it is to be used from then
        on. Nothing that is sealed is written anew, and other processes go on working. Raises
        KeyringError.
        """
        with self._act(self._admit("admin", everywhere=True)) as act:
            fingerprint = self._resources.keyring.rotate(to)
            act.record(MasterKeyRotated(fingerprint=fingerprint))
        return fingerprint

    def copy_keyring(self, target: Path) -> None:
        """Copy the keyring, consistently, to a file that replaces an older copy there.

        Raises KeyringError, or BackupError for a file that the gallery itself needs.
        """
        call = self._admit("admin", everywhere=True)
        self._require_foreign(target)
        with self._act(call) as act:
            act.record(KeyringCopied())
        self._resources.keyring.copy(target)

    def backup(self, target: Path, *, keyring: Path | None = None) -> Backup:
        """Write a consistent copy of the gallery to a file, while it is in use.

        The keys are not in it. ``keyring`` is where to copy them, to a folder of its own. A file
        that is there is replaced, once the new one is whole. That a backup is made goes on record
        before, so that the backup has it, too, even if writing it fails then.

        Raises BackupError, or KeyringError when the keyring cannot be copied: the backup has been
        written then.
        """
        call = self._admit("admin", everywhere=True)
        resources = self._resources
        real = backup.check_targets(
            resources.store,
            resources.keyring,
            resources.settings.keyring_dir,
            target=target,
            keyring_copy=keyring,
        )
        with self._act(call) as act:
            act.record(BackupMade(events=backup.entries(act.connection)))
        made = backup.write(resources.store, resources.keyring, real, target)
        if keyring is not None:
            # After the backup: so it has the key of everybody who is in there.
            self.copy_keyring(keyring)
        return made

    def require_foreign(self, target: Path) -> None:
        """Raise BackupError where a file to be written is one that the gallery itself needs."""
        self._admit(*ACTIONS)
        self._require_foreign(target)

    def _require_foreign(self, target: Path) -> None:
        resources = self._resources
        folder = resources.settings.keyring_dir
        backup.require_foreign(resources.store, resources.keyring, folder, target)
