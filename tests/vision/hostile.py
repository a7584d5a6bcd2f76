"""A generator of hostile pictures: the same ones for the same seed, of every format.

    python -m tests.vision.hostile --count 2000

decodes them as the service does and reports what the worst of them took.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import random
import struct
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from sayso.vision.decoding import Decoders
from sayso.vision.errors import PictureError
from tests.vision.pictures import WRITABLE, encode, hostile, png, png_chunk, scene, tiff

FILES = Path(__file__).parent / "files"
SIDES = (0, 1, 7, 100, 4_096, 16_000, 16_384, 30_000, 65_535, 2**24 - 1, 2**31 - 1, 2**32 - 1)
Random = random.Random


@cache
def sound() -> tuple[bytes, ...]:
    """Return sound files of every format, which are mutated."""
    noise = np.random.default_rng(2).integers(0, 255, (60, 80, 3), np.uint8)
    files = [encode(pixels, form) for form in WRITABLE for pixels in (scene(), noise)]
    files += [(FILES / name).read_bytes() for name in ("scene.heic", "turned.heic")]
    frames = [Image.fromarray(255 - scene())] * 3
    for form in ("GIF", "WEBP", "PNG", "TIFF", "AVIF", "MPO"):
        files.append(encode(scene(), form, save_all=True, append_images=frames))
    files.append(encode(scene(), "JPEG", progressive=True))
    files += [encode(scene(), "TIFF", compression=each) for each in ("jpeg", "tiff_lzw")]
    return tuple(files)


# --- JPEG -----------------------------------------------------------------------------------------


def scans(count: int, side: int = 512) -> bytes:
    """A progressive JPEG whose last scan comes so many times more."""
    image = Image.new("L", (side, side), 90)
    data = encode(image, "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * (count + 1) + data[-2:]


def _many_scans(chance: Random) -> bytes:
    return scans(chance.choice((20, 200, 5_000)), chance.choice((64, 512, 4_000)))


def _cut_jpeg(chance: Random) -> bytes:
    options = chance.choice(({}, {"progressive": True}, {"subsampling": 0}))
    data = encode(scene(200, 150), "JPEG", **options)
    return data[: -chance.randrange(1, 400)] + chance.choice((b"", b"\xff", b"\xff\xd9"))


def _frame_of_jpeg(chance: Random) -> bytes:
    data = bytearray(encode(scene(), "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", *(chance.choice(SIDES) & 0xFFFF for _ in range(2)))
    if chance.random() < 0.3:
        data[at + 11] = chance.randrange(256)  # how a component is sampled
    twice = bytes(data[at : at + 19])
    return bytes(data[:at] + twice * chance.choice((1, 1, 2)) + data[at + 19 :])


# --- others ---------------------------------------------------------------------------------------


def gif(screen: tuple[int, int], frame: tuple[int, int, int, int], frames: int = 1) -> bytes:
    """A GIF of a few bytes with a logical screen and frames of these places and sizes."""
    head = b"GIF89a" + struct.pack("<HHBBB", *screen, 0, 0, 0)
    one = b"\x2c" + struct.pack("<HHHHB", *frame, 0x80) + bytes(6) + b"\x02\x02\x4c\x01\x00"
    return head + one * frames + b"\x3b"


def _gif(chance: Random) -> bytes:
    sides = [chance.choice(SIDES) & 0xFFFF for _ in range(6)]
    frames = chance.choice((1, 2, 50_000))
    return gif((sides[0], sides[1]), (sides[2], sides[3], sides[4], sides[5]), frames)


@cache
def _flat_avif(side: int) -> bytes:
    return encode(Image.new("L", (side, side), 90), "AVIF", quality=1, speed=10)


def avif_behind(side: int, shown: int) -> bytes:
    """An AVIF whose frame has ``side`` pixels a side, and whose box says ``shown``."""
    said = struct.pack(">II", side, side)
    return _flat_avif(side).replace(b"ispe\0\0\0\0" + said, b"ispe\0\0\0\0" + said_of(shown))


def said_of(side: int) -> bytes:
    """What an ``ispe`` box says of a square."""
    return struct.pack(">II", side, side)


def _avif(chance: Random) -> bytes:
    return avif_behind(chance.choice((64, 2_000)), chance.choice(SIDES))


def _heic(chance: Random) -> bytes:
    data = bytearray((FILES / "scene.heic").read_bytes())
    at = data.index(b"ispe") + 8
    data[at : at + 8] = struct.pack(">II", chance.choice(SIDES), chance.choice(SIDES))
    config = data.index(b"hvcC")
    for _ in range(chance.randrange(4)):
        data[config + chance.randrange(120)] = chance.randrange(256)
    return bytes(data)


def _png(chance: Random) -> bytes:
    sides = chance.choice(SIDES) & 0x7FFFFFFF, chance.choice(SIDES) & 0x7FFFFFFF
    packed = zlib.compress(bytes(chance.choice((0, 1_000, 30_000_000))), 9)
    header = struct.pack(">IIBBBBB", *reversed(sides), 8, 2, 0, 0, 0)
    extra = chance.choice((b"", png_chunk(b"IHDR", header), png_chunk(b"iCCP", b"x\0\0" + packed)))
    return png(*sides, packed, extra=extra, interlace=chance.choice((0, 1)))


def _webp(chance: Random) -> bytes:
    data = bytearray(encode(scene(), "WEBP", exif=b"II*\0" + bytes(20)))
    data[24:30] = b"".join((chance.choice(SIDES) & 0xFFFFFF).to_bytes(3, "little") for _ in "wh")
    at = data.find(b"\x9d\x01\x2a") + 3
    data[at : at + 4] = struct.pack("<HH", *(chance.choice(SIDES) & 0x3FFF for _ in "wh"))
    return bytes(data)


def _bmp(chance: Random) -> bytes:
    data = bytearray(encode(scene(), "BMP"))
    sides = [chance.choice(SIDES) & 0x7FFFFFFF for _ in "wh"]
    data[18:26] = struct.pack("<ii", sides[0], chance.choice((1, -1)) * sides[1])
    data[30] = chance.randrange(5)  # how it is compressed
    return bytes(data)


def _tiff(chance: Random) -> bytes:
    side = chance.choice(SIDES)
    tags = {
        254: chance.randrange(3),
        259: chance.choice((1, 5, 7, 8, 32773, 34712, 34925, 50000)),
        330: chance.choice((8, 0, 100, side)),  # a directory below it: itself, or nonsense
    }
    if chance.random() < 0.4:
        tags |= {322: chance.choice(SIDES), 323: chance.choice(SIDES)}
    payload = zlib.compress(bytes(chance.choice((100, 1_000_000))))
    return tiff(side, chance.choice(SIDES), tags, payload)


def _mutated(chance: Random) -> bytes:
    data = bytearray(chance.choice(sound()))
    for _ in range(chance.randrange(1, 9)):
        at = chance.randrange(len(data))
        match chance.randrange(5):
            case 0:
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                size = chance.choice((2, 4))
                number = chance.choice(SIDES) & (1 << 8 * size) - 1
                data[at : at + size] = number.to_bytes(size, chance.choice(("little", "big")))
            case 2:
                data[at : at + chance.randrange(64)] = bytes(chance.randrange(64))
            case 3:
                start = chance.randrange(len(data))
                data[at:at] = data[start : start + chance.randrange(2_000)]
            case _:
                del data[max(20, at) :]
    return bytes(data)


def _spliced(chance: Random) -> bytes:
    one, other = chance.choice(sound()), chance.choice(sound())
    return one[: chance.randrange(len(one))] + other[chance.randrange(len(other)) :]


_MADE: tuple[Callable[[Random], bytes], ...] = (
    *(_many_scans, _cut_jpeg, _frame_of_jpeg, _gif, _avif, _heic, _png, _webp, _bmp, _tiff),
    *(_spliced, _mutated, _mutated, _mutated, _mutated),
)


def pictures(count: int, seed: int = 14) -> Iterator[tuple[str, bytes]]:
    """Yield so many pictures with names; the first are those that were made by hand."""
    fixed = list(hostile().items())[: count // 4]
    yield from fixed
    for number in range(count - len(fixed)):
        make = _MADE[number % len(_MADE)]
        yield f"{make.__name__[1:]}-{number}", make(Random(f"{seed} {number}"))


def drawn(chance: Random) -> bytes:
    """Return a picture by chance: one that was made by hand, or one of a kind."""
    if chance.random() < 0.2:
        return chance.choice(_by_hand())
    return chance.choice(_MADE)(chance)


@cache
def _by_hand() -> tuple[bytes, ...]:
    return tuple(hostile().values())


# --- what they take -------------------------------------------------------------------------------


@dataclass
class Toll:
    """What decoding took: outcomes, and the worst picture in seconds and in bytes."""

    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: tuple[float, str] = (0.0, "")
    memory: tuple[int, str] = (0, "")
    unexpected: list[str] = field(default_factory=list)


def decode_all(files: Iterator[tuple[str, bytes]]) -> Toll:
    """Decode pictures as the service does, and measure; memory is that of the decoder process."""
    toll, decoders = Toll(), Decoders()
    decoders.decode(sound()[0])
    try:
        for name, data in files:
            for pid in _children():
                with contextlib.suppress(OSError):
                    Path(f"/proc/{pid}/clear_refs").write_text("5")
            began = time.monotonic()
            try:
                picture = decoders.decode(data)
                outcome = picture.format
                if picture.pixels.shape != (picture.height, picture.width, 3):
                    toll.unexpected.append(f"{name}: {picture.pixels.shape}")
            except PictureError as error:
                outcome = type(error).__name__
            except Exception as error:  # noqa: BLE001 - what this looks for
                outcome = "unexpected"
                toll.unexpected.append(f"{name}: {error!r}")
            toll.outcomes[outcome] += 1
            toll.seconds = max(toll.seconds, (time.monotonic() - began, name))
            toll.memory = max(toll.memory, (max(map(_peak, _children()), default=0), name))
    finally:
        decoders.close()
    return toll


def _children() -> list[int]:
    """Return the ids of this process's own processes, the decoders."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.append(int(entry.name))
    return found


def _peak(pid: int) -> int:
    """Return the most memory that a process had since that was set back; 0 if it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    return int(found[0]) * 1024 if found else 0


def _main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=14)
    given = parser.parse_args()
    toll = decode_all(pictures(given.count, given.seed))
    out = io.StringIO()
    for outcome, count in toll.outcomes.most_common():
        print(f"{count:6} {outcome}", file=out)
    print(f"slowest: {toll.seconds[0]:.2f} s ({toll.seconds[1]})", file=out)
    print(f"most memory: {toll.memory[0] >> 20} MiB ({toll.memory[1]})", file=out)
    for each in toll.unexpected:
        print(f"unexpected: {each}", file=out)
    sys.stdout.write(out.getvalue())
    return 1 if toll.unexpected else 0


if __name__ == "__main__":
    sys.exit(_main())
