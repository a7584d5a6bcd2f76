"""The master key, which wraps every other, and the file that it is in.

The file is text: comments, and one line for each key, the current one first::

    sayso-master-key-1 FINGERPRINT KEY

FINGERPRINT is 16 hexadecimal digits, the first of HMAC-SHA256(key, "sayso master key"), and KEY
the 32 bytes in Base64. There is a second line only while the keyring is being rewrapped.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import errno
import hashlib
import hmac
import logging
import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sayso.durable import leftover_prefix, sweep_leftovers, sync_folder
from sayso.errors import KeyringUnavailable, MasterKeyMissing, MasterKeyWrong
from sayso.keyring.sealing import KEY_BYTES, seal, unseal

_log = logging.getLogger(__name__)

_TAG = "sayso-master-key-1"
_COMMENT = (
    "# The master key of a Sayso gallery. Whoever loses this file loses the gallery: without it\n"
    "# nobody can read it again. Keep a copy in a safe place, apart from the gallery.\n"
)
_LARGEST = 64 << 10
_OTHERS = stat.S_IROTH | stat.S_IWOTH | stat.S_IWGRP
# What a file system without hard links answers; some answer the first for anything they lack.
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
_WITHOUT_IT = "without the master key nobody can read the gallery again"


class MasterKey:
    """A master key, which it never shows."""

    __slots__ = ("_cipher", "_raw", "fingerprint")

    def __init__(self, raw: bytes) -> None:
        if len(raw) != KEY_BYTES:
            raise ValueError(f"a master key has {KEY_BYTES} bytes, not {len(raw)}")
        self._raw = raw
        self._cipher = AESGCM(raw)
        #: 16 hexadecimal digits that tell this key from others, and nothing about it.
        self.fingerprint = hmac.digest(raw, b"sayso master key", hashlib.sha256).hex()[:16]

    @classmethod
    def generate(cls) -> MasterKey:
        """Return a new, random key."""
        return cls(os.urandom(KEY_BYTES))

    def wrap(self, raw: bytes, context: bytes) -> bytes:
        """Encrypt a key's bytes; the context says which key it is."""
        return seal(self._cipher, raw, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Return the bytes of the key that was wrapped; raises SealBroken."""
        return unseal(self._cipher, wrapped, context)

    def line(self) -> str:
        """Return the key as its file has it."""
        return f"{_TAG} {self.fingerprint} {base64.b64encode(self._raw).decode()}\n"

    def __repr__(self) -> str:
        return f"MasterKey({self.fingerprint})"

    def __reduce__(self) -> str:
        raise TypeError("a MasterKey is not pickled: it would leave its file in the clear")


class KeyFile:
    """The file of a master key; ``shown`` is what messages call it."""

    def __init__(self, path: Path, shown: str) -> None:
        self.path = path
        self.shown = shown
        self._mode = 0  # of the file that was read last

    def there(self) -> bool:
        """Tell whether the name is taken, be it by a link that leads nowhere."""
        return os.path.lexists(self.path)

    def read(self) -> tuple[MasterKey, ...]:
        """Return the keys in the file, the current one first.

        Raises MasterKeyMissing when there is none or it cannot be read, and MasterKeyWrong when
        its content is not what it should be.
        """
        try:
            # A pipe could be read once only, and opening it could wait for ever.
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
            with open(descriptor, "rb") as file:  # noqa: PTH123 - it is open already
                self._mode = os.fstat(descriptor).st_mode
                if not stat.S_ISREG(self._mode):
                    raise self._missing("it is not a file")
                content = file.read(_LARGEST + 1)
        except FileNotFoundError:
            reason = "it is a link to nothing" if self.there() else "there is no such file"
            raise self._missing(reason) from None
        except OSError as error:
            raise self._missing(error.strerror or "it cannot be read") from error
        return self._parsed(content)

    def warn(self) -> None:
        """Log a warning when others than its owner and group can read the file that was read."""
        mode = self._mode
        if mode & _OTHERS:
            _log.warning(
                "other users of this computer can read or change the master key %s (mode %o); "
                "make it its owner's alone, with chmod 600",
                self.shown,
                stat.S_IMODE(mode),
            )

    def create(self, key: MasterKey) -> None:
        """Write a file that was not there, for its owner alone; it is durable on return.

        Raises KeyringUnavailable when the name is taken or the file cannot be written. A kill
        leaves a whole file or none of that name.
        """
        try:
            with _written(self.path, [key]) as new:
                _take_name(new, self.path)
            sync_folder(self.path.parent)
        except FileExistsError:
            raise KeyringUnavailable(
                f"the master key cannot be written to {self.shown}: a file or link of that name "
                "is there, and it is never overwritten; move it away or name another"
            ) from None
        except OSError as error:
            raise KeyringUnavailable(
                f"the master key cannot be written to {self.shown}: {error.strerror or error}"
            ) from error

    def replace(self, keys: Sequence[MasterKey]) -> None:
        """Put other keys into the file, at once and durably; owner and mode stay.

        Raises KeyringUnavailable, and leaves the file as it was, when it is read-only or cannot
        be replaced: a container's secret, for example. Only one process may do this at a time.
        """
        try:
            target = self.path.resolve(strict=True)
            before = target.stat()
            if not before.st_mode & stat.S_IWUSR:
                raise self._fixed("it is read-only")
            sweep_leftovers(target)  # of one that was killed, with keys in them
            with _written(target, keys, like=before) as new:
                new.rename(target)
            sync_folder(target.parent)
        except OSError as error:
            raise self._fixed(error.strerror or str(error)) from error

    def untidy(self) -> bool:
        """Tell whether there are keys in or beside the file that may be those of a rotation."""
        try:
            target = self.path.resolve()
            prefix = leftover_prefix(target)
            beside = any(each.name.startswith(prefix) for each in target.parent.iterdir())
        except (OSError, RuntimeError):  # it may be readable in a folder that is not
            beside = False
        return beside or len(self.read()) > 1

    def tidy(self, fingerprint: str) -> None:
        """Remove the keys that a rotation that was killed has left in and beside the file.

        ``fingerprint`` is of the key in use; nobody may be rotating meanwhile. If that key is not
        the first one, the rotation did not get as far as using its new one, and both are left for
        the next to replace. What cannot be removed is left with a warning.
        """
        try:
            sweep_leftovers(self.path.resolve())
        except (OSError, RuntimeError) as error:
            reason = getattr(error, "strerror", None) or "its folder cannot be used"
            _log.warning("master keys of before may be left beside %s: %s", self.shown, reason)
        current, *others = self.read()
        if others and current.fingerprint == fingerprint:
            try:
                self.replace([current])
            except KeyringUnavailable as error:
                _log.warning("an old master key is still in its file, too: %s", error)

    def _parsed(self, content: bytes) -> tuple[MasterKey, ...]:
        if len(content) > _LARGEST:
            raise self._damaged("it is too large for one")
        keys = []
        for number, line in enumerate(content.split(b"\n"), 1):
            if line.strip() and not line.startswith(b"#"):
                key = _key_of(line)
                if key is None:
                    raise self._damaged(f"line {number} is damaged")
                keys.append(key)
        if not keys:
            raise self._damaged("it is empty" if not content.strip() else "it has no key in it")
        return tuple(keys)

    def _missing(self, reason: str) -> MasterKeyMissing:
        return MasterKeyMissing(
            f"the master key cannot be read from {self.shown}: {reason}; {_WITHOUT_IT}; put it "
            "back from your copy, or set SAYSO_KEY_FILE to where it is"
        )

    def _damaged(self, reason: str) -> MasterKeyWrong:
        return MasterKeyWrong(
            f"{self.shown} is no file of a master key: {reason}; {_WITHOUT_IT}; put it back from "
            "your copy, or set SAYSO_KEY_FILE to where it is"
        )

    def _fixed(self, reason: str) -> KeyringUnavailable:
        return KeyringUnavailable(
            f"the master key in {self.shown} cannot be replaced: {reason}; give the new one a "
            "file of its own, with --to FILE"
        )


def _key_of(line: bytes) -> MasterKey | None:
    """Return the key of a line of the file; None when anything about it is wrong."""
    try:
        tag, fingerprint, encoded = line.decode("ascii").split()
        key = MasterKey(base64.b64decode(encoded, validate=True))
    except (ValueError, binascii.Error):
        return None
    return key if (tag, fingerprint) == (_TAG, key.fingerprint) else None


@contextlib.contextmanager
def _written(
    path: Path, keys: Sequence[MasterKey], like: os.stat_result | None = None
) -> Iterator[Path]:
    """Give a complete, synced file beside ``path``, with the owner and mode of ``like``."""
    descriptor, name = tempfile.mkstemp(prefix=leftover_prefix(path), dir=path.parent)  # mode 0600
    new = Path(name)
    try:
        with open(descriptor, "w", encoding="ascii") as file:  # noqa: PTH123 - it is open already
            if like is not None:
                made = os.fstat(descriptor)
                if (made.st_uid, made.st_gid) != (like.st_uid, like.st_gid):
                    # So that the service can still read what an administrator rotated.
                    os.fchown(descriptor, like.st_uid, like.st_gid)
                os.fchmod(descriptor, stat.S_IMODE(like.st_mode))
            file.write(_COMMENT + "".join(key.line() for key in keys))
            file.flush()
            os.fsync(descriptor)
        yield new
    finally:
        new.unlink(missing_ok=True)


def _take_name(new: Path, path: Path) -> None:
    """Give a file its name, unless that is taken: a link never replaces, a rename would."""
    try:
        path.hardlink_to(new)
    except OSError as error:
        if error.errno not in _NO_LINKS or os.path.lexists(path):
            raise
        new.rename(path)
