"""How large the frames of AV1 and HEVC are, by what decoders go by: their sequence headers."""

from __future__ import annotations

from collections.abc import Iterator

Size = tuple[int, int]


class _Bits:
    """Reads bits, the highest first; raises IndexError beyond the end."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> int:
        value = 0
        for _ in range(count):
            value = value << 1 | self._data[self._at >> 3] >> (7 - (self._at & 7)) & 1
            self._at += 1
        return value

    def golomb(self) -> int:
        """Return an unsigned Exp-Golomb code: ue(v), uvlc()."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise IndexError("a code is too long")
        return (1 << zeros) - 1 + self.take(zeros)


def av1_sizes(units: bytes) -> Iterator[Size]:
    """Yield the largest frame of every sequence header among AV1's units (AV1, 5.3 and 5.5)."""
    at = 0
    while at < len(units):
        header = units[at]
        at += 1 + (header >> 2 & 1)
        length = len(units) - at
        if header & 2:
            length, at = _leb128(units, at)
        if header >> 3 & 15 == 1:
            yield _av1_sequence(_Bits(units[at : at + min(length, 256)]))
        at += length


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(8):
        byte = data[at + place]
        value |= (byte & 0x7F) << 7 * place
        if not byte & 0x80:
            return value, at + place + 1
    raise IndexError("a length is too long")


def _av1_sequence(bits: _Bits) -> Size:
    bits.take(4)  # profile, still picture
    if bits.take(1):
        bits.take(5)
    else:
        _skip_operating_points(bits)
    across, down = bits.take(4) + 1, bits.take(4) + 1
    return bits.take(across) + 1, bits.take(down) + 1


def _skip_operating_points(bits: _Bits) -> None:
    model, delay = 0, 0
    if bits.take(1):  # timing
        bits.take(64)
        if bits.take(1):
            bits.golomb()
        model = bits.take(1)
        if model:
            delay = bits.take(5) + 1
            bits.take(42)
    shown = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:
            bits.take(1)
        if model and bits.take(1):
            bits.take(2 * delay + 1)
        if shown and bits.take(1):
            bits.take(4)


def hevc_units(stream: bytes, length_size: int) -> Iterator[bytes]:
    """Yield the units of a stream whose units follow their lengths, of so many bytes."""
    at = 0
    while at + length_size <= len(stream):
        length = int.from_bytes(stream[at : at + length_size], "big")
        at += length_size
        yield stream[at : at + min(length, 512)]  # of parameter sets the beginning says it
        at += length


def hevc_size(unit: bytes) -> Size | None:
    """Return the size of frames that a sequence parameter set says; None for other units.

    See ITU-T H.265, 7.3.2.2.
    """
    if len(unit) < 4 or unit[0] >> 1 & 0x3F != 33:
        return None
    bits = _Bits(unit[2:].replace(b"\0\0\x03", b"\0\0"))
    bits.take(4)
    layers = bits.take(3)
    bits.take(1 + 96)
    present = [(bits.take(1), bits.take(1)) for _ in range(layers)]
    bits.take(2 * (8 - layers) if layers else 0)
    for profile, level in present:
        bits.take(88 * profile + 8 * level)
    bits.golomb()
    if bits.golomb() == 3:
        bits.take(1)
    return bits.golomb(), bits.golomb()
