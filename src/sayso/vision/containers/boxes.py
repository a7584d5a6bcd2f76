"""HEIF and AVIF: what their boxes say, and how large the frames are that are coded in them.

Boxes: ISO/IEC 14496-12; items: ISO/IEC 23008-12. What a box says of the size need not be what is
coded, so both are asked, and the larger counts.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from sayso.vision.containers.coded import Size, av1_sizes, hevc_size, hevc_units
from sayso.vision.containers.parts import Parts
from sayso.vision.errors import PictureTooLarge, UnreadablePicture, UnsupportedPicture

_CODED: Final = frozenset({b"hvc1", b"av01"})
_PICTURES: Final = _CODED | {b"grid", b"iovl", b"iden", b"hev1", b"jpeg"}
_MOST_BOXES: Final = 10_000
_MOST_ITEMS: Final = 20_000
_MOST_EXTENTS: Final = 100_000
#: How much larger the tiles of a grid may be together than the grid itself.
_TILES_OVER_GRID: Final = 4
_SMALL: Final = 1 << 22


@dataclass(slots=True)
class _Items:
    """What a ``meta`` box says: types, places and references of items, and their properties."""

    primary: int | None = None
    types: dict[int, bytes] = field(default_factory=dict)
    hidden: set[int] = field(default_factory=set)
    extents: dict[int, list[tuple[int, int, int]]] = field(default_factory=dict)
    references: list[tuple[bytes, int, tuple[int, ...]]] = field(default_factory=list)
    properties: list[tuple[bytes, bytes]] = field(default_factory=list)
    associated: dict[int, set[int]] = field(default_factory=dict)
    inner: bytes = b""

    def data(self, file: bytes, item: int) -> bytes:
        """Return the bytes of an item."""
        parts = []
        for method, at, length in self.extents.get(item, ()):
            source = self.inner if method == 1 else file
            parts.append(source[at : at + length] if length else source[at:])
        joined = b"".join(parts)
        if len(joined) > len(file):
            raise UnreadablePicture("the picture is damaged: its parts are more than the file")
        return joined


def walk_heif(data: bytes) -> Parts:
    """Take a HEIC or AVIF file apart: its size is that of the largest frame in it.

    Raises ``UnreadablePicture`` where boxes contradict each other, ``UnsupportedPicture`` where
    the picture is put together in another way than from tiles, and ``PictureTooLarge`` where
    tiles are far larger than the picture that they make.
    """
    top = dict(reversed(list(_boxes(data, 0, len(data)))))
    if b"meta" not in top:
        raise UnsupportedPicture("a file of moving pictures alone is not accepted; send a still")
    items = _items(data, *top[b"meta"])
    if items.primary is None or items.primary not in items.types:
        raise UnreadablePicture("the picture is damaged: it does not say which item it is")
    kind = items.types[items.primary]
    if kind not in _CODED | {b"grid"}:
        name = kind.decode("ascii", "replace")
        raise UnsupportedPicture(f"a picture made of {name!r} items is not accepted")
    sizes = {item: _size(data, items, item) for item in items.types}
    declared = [found for each in items.properties if (found := _of_property(*each))]
    width, height = max([*sizes.values(), *declared], key=lambda size: size[0] * size[1])
    _check_tiles(items, sizes)
    others = _others(items)
    essence = data
    if data[8:12] == b"avis":  # or the first frame of the sequence would be taken
        essence = data[:8] + b"avif" + data[12:]
        others = max(others, 1)
    return Parts(essence, width, height, others=others)


def _check_tiles(items: _Items, sizes: dict[int, Size]) -> None:
    for kind, item, tiles in items.references:
        if kind != b"dimg" or items.types.get(item) != b"grid":
            continue
        whole = sizes[item][0] * sizes[item][1]
        total = sum(sizes[tile][0] * sizes[tile][1] for tile in tiles if tile in sizes)
        if total > _TILES_OVER_GRID * whole + _SMALL:
            raise PictureTooLarge(
                f"the tiles of the picture have {total:,} pixels together, and the picture "
                f"{whole:,}"
            )


def _others(items: _Items) -> int:
    """Count the pictures beside the primary one, without what belongs to another picture."""
    parts = {to for kind, _, tos in items.references if kind == b"dimg" for to in tos}
    parts |= {item for kind, item, _ in items.references if kind in (b"thmb", b"auxl")}
    parts |= items.hidden | {items.primary or 0}
    return sum(kind in _PICTURES and item not in parts for item, kind in items.types.items())


def _size(data: bytes, items: _Items, item: int) -> Size:
    """Return the largest size that anything says of an item."""
    kind = items.types[item]
    chosen = [items.properties[at - 1] for at in items.associated.get(item, ())
              if 0 < at <= len(items.properties)]  # fmt: skip
    sizes = [(0, 0), *(found for each in chosen if (found := _of_property(*each)))]
    if kind == b"av01":
        sizes += av1_sizes(items.data(data, item))
    elif kind == b"hvc1":
        config = next((payload for name, payload in chosen if name == b"hvcC"), bytes(22))
        length_size = (config[21] & 3) + 1 if any(config) else 4
        units = hevc_units(items.data(data, item), length_size)
        sizes += filter(None, map(hevc_size, units))
    elif kind == b"grid":
        payload = items.data(data, item)
        sizes.append(struct.unpack_from(">II" if payload[1] & 1 else ">HH", payload, 4))
    return max(sizes, key=lambda size: size[0] * size[1])


def _of_property(kind: bytes, payload: bytes) -> Size | None:
    if kind == b"ispe":
        width, height = struct.unpack_from(">II", payload, 4)
        return width, height
    if kind == b"av1C":
        return max(av1_sizes(payload[4:]), default=None)
    if kind == b"hvcC":
        return max(filter(None, map(hevc_size, _parameter_sets(payload))), default=None)
    return None


def _parameter_sets(config: bytes) -> Iterator[bytes]:
    """Yield the units in HEVC's configuration (ISO/IEC 14496-15, 8.3.3.1)."""
    at = 23
    for _ in range(config[22]):
        (count,) = struct.unpack_from(">H", config, at + 1)
        at += 3
        for _ in range(count):
            (length,) = struct.unpack_from(">H", config, at)
            yield config[at + 2 : at + 2 + length]
            at += 2 + length


