"""PNG: its chunks, and whether they hold all the pixels that they declare."""

from __future__ import annotations

import struct
import zlib
from typing import Final

from sayso.vision.containers.parts import MAX_PROFILE, Parts
from sayso.vision.errors import UnreadablePicture

_MAX_CHUNKS: Final = 100_000


def walk_png(data: bytes) -> Parts:
    """Walk a PNG's chunks to its end, checking the checksum of every one that matters.

    Raises ``UnreadablePicture`` when the file is truncated or a checksum does not match. Of an
    animated PNG the default picture is left, and the other frames are counted.
    """
    if data[12:16] != b"IHDR" or len(data) < 33:
        raise UnreadablePicture("the PNG picture is truncated in its header")
    width, height = struct.unpack_from(">II", data, 16)
    kept = [data[:8]]
    exif = profile = b""
    others = 0
    at = 8
    view = memoryview(data)
    for _ in range(_MAX_CHUNKS):
        if at + 12 > len(data):
            raise UnreadablePicture("the PNG picture is truncated: it has no end")
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 12 + length
        if end > len(data):
            raise UnreadablePicture("the PNG picture is truncated")
        kind = data[at + 4 : at + 8]
        if kind == b"acTL" and length == 8:
            others = max(0, int.from_bytes(data[at + 8 : at + 12], "big") - 1)
        if not kind[0] & 0x20 or kind in (b"tRNS", b"eXIf", b"iCCP"):  # critical, or used
            _check_chunk(kind, view[at:end], first=at == 8)
            if kind == b"eXIf":
                exif = data[at + 8 : end - 4]
            elif kind == b"iCCP":
                profile = _inflate_profile(data[at + 8 : end - 4])
            else:
                kept.append(data[at:end])
        if kind == b"IEND":
            return Parts(b"".join(kept), width, height, exif, profile, others)
        at = end
    raise UnreadablePicture(f"the PNG picture has over {_MAX_CHUNKS:,} chunks")


def _check_chunk(kind: bytes, chunk: memoryview, *, first: bool) -> None:
    if (kind == b"IHDR") is not first:
        raise UnreadablePicture("the PNG picture is damaged: it has two headers")
    if zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:], "big"):
        raise UnreadablePicture("the PNG picture is damaged: a checksum does not match")


def _inflate_profile(chunk: bytes) -> bytes:
    packed = chunk.partition(b"\0")[2][1:]
    inflater = zlib.decompressobj()
    try:
        profile = inflater.decompress(packed, MAX_PROFILE)
    except zlib.error:
        return b""
    return profile if inflater.eof else b""


def check_png_pixels(essence: bytes) -> None:
    """Raise ``UnreadablePicture`` unless a PNG holds as many bytes of pixels as it declares."""
    width, height, depth, colour, _, _, interlace = struct.unpack_from(">IIBBBBB", essence, 16)
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 1)
    expected = _png_bytes(width, height, bits, interlaced=bool(interlace))
    inflater = zlib.decompressobj()
    at, found = 8, 0
    while at < len(essence) and found < expected:
        (length,) = struct.unpack_from(">I", essence, at)
        if essence[at + 4 : at + 8] == b"IDAT":
            packed = essence[at + 8 : at + 8 + length]
            while packed and found < expected and not inflater.eof:
                found += len(inflater.decompress(packed, 1 << 20))
                packed = inflater.unconsumed_tail
        at += 12 + length
    if found < expected:
        raise UnreadablePicture(
            f"the PNG picture is damaged: {found:,} of {expected:,} bytes of pixels"
        )


def _png_bytes(width: int, height: int, bits: int, *, interlaced: bool) -> int:
    """Count the bytes of a PNG's filtered rows (PNG specification, 8.2)."""
    passes = [(0, 0, 1, 1)]
    if interlaced:
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)]
        passes += [(0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    total = 0
    for x, y, across, down in passes:
        columns, rows = -(-(width - x) // across), -(-(height - y) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * bits + 7) // 8)
    return total
