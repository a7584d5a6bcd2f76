"""GIF: its first frame, and how many there are (GIF89a specification)."""

from __future__ import annotations

import struct

from sayso.vision.containers.parts import Parts
from sayso.vision.errors import UnreadablePicture

_EXTENSION, _FRAME, _TRAILER = 0x21, 0x2C, 0x3B


def walk_gif(data: bytes) -> Parts:
    """Walk a GIF's blocks; the essence ends after the first frame.

    The size is what the logical screen and the first frame need together, which is what a decoder
    allocates. Raises ``UnreadablePicture`` when it is truncated before the end of that frame.
    """
    width, height, flags = _unpack("<HHB", data, 6)
    at = 13 + _colours(flags)
    frames = end = 0
    while at < len(data) and data[at] != _TRAILER:
        if data[at] == _EXTENSION:
            at = _skip_blocks(data, at + 2, required=not frames)
        elif data[at] == _FRAME:
            if not frames:
                x, y, across, down, flags = _unpack("<HHHHB", data, at + 1)
                width, height = max(width, x + across), max(height, y + down)
            elif at + 10 > len(data):
                break
            at = _skip_blocks(data, at + 11 + _colours(data[at + 9]), required=not frames)
            frames += 1
            end = end or at
        else:
            break
    if not frames:
        raise UnreadablePicture("the GIF picture is damaged or truncated: it has no frame")
    return Parts(data[:end] + bytes([_TRAILER]), width, height, others=frames - 1)


def _colours(flags: int) -> int:
    """Return how many bytes a table of colours has; 0 where there is none."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _skip_blocks(data: bytes, at: int, *, required: bool) -> int:
    """Return where a chain of blocks ends; where it is cut, the end of the file."""
    while at < len(data) and data[at]:
        at += 1 + data[at]
    if at >= len(data) and required:
        raise UnreadablePicture("the GIF picture is truncated")
    return at + 1


def _unpack(form: str, data: bytes, at: int) -> tuple[int, ...]:
    try:
        return struct.unpack_from(form, data, at)
    except struct.error:
        raise UnreadablePicture("the GIF picture is truncated") from None