# --- boxes ----------------------------------------------------------------------------------------


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Yield the kind of each box between two places, and where its content begins and ends."""
    for _ in range(_MOST_BOXES):
        if at + 8 > end:
            return
        size, kind = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, start)
            start += 8
        stop = end if size == 0 else at + size
        if stop < start or stop > end:
            raise UnreadablePicture("the picture is truncated, or a box of it is damaged")
        yield kind, (start, stop)
        at = stop
    raise UnreadablePicture(f"the picture has over {_MOST_BOXES:,} boxes")


def _items(data: bytes, start: int, stop: int) -> _Items:
    found = _Items()
    for kind, (at, end) in _boxes(data, start + 4, stop):
        body = data[at:end]
        if kind == b"pitm":
            (found.primary,) = struct.unpack_from(">I" if body[0] else ">H", body, 4)
        elif kind == b"iinf":
            _read_types(body, found)
        elif kind == b"iloc":
            _read_places(body, found)
        elif kind == b"iref":
            _read_references(body, found)
        elif kind == b"idat":
            found.inner = body
        elif kind == b"iprp":
            _read_properties(body, found)
    return found


def _read_types(body: bytes, found: _Items) -> None:
    for kind, (at, _) in _boxes(body, 8 if body[0] else 6, len(body)):
        if kind != b"infe" or body[at] < 2:
            continue
        form = ">HH4s" if body[at] == 2 else ">IH4s"
        item, _, name = struct.unpack_from(form, body, at + 4)
        found.types[item] = name
        if body[at + 3] & 1:
            found.hidden.add(item)


def _read_places(body: bytes, found: _Items) -> None:
    version, sizes = body[0], struct.unpack_from(">BB", body, 4)
    offset_size, length_size, base_size = sizes[0] >> 4, sizes[0] & 15, sizes[1] >> 4
    index_size = sizes[1] & 15 if version else 0
    id_size = 2 if version < 2 else 4
    at = 6

    def number(size: int) -> int:
        nonlocal at
        if at + size > len(body):
            raise UnreadablePicture("the picture is damaged: it does not say where its items are")
        at += size
        return int.from_bytes(body[at - size : at], "big")

    left = _MOST_EXTENTS
    for _ in range(number(id_size)):
        item = number(id_size)
        method = number(2) & 15 if version else 0
        number(2)
        base, extents = number(base_size), number(2)
        left -= extents + 1
        if left < 0:
            raise UnreadablePicture(f"the picture is in over {_MOST_EXTENTS:,} pieces")
        places = found.extents.setdefault(item, [])
        for _ in range(extents):
            number(index_size)
            offset, length = number(offset_size), number(length_size)
            places.append((method, base + offset, length))


def _read_references(body: bytes, found: _Items) -> None:
    form, size = (">IH", "I") if body[0] else (">HH", "H")
    for kind, (at, _) in _boxes(body, 4, len(body)):
        item, count = struct.unpack_from(form, body, at)
        to = struct.unpack_from(f">{count}{size}", body, at + struct.calcsize(form))
        found.references.append((kind, item, to))


def _read_properties(body: bytes, found: _Items) -> None:
    for kind, (at, end) in _boxes(body, 0, len(body)):
        if kind == b"ipco":
            found.properties += [
                (name, body[start:stop]) for name, (start, stop) in _boxes(body, at, end)
            ]
        elif kind == b"ipma":
            _read_associations(body[at:end], found)


def _read_associations(body: bytes, found: _Items) -> None:
    wide = body[3] & 1
    (count,) = struct.unpack_from(">I", body, 4)
    if count > _MOST_ITEMS:
        raise UnreadablePicture(f"the picture has over {_MOST_ITEMS:,} items")
    at = 8
    for _ in range(count):
        (item,) = struct.unpack_from(">I" if body[0] else ">H", body, at)
        at += 4 if body[0] else 2
        chosen = found.associated.setdefault(item, set())
        places = struct.unpack_from(f">{body[at]}{'H' if wide else 'B'}", body, at + 1)
        chosen.update(each & (0x7FFF if wide else 0x7F) for each in places)
        at += 1 + body[at] * (2 if wide else 1)
