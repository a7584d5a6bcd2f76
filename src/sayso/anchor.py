"""Whether the files of an open database still have their names.

A file that was moved or deleted stays open for the process that has it: what is written there is
lost to everybody else. So a database's files are known by device and inode, and looked up by name
after a commit, before anything is acknowledged.
"""

from __future__ import annotations

from pathlib import Path

#: What SQLite keeps beside a database with a write-ahead log while it is open.
_BESIDE = ("-wal", "-shm")

_Identity = tuple[int, int]


class Anchor:
    """The files of a database that was opened and read just now, by device and inode.

    Their names lead to the same files for as long as any process has the database open.
    """

    def __init__(self, database: Path) -> None:
        names = (database, *(database.with_name(database.name + each) for each in _BESIDE))
        self._files = {
            name: found for name in names if (found := _identity(name)) or name == database
        }

    def lost(self) -> str | None:
        """Return the name of a file that is not there any more, or another one; None if none is."""
        for name, known in self._files.items():
            if known is None or _identity(name) != known:
                return name.name
        return None


def _identity(path: Path) -> _Identity | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def moved(name: str) -> str:
    """Return what to say of a file that was lost, and what to do."""
    return (
        f"{name} was moved, deleted or replaced while it was in use, and what is done now would be "
        "lost: stop every process that uses the gallery, put its files back or restore a backup, "
        "and start again"
    )
