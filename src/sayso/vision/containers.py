"""What picture files say before their pixels: format, size, EXIF, ICC profile, and the essence.

The essence of a file is the file without its metadata. Decoders get no more than that: Pillow
reads EXIF, Photoshop, text and multi-picture segments eagerly, and a crafted one makes it
allocate far more than the file has bytes. Nothing here allocates more than the file's own size.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Final

from sayso.vision.errors import UnreadablePicture, UnsupportedPicture

#: The largest ICC profile that is looked at, in bytes; press profiles have about 2 MB.
MAX_PROFILE: Final = 4 << 20

_MAX_CHUNKS: Final = 100_000

_MAGIC: Final = (
    ("JPEG", b"\xff\xd8\xff"),
    ("PNG", b"\x89PNG\r\n\x1a\n"),
    ("GIF", b"GIF87a"),
    ("GIF", b"GIF89a"),
    ("TIFF", b"II*\0"),
    ("TIFF", b"MM\0*"),
    ("TIFF", b"II+\0"),
    ("TIFF", b"MM\0+"),
    ("BMP", b"BM"),
)
_AVIF_BRANDS: Final = frozenset({b"avif", b"avis"})
_HEIC_BRANDS: Final = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
)


@dataclass(frozen=True, slots=True)
class Parts:
    """A file taken apart; ``exif`` and ``profile`` may be empty.

    ``sequential`` is where in ``essence`` the only scan of a JPEG starts, None when there are
    several or it is no JPEG.
    """

    essence: bytes
    width: int
    height: int
    exif: bytes
    profile: bytes
    sequential: int | None = None


def sniff(data: bytes) -> str | None:
    """Tell the format from the first bytes, as ``Picture.format`` names it; None if unknown."""
    for form, magic in _MAGIC:
        if data.startswith(magic):
            return form
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        size = min(int.from_bytes(data[:4], "big"), 256)
        brands = {data[8:12], *(data[at : at + 4] for at in range(16, size - 3, 4))}
        if brands & _AVIF_BRANDS:
            return "AVIF"
        if brands & _HEIC_BRANDS:
            return "HEIC"
    return None


def walk_jpeg(data: bytes) -> Parts:
    """Walk a JPEG's segments up to its first scan; see ITU-T T.81, annex B.

    Raises ``UnreadablePicture`` when the header is truncated or contradicts itself and
    ``UnsupportedPicture`` for other than 8-bit baseline, sequential or progressive JPEG.
    """
    kept = [data[:2]]
    exif, profile, size, components = b"", dict[int, bytes](), None, 0
    at = 2
    while True:
        marker, at, length = _next_segment(data, at)
        payload = data[at + 2 : at + length]
        if marker == 0xDA:
            break
        if marker == 0xE1 and payload.startswith(b"Exif\0\0"):
            exif = exif or payload[6:]
        elif marker == 0xE2 and payload.startswith(b"ICC_PROFILE\0") and len(payload) > 14:
            profile[payload[12]] = payload[14:]
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            if size is not None:
                raise UnreadablePicture("the JPEG picture is damaged: it has two frame headers")
            size = _jpeg_frame(marker, payload)
            components = 0 if marker in (0xC2, 0xCA) else payload[5]
        # Of the application segments the decoder needs JFIF's and Adobe's: they tell the colours.
        if marker < 0xE1 or marker == 0xEE:
            kept.append(b"\xff" + data[at - 1 : at + length])
        at += length
    if size is None:
        raise UnreadablePicture("the JPEG picture is damaged: no frame header before its pixels")
    scan = sum(map(len, kept)) if payload[:1] == bytes([components]) else None
    kept.append(b"\xff" + data[at - 1 :])
    joined = b"".join(profile[key] for key in sorted(profile))
    return Parts(b"".join(kept), *size, exif, joined, scan)


def _next_segment(data: bytes, at: int) -> tuple[int, int, int]:
    """Return marker, where its length field is, and the length that the field says."""
    while True:
        at = data.find(b"\xff", at)
        while 0 <= at < len(data) and data[at] == 0xFF:  # any number of fill bytes
            at += 1
        if at < 0 or at + 3 > len(data):
            raise UnreadablePicture("the JPEG picture is truncated in its header")
        marker = data[at]
        at += 1
        if marker == 0xD9:
            raise UnreadablePicture("the JPEG picture is damaged: it ends before its pixels")
        if marker > 0x01 and not 0xD0 <= marker <= 0xD8:  # those have no payload
            break
    (length,) = struct.unpack_from(">H", data, at)
    if length < 2 or at + length > len(data):
        raise UnreadablePicture("the JPEG picture is truncated in its header")
    return marker, at, length


def _jpeg_frame(marker: int, payload: bytes) -> tuple[int, int]:
    if len(payload) < 6:
        raise UnreadablePicture("the JPEG picture is damaged: its frame header is too short")
    depth, height, width = struct.unpack_from(">BHH", payload)
    if depth != 8 or marker not in (0xC0, 0xC1, 0xC2, 0xC9, 0xCA):
        raise UnsupportedPicture(
            f"{depth}-bit JPEG of type {marker - 0xC0} is not accepted; save it as 8-bit baseline"
            " or progressive JPEG"
        )
    return width, height


def open_ended(jpeg: Parts) -> bytes | None:
    """Return a JPEG of one scan without its end marker; None when there are several scans.

    At an end marker libjpeg makes up whatever rows are missing; without one it stops and waits
    for more. The zeros are what it reads ahead, too few for more than a few blocks of pixels.
    """
    if jpeg.sequential is None:
        return None
    end = jpeg.essence.find(b"\xff\xd9", jpeg.sequential)
    return jpeg.essence[:end] + bytes(16)


def walk_png(data: bytes) -> Parts:
    """Walk a PNG's chunks to its end, checking the checksum of every one that matters.

    Raises ``UnreadablePicture`` when the file is truncated or a checksum does not match. Of an
    animated PNG the default picture is left.
    """
    if data[12:16] != b"IHDR" or len(data) < 33:
        raise UnreadablePicture("the PNG picture is truncated in its header")
    width, height = struct.unpack_from(">II", data, 16)
    kept = [data[:8]]
    exif = profile = b""
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
        if not kind[0] & 0x20 or kind in (b"tRNS", b"eXIf", b"iCCP"):  # critical, or used
            if zlib.crc32(view[at + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
                raise UnreadablePicture("the PNG picture is damaged: a checksum does not match")
            if kind == b"eXIf":
                exif = data[at + 8 : end - 4]
            elif kind == b"iCCP":
                profile = _inflate_profile(data[at + 8 : end - 4])
            else:
                kept.append(data[at:end])
        if kind == b"IEND":
            return Parts(b"".join(kept), width, height, exif, profile)
        at = end
    raise UnreadablePicture(f"the PNG picture has over {_MAX_CHUNKS:,} chunks")


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


def webp_size(data: bytes) -> tuple[int, int]:
    """Read a WebP's width and height; raise ``UnreadablePicture`` when it is truncated."""
    if int.from_bytes(data[4:8], "little") + 8 > len(data):
        raise UnreadablePicture("the WEBP picture is truncated")
    kind, body = data[12:16], data[20:30]
    if len(body) == 10:
        if kind == b"VP8X":
            return (
                int.from_bytes(body[4:7], "little") + 1,
                int.from_bytes(body[7:10], "little") + 1,
            )
        if kind == b"VP8L" and body[0] == 0x2F:
            bits = int.from_bytes(body[1:5], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        if kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
            width, height = struct.unpack_from("<HH", body, 6)
            return width & 0x3FFF, height & 0x3FFF
    raise UnreadablePicture("the WEBP picture is damaged or truncated in its header")


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
