"""Whether a process that is limited in memory has enough for the models."""

from __future__ import annotations

import mmap
import resource
from pathlib import Path
from typing import Final

from sayso.vision.errors import NotEnoughMemory

#: Address space that loading and running the models takes, in bytes: measured with OpenVINO, which
#: ends the process rather than say that it has too little.
_NEEDED: Final = 1_200_000_000


def address_space() -> int:
    """Return how much address space this process has, in bytes; 0 where that is not told."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * mmap.PAGESIZE
    except OSError:
        return 0


def require_for_models() -> None:
    """Raise NotEnoughMemory where the limit on address space leaves too little for the models."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    taken = address_space()
    if limit == resource.RLIM_INFINITY or not taken or limit - taken >= _NEEDED:
        return
    raise NotEnoughMemory(
        f"this process may have {limit / 1e9:.1f} GB of address space (ulimit -v) and has "
        f"{taken / 1e9:.1f}; the models need {_NEEDED / 1e9:.1f} more: raise the limit, or limit "
        "the memory of a container instead"
    )
