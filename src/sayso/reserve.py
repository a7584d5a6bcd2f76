"""Room on the disk that is kept for erasing, so that a full disk keeps nobody from being erased.

A file takes the room while there is some. Whatever ends something (an erasure, a withdrawal, a
revoked key) gives it back to the file system for as long as it takes, where the disk is full, and
takes it again afterwards.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

#: The name of the file in its folder, and its size in bytes.
FILE = "reserve"
SIZE = 4 << 20
#: What must be free beside it, in bytes, for anything else to be done.
ROOM = 1 << 20
_STEP = 128 << 10
#: Seconds that a look at the room may be waited for, when another process takes one.
_PROBE = 0.2
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FLAGS = os.O_RDWR | os.O_CLOEXEC


class Reserves:
    """The reserve of a data folder, and that of its keyring's folder if that is on another disk."""

    def __init__(self, *folders: Path) -> None:
        self._folders = folders
        self._short = False  # a quota is not in what the file system says of itself

    def noticed_full(self) -> None:
        """Take note that something could not be written."""
        self._short = True

    def tend(self) -> None:
        """Make every reserve as large as it should be, as far as there is room."""
        if self._short:
            self.room()
            return
        for each in self._apart():
            _tend(each)

    def room(self) -> bool:
        """Make every reserve whole, and return whether there is room beyond."""
        found = [_tend(each, beyond=ROOM) for each in self._apart()]
        self._short = not all(found)
        return not self._short

    @contextlib.contextmanager
    def lent(self) -> Iterator[None]:
        """Give the reserves of full disks back to the file system meanwhile."""
        with contextlib.ExitStack() as stack:
            lent = [
                stack.enter_context(_given_back(each))
                for each in self._apart()
                if self._short or _is_full(each)
            ]
            yield
        if lent:
            self.tend()

    def _apart(self) -> list[Path]:
        """Return the folders that are there, one of each disk."""
        found: dict[int, Path] = {}
        for each in self._folders:
            with contextlib.suppress(OSError):
                found.setdefault(each.stat().st_dev, each)
        return list(found.values())


def _is_full(folder: Path) -> bool:
    try:
        disk = os.statvfs(folder)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < SIZE


@contextlib.contextmanager
def _given_back(folder: Path) -> Iterator[None]:
    try:
        descriptor = os.open(folder / FILE, _FLAGS)
    except OSError:  # there is none
        yield
        return
    try:
        # Shared by all who need the room, against those who would take it again.
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        os.ftruncate(descriptor, 0)
        yield
    finally:
        os.close(descriptor)


def _tend(folder: Path, beyond: int = 0) -> bool:
    """Make a reserve whole; return whether it is, and whether so much more could be taken."""
    path = folder / FILE
    try:
        if not beyond and path.stat().st_size >= SIZE:
            return True
    except OSError:
        pass
    try:
        descriptor = os.open(path, _FLAGS | os.O_CREAT, 0o600)
    except OSError:
        return False
    try:
        _lock(descriptor)
        for start in range(os.fstat(descriptor).st_size, SIZE, _STEP):
            _allocate(descriptor, start, min(_STEP, SIZE - start))
        if beyond:  # taken, and given back at once: what a file system says may not be so
            try:
                _allocate(descriptor, SIZE, beyond)
            finally:
                os.ftruncate(descriptor, SIZE)
    except BlockingIOError:  # somebody uses the room just now
        return False
    except OSError as error:
        if error.errno not in _FULL:
            raise
        return False
    finally:
        os.close(descriptor)
    return True


def _lock(descriptor: int) -> None:
    """Lock a reserve; raises BlockingIOError where another has the room for longer than a probe."""
    ends = time.monotonic() + _PROBE
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= ends:
                raise
            time.sleep(_PROBE / 20)


def _allocate(descriptor: int, start: int, length: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, start, length)
    else:  # random, since zeros may take no room
        os.pwrite(descriptor, os.urandom(length), start)
