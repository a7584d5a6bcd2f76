"""Files that are either whole or not there, and hashes of what was really read."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path

from sayso.durable import put_in_place, sync_folder

#: Temporary files start like this; one that a killed process left is swept by the next install.
TEMPORARY_PREFIX = ".tmp-"


def sha256_of(content: bytes) -> str:
    """Return the sha256 of ``content`` in hex."""
    return hashlib.sha256(content).hexdigest()


def read_bounded(path: Path, limit: int) -> bytes:
    """Read the regular file at ``path``, at most ``limit`` + 1 bytes of it; raises OSError.

    A length of more than ``limit`` tells the caller that the file is longer than it may be.
    Anything but a regular file is refused before it is read: a pipe would never end.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("not a regular file")
        return file.read(limit + 1)


def write_atomically(path: Path, content: bytes, *, replace: bool = True) -> None:
    """Put ``content`` at ``path`` so that a kill at any moment leaves the old file or the new one.

    Raises OSError when the folder cannot be written or is full, and without ``replace``
    FileExistsError for a path that is taken.
    """
    temporary = path.parent / f"{_unfinished(path)}{secrets.token_hex(8)}"
    # The umask is left to the system: to read it, one has to set it, for every thread at once.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        put_in_place(temporary, path, replace=replace)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(path.parent)


def sweep_unfinished(paths: Iterable[Path]) -> None:
    """Remove what killed writers have left of files that ``write_atomically`` was to make.

    Only for a caller who keeps out all who could be writing one.
    """
    by_folder: dict[Path, list[str]] = {}
    for path in paths:
        by_folder.setdefault(path.parent, []).append(_unfinished(path))
    for folder, prefixes in by_folder.items():
        known = frozenset(prefixes)
        for leftover in folder.glob(f"{TEMPORARY_PREFIX}*-*"):
            if f"{leftover.name.rpartition('-')[0]}-" in known:
                with contextlib.suppress(OSError):
                    leftover.unlink()


def _unfinished(path: Path) -> str:
    """Return how the names begin of what becomes a file, beside it: of the same length for all."""
    return f"{TEMPORARY_PREFIX}{sha256_of(os.fsencode(path.name))[:16]}-"


def sweep_temporaries(folder: Path) -> None:
    """Remove what killed writers left in ``folder``; only for whoever holds the folder's lock."""
    for leftover in folder.glob(f"{TEMPORARY_PREFIX}*"):
        with contextlib.suppress(OSError):
            leftover.unlink()
