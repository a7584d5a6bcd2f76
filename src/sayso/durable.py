"""What makes files whole and durable, beyond writing their content."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Make what was made or renamed in a folder survive a power cut, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


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
