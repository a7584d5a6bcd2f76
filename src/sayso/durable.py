"""What makes files whole and durable, beyond writing their content."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

#: What a file system says that has no hard links, or not for this file.
_NO_LINKS = frozenset(
    {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK}
)


def sync_folder(folder: Path) -> None:
    """Make what was made or renamed in a folder survive a power cut, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def put_in_place(temporary: Path, target: Path, *, replace: bool = True) -> None:
    """Give a file that is complete its name; without ``replace`` only where nothing has it.

    Raises OSError: FileExistsError for a name that is taken, even since a moment.
    """
    if replace:
        temporary.replace(target)
        return
    try:
        os.link(temporary, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
    else:
        temporary.unlink()
        return
    # The name is taken first, by an empty file: whoever comes meanwhile finds it taken.
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        temporary.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            target.unlink()
        raise


def leftover_prefix(target: Path) -> str:
    """Return how the names begin of what becomes a file, beside it, once it is complete."""
    return f".{target.name}.new-"


def sweep_leftovers(target: Path) -> None:
    """Remove what those who were killed before a file was complete have left beside it.

    Whoever may be writing one must be kept out by a lock. Raises OSError.
    """
    prefix = leftover_prefix(target)
    for each in target.parent.iterdir():  # a pattern would take some signs of a name for its own
        if each.name.startswith(prefix):
            each.unlink(missing_ok=True)
