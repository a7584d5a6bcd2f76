"""TIFF: every picture in a file, and which of them is meant.

Cameras and scanners put a thumbnail first and the picture into a directory below it; the largest
picture that does not call itself reduced is the one that people mean.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from sayso.vision.containers.parts import Parts
from sayso.vision.errors import UnreadablePicture, UnsupportedPicture

_SUBFILE, _WIDTH, _HEIGHT, _COMPRESSION, _PHOTOMETRIC = 254, 256, 257, 259, 262
_MAKE, _SUB_DIRECTORIES, _DNG = 271, 330, 50706
_READ: Final = (_SUBFILE, _WIDTH, _HEIGHT, _COMPRESSION, _PHOTOMETRIC, _SUB_DIRECTORIES)
_INTEGERS: Final = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_REDUCED: Final = 1
#: A colour filter array, and linear values of a sensor: no colours yet (TIFF/EP, DNG).
_SENSOR: Final = frozenset({32803, 34892})
#: What cameras compress values of a sensor by: Sony, Nikon, Pentax, Samsung.
_SENSOR_COMPRESSIONS: Final = frozenset({32767, 34713, 65535, 32769, 32770})
_MOST_DIRECTORIES: Final = 1_000
_MOST_ENTRIES: Final = 4_096
_MOST_VALUES: Final = 64


@dataclass(frozen=True, slots=True)
class Directory:
    """One picture of a TIFF file; ``at`` is where its directory is."""

    at: int
    tags: dict[int, tuple[int, ...]] = field(repr=False)
    make: bytes = b""
    dng: bool = False

    def get(self, tag: int, default: int) -> int:
        """Return the first value of a tag that holds whole numbers."""
        return self.tags.get(tag, (default,))[0]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels; zeros where it says none."""
        return self.get(_WIDTH, 0), self.get(_HEIGHT, 0)

    @property
    def area(self) -> int:
        """How many pixels it has."""
        return self.get(_WIDTH, 0) * self.get(_HEIGHT, 0)

    @property
    def reduced(self) -> bool:
        """Whether it calls itself a smaller version of another picture of the file."""
        return bool(self.get(_SUBFILE, 0) & _REDUCED)

    @property
    def from_sensor(self) -> bool:
        """Whether it holds what a camera's sensor saw, which is no picture yet."""
        return (
            self.get(_PHOTOMETRIC, 1) in _SENSOR
            or self.get(_COMPRESSION, 1) in _SENSOR_COMPRESSIONS
        )


def walk_tiff(data: bytes) -> Parts:
    """Find the largest picture of a TIFF file that is no reduced version of another.

    The essence is the file with that picture as its first. Of several equally large ones, which
    pages are, it is the first. Raises ``UnsupportedPicture`` for the raw file of a camera, and
    ``UnreadablePicture`` where no directory can be read.
    """
    found = list(_directories(data))
    pictures = [each for each in found if each.area]
    if not pictures:
        raise UnreadablePicture("the TIFF picture is damaged or truncated in its header")
    _refuse_raw(found)
    whole = [each for each in pictures if not each.reduced]
    chosen = max(whole or pictures, key=lambda each: each.area)  # the first of equals
    width, height = chosen.size
    if chosen is found[0]:
        essence = data
    elif _is_big(data):
        essence = data[:8] + struct.pack(_order(data) + "Q", chosen.at) + data[16:]
    else:
        essence = data[:4] + struct.pack(_order(data) + "I", chosen.at) + data[8:]
    first = chosen is (whole or pictures)[0]
    return Parts(
        essence,
        width,
        height,
        others=max(0, len(whole) - 1),
        chosen="the first" if first else "the largest",
    )


def _refuse_raw(found: list[Directory]) -> None:
    if not any(each.from_sensor or each.dng for each in found):
        return
    if any(each.dng for each in found):
        # A DNG may hold a finished picture, but which that is takes a raw converter to say.
        name = "DNG"
    else:
        makes = [each.make for each in found if each.make]
        name = makes[0].decode("ascii", "replace").split()[0].title() if makes else "camera"
    raise UnsupportedPicture(
        f"a {name} raw file is not accepted: it holds what the sensor saw, and no picture yet; "
        "save it as JPEG or TIFF first"
    )


def _order(data: bytes) -> str:
    return "<" if data[:2] == b"II" else ">"


def _is_big(data: bytes) -> bool:
    return data[2:4] in (b"+\0", b"\0+")


def _directories(data: bytes) -> Iterator[Directory]:
    """Yield the directories of a file in their order, those below one right after it."""
    order, big = _order(data), _is_big(data)
    waiting = [_number(data, 8 if big else 4, order + ("Q" if big else "I"))]
    seen: set[int] = set()
    while waiting and len(seen) < _MOST_DIRECTORIES:
        at = waiting.pop()
        if not at or at in seen:
            continue
        seen.add(at)
        try:
            directory, following = _directory(data, at, order, big=big)
        except (struct.error, UnreadablePicture):
            continue  # what cannot be read is no picture; the rest may be
        waiting.append(following)
        waiting += reversed(directory.tags.get(_SUB_DIRECTORIES, ()))
        yield directory


def _directory(data: bytes, at: int, order: str, *, big: bool) -> tuple[Directory, int]:
    count_form, entry_form, room = ("Q", "HHQ", 8) if big else ("H", "HHI", 4)
    count = _number(data, at, order + count_form)
    if count > _MOST_ENTRIES:
        raise UnreadablePicture("the TIFF picture is damaged: a directory has too many entries")
    at_entries = at + struct.calcsize(order + count_form)
    step = struct.calcsize("=" + entry_form) + room
    tags: dict[int, tuple[int, ...]] = {}
    texts: dict[int, Any] = {}
    for entry in range(at_entries, at_entries + count * step, step):
        tag, kind, values = struct.unpack_from(order + entry_form, data, entry)
        place = entry + step - room
        if tag in _READ and kind in _INTEGERS:
            form = f"{order}{min(values, _MOST_VALUES)}{_INTEGERS[kind]}"
            if struct.calcsize(form) > room:
                place = _number(data, place, order + ("Q" if big else "I"))
            if values:
                tags[tag] = struct.unpack_from(form, data, place)
        elif tag == _MAKE and kind == 2:
            if values > room:
                place = _number(data, place, order + ("Q" if big else "I"))
            texts[tag] = data[place : place + min(values, _MOST_VALUES)].split(b"\0")[0]
        elif tag == _DNG:
            texts[tag] = True
    end = at_entries + count * step
    following = end + room <= len(data) and _number(data, end, order + ("Q" if big else "I"))
    found = Directory(at, tags, texts.get(_MAKE, b""), texts.get(_DNG, False))
    return found, int(following)


def _number(data: bytes, at: int, form: str) -> int:
    try:
        return int(struct.unpack_from(form, data, at)[0])
    except struct.error:
        raise UnreadablePicture("the TIFF picture is truncated in its header") from None
