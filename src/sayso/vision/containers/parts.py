"""A picture file taken apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: The largest ICC profile that is looked at, in bytes; press profiles have about 2 MB.
MAX_PROFILE: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Parts:
    """A file taken apart; ``exif`` and ``profile`` may be empty.

    ``essence`` holds one picture. ``others`` counts the pictures, pages or frames that the file
    has beside it, and ``chosen`` says which of them ``essence`` holds.
    """

    essence: bytes
    width: int
    height: int
    exif: bytes = b""
    profile: bytes = b""
    others: int = 0
    chosen: str = "the first"
