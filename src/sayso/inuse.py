"""Who uses a data folder: a lock that its processes share, or one who replaces files has alone.

The lock is on a file and goes with the process, however that ends. The file itself stays.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

#: The file in a data folder that the lock is on.
FILE = "in-use.lock"
_LOOK = 0.05


class InUse(Exception):
    """Other processes use the folder, or replace what is in it."""


class Use:
    """The use of a folder by this process, from now until ``end``; shared with others.

    Waits up to ``timeout`` seconds where what is in the folder is being replaced, and raises InUse
    then; OSError where the folder cannot be used.
    """

    def __init__(self, folder: Path, timeout: float) -> None:
        self._descriptor = _locked(folder, fcntl.LOCK_SH, timeout)

    def end(self) -> None:
        """Let go of the folder; more than once does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep everybody from using a folder meanwhile; raises InUse at once where somebody does."""
    descriptor = _locked(folder, fcntl.LOCK_EX, 0)
    try:
        yield
    finally:
        os.close(descriptor)


def _locked(folder: Path, how: int, timeout: float) -> int:
    limit = time.monotonic() + timeout
    while True:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(folder / FILE, flags, 0o600)
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
            # It may have been deleted since: then it is not the one that others lock.
            if os.path.samestat(os.fstat(descriptor), os.stat(folder / FILE)):  # noqa: PTH116
                return descriptor
        except BlockingIOError:
            if time.monotonic() >= limit:
                os.close(descriptor)
                raise InUse from None
            time.sleep(_LOOK)
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
