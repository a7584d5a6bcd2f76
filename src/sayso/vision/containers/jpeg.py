"""JPEG: the header, how many scans there are, where they end, and what other pictures follow."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Final

from sayso.vision.containers.parts import Parts
from sayso.vision.errors import UnreadablePicture, UnsupportedPicture

_END: Final = b"\xff\xd9"
#: In a scan, what is no pixels: 0xFF before anything but a stuffed zero or a restart marker.
_MARKER: Final = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)
#: What a picture of a multi-picture file may say of itself (CIPA DC-007, 5.2.3.3): a preview.
_PREVIEW: Final = 0x010000
#: Pictures that only make another one brighter are marked by these words in their XMP.
_GAIN_MAPS: Final = (b"hdrgm:", b"HDRGainMap", b"hdrgainmap")
_XMP: Final = 1 << 16
_MOST_PICTURES: Final = 100


@dataclass(frozen=True, slots=True)
class Jpeg(Parts):
    """A JPEG file taken apart.

    ``scans`` counts its scans; with several, each goes over all blocks again. ``sequential`` is
    whether the only scan has every component. ``pixels`` is where in ``essence`` the first scan
    begins; ``ended`` whether there is an end marker, which ``essence`` has in any case.
    ``block`` is how many rows one row of blocks has at most, 8 to 32.
    """

    scans: int = 1
    sequential: bool = True
    pixels: int = 0
    ended: bool = True
    block: int = 16

    def open_ended(self, filler: bytes) -> bytes:
        """Return the file without its end, followed by bytes that stand for missing pixels.

        At an end marker libjpeg makes up whatever is missing; without one it stops and waits.
        """
        return self.essence[: -len(_END)] + filler


def walk_jpeg(data: bytes) -> Jpeg:
    """Walk a JPEG's segments to its end; see ITU-T T.81, annex B.

    Raises ``UnreadablePicture`` when the header is truncated or contradicts itself and
    ``UnsupportedPicture`` for other than 8-bit baseline, sequential or progressive JPEG.
    """
    kept = [data[:2]]
    exif, profile, frame, others = b"", dict[int, bytes](), None, 0
    at = 2
    while True:
        marker, at, length = _next_segment(data, at)
        payload = data[at + 2 : at + length]
        if marker == 0xDA:
            break
        if marker == 0xE1:
            exif = exif or _exif(payload)
        elif marker == 0xE2:
            profile |= _part_of_profile(payload)
            others = others or _other_pictures(data, at + 6, payload)
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            if frame is not None:
                raise UnreadablePicture("the JPEG picture is damaged: it has two frame headers")
            frame = _Frame.of(marker, payload)
        # Of the application segments the decoder needs JFIF's and Adobe's: they tell the colours.
        if marker < 0xE1 or marker == 0xEE:
            kept.append(b"\xff" + data[at - 1 : at + length])
        at += length
    if frame is None:
        raise UnreadablePicture("the JPEG picture is damaged: no frame header before its pixels")
    scans, end = _scans(data, at + length)
    pixels = sum(map(len, kept))
    kept.append(b"\xff" + data[at - 1 : len(data) if end is None else end])
    if end is None:
        kept[-1] = kept[-1].removesuffix(b"\xff")  # half of an end marker
    joined = b"".join(profile[key] for key in sorted(profile))
    return Jpeg(
        essence=b"".join([*kept, _END]),
        width=frame.width,
        height=frame.height,
        exif=exif,
        profile=joined,
        others=others,
        scans=scans,
        sequential=scans == 1 and not frame.progressive and payload[:1] == bytes([frame.parts]),
        pixels=pixels,
        ended=end is not None,
        block=8 * frame.tallest,
    )


def _exif(payload: bytes) -> bytes:
    return payload[6:] if payload.startswith(b"Exif\0\0") else b""


def _part_of_profile(payload: bytes) -> dict[int, bytes]:
    """Return a part of an ICC profile by its number; nothing for another segment."""
    if not payload.startswith(b"ICC_PROFILE\0") or len(payload) <= 14:
        return {}
    return {payload[12]: payload[14:]}


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


def _scans(data: bytes, at: int) -> tuple[int, int | None]:
    """Count the scans from the pixels of the first on; and where they end, None without an end."""
    scans = 1
    while found := _MARKER.search(data, at):
        marker, at = data[found.start() + 1], found.end()
        if marker in (0xD8, 0xD9):  # the end, or another picture
            return scans, found.start()
        if marker == 0x01:
            continue
        if at + 2 > len(data):
            break
        scans += marker == 0xDA
        at += max(2, int.from_bytes(data[at : at + 2], "big"))
    return scans, None


@dataclass(frozen=True, slots=True)
class _Frame:
    """What a frame header says; ``parts`` counts the components."""

    width: int
    height: int
    progressive: bool
    parts: int
    tallest: int

    @classmethod
    def of(cls, marker: int, payload: bytes) -> _Frame:
        if len(payload) < 6 or len(payload) < 6 + 3 * payload[5]:
            raise UnreadablePicture("the JPEG picture is damaged: its frame header is too short")
        depth, height, width, parts = struct.unpack_from(">BHHB", payload)
        if depth != 8 or marker not in (0xC0, 0xC1, 0xC2, 0xC9, 0xCA):
            raise UnsupportedPicture(
                f"{depth}-bit JPEG of type {marker - 0xC0} is not accepted; save it as 8-bit "
                "baseline or progressive JPEG"
            )
        tallest = max((payload[7 + 3 * part] & 15 for part in range(parts)), default=1)
        return cls(width, height, marker in (0xC2, 0xCA), parts, max(1, min(4, tallest)))


def _other_pictures(data: bytes, start: int, payload: bytes) -> int:
    """Count the other pictures of a multi-picture file (CIPA DC-007); 0 where that is damaged.

    Previews and maps of brightness, which phones write into every file, show nothing else.
    """
    if not payload.startswith(b"MPF\0"):
        return 0
    index = payload[4:]
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(index[:4])
    try:
        if order is None:
            return 0
        (at,) = struct.unpack_from(order + "I", index, 4)
        (count,) = struct.unpack_from(order + "H", index, at)
        for entry in range(at + 2, at + 2 + 12 * min(count, 20), 12):
            tag, _, size, value = struct.unpack_from(order + "HHII", index, entry)
            if tag == 0xB002:
                pictures = min(size // 16, _MOST_PICTURES)
                found = struct.iter_unpack(order + "4I", index[value : value + 16 * pictures])
                return sum(_shows_more(data, start, *each[:3]) for each in list(found)[1:])
    except struct.error:
        return 0
    return 0


def _shows_more(data: bytes, start: int, kind: int, size: int, offset: int) -> bool:
    if kind & 0xFF0000 == _PREVIEW:
        return False
    head = data[start + offset : start + offset + min(size, _XMP)]
    return head.startswith(b"\xff\xd8") and not any(word in head for word in _GAIN_MAPS)
