"""The one thing that pixels need of EXIF data."""

from __future__ import annotations

import struct


def orientation_of(exif: bytes) -> int:
    """Find the orientation, 1 to 8, in the first directory of EXIF data; 1 when it has none."""
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None or len(exif) < 14:
        return 1
    (at,) = struct.unpack_from(order + "I", exif, 4)
    if at + 2 > len(exif):
        return 1
    (count,) = struct.unpack_from(order + "H", exif, at)
    for entry in range(at + 2, min(at + 2 + 12 * count, len(exif) - 11), 12):
        tag, kind, values, value = struct.unpack_from(order + "HHIH", exif, entry)
        if tag == 0x0112:
            return int(value) if kind == 3 and values == 1 and 1 <= value <= 8 else 1
    return 1
