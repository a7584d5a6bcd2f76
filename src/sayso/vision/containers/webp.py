"""WebP: how large its canvas and its pictures are, and how many there are."""

from __future__ import annotations

import struct

from sayso.vision.containers.parts import Parts
from sayso.vision.errors import UnreadablePicture

#: An animated picture's frame: how much of its chunk comes before the frame's own chunks.
_FRAME_HEADER = 16


def walk_webp(data: bytes) -> Parts:
    """Walk a WebP's chunks; the size is the larger of what canvas and pictures say, by side.

    Raises ``UnreadablePicture`` when it is truncated, or has no picture.
    """
    size = int.from_bytes(data[4:8], "little") + 8
    if size > len(data):
        raise UnreadablePicture("the WEBP picture is truncated")
    width = height = frames = 0
    at, end = 12, size
    while at + 8 <= end:
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        body = data[at + 8 : at + 8 + min(length, 10)]
        if kind == b"ANMF":  # its own chunks are walked next
            frames += 1
            at += 8 + _FRAME_HEADER
            continue
        found = _size(kind, body)
        width, height = max(width, found[0]), max(height, found[1])
        at += 8 + length + (length & 1)
    if not width or not height:
        raise UnreadablePicture("the WEBP picture is damaged or truncated in its header")
    return Parts(data, width, height, others=max(0, frames - 1))


def _size(kind: bytes, body: bytes) -> tuple[int, int]:
    """Return the width and height that a chunk says; zeros where it says none."""
    if kind == b"VP8X" and len(body) == 10:
        return (
            int.from_bytes(body[4:7], "little") + 1,
            int.from_bytes(body[7:10], "little") + 1,
        )
    if kind == b"VP8L" and len(body) >= 5 and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a" and len(body) == 10:
        width, height = struct.unpack_from("<HH", body, 6)
        return width & 0x3FFF, height & 0x3FFF
    return 0, 0
