"""Makes the picture files, sound and hostile, that the tests decode."""

from __future__ import annotations

import io
import random
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: Pillow's names of the formats it can write here.
WRITABLE = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "GIF", "BMP")


def scene(width: int = 96, height: int = 64) -> NDArray[np.uint8]:
    """A smooth picture whose corners all differ: red left to right, green top to bottom."""
    y, x = np.mgrid[0:height, 0:width]
    red, green = x * 255 // (width - 1), y * 255 // (height - 1)
    return np.stack([red, green, np.full_like(red, 60)], axis=2).astype(np.uint8)


def encode(pixels: NDArray[Any] | Image.Image, form: str, **options: Any) -> bytes:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def png_chunk(kind: bytes, payload: bytes) -> bytes:
    body = kind + payload
    return struct.pack(">I", len(payload)) + body + struct.pack(">I", zlib.crc32(body))


def png(
    width: int,
    height: int,
    packed: bytes,
    *,
    extra: bytes = b"",
    colour: int = 2,
    interlace: int = 0,
) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, interlace)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + extra
        + png_chunk(b"IDAT", packed)
        + png_chunk(b"IEND", b"")
    )


def tiff(width: int, height: int, tags: dict[int, int], payload: bytes) -> bytes:
    """A little-endian TIFF of one strip or tile whose tags are all single longs."""
    where, size = (324, 325) if 322 in tags else (273, 279)
    entries = {256: width, 257: height, 258: 8, 277: 1, 262: 1, where: 0, size: len(payload)} | tags
    entries[where] = at = 8 + 2 + 12 * len(entries) + 4
    body = b"".join(struct.pack("<HHII", tag, 4, 1, entries[tag]) for tag in sorted(entries))
    assert at == 14 + len(body)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + bytes(4) + payload


def exif(orientation: int, order: str = "<") -> bytes:
    mark = b"II*\0" if order == "<" else b"MM\0*"
    entry = struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    return mark + struct.pack(order + "IH", 8, 1) + entry + struct.pack(order + "I", 0)


def jpeg_with_exif(jpeg: bytes, payload: bytes) -> bytes:
    body = b"Exif\0\0" + payload
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def exif_bomb(size: int = 60_000) -> bytes:
    """A directory of thousands of entries, each claiming most of the block as its value."""
    count = (size - 14) // 12
    entries = b"".join(
        struct.pack("<HHII", 0x9000 + at % 0x1000, 7, size - 16, 8) for at in range(count)
    )
    return b"II*\0" + struct.pack("<IH", 8, count) + entries + b"\0\0\0\0"


def _giants() -> dict[str, bytes]:
    """Headers that declare far more pixels than any file of theirs holds."""
    side = 65535
    jpeg = bytearray(encode(scene(), "JPEG"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", side, side)
    bmp = bytearray(encode(scene(), "BMP"))
    bmp[18:26] = struct.pack("<ii", side, side)
    gif = bytearray(encode(scene(), "GIF"))
    gif[6:10] = struct.pack("<HH", side, side)
    frame = gif.index(b"\x2c")
    gif[frame + 5 : frame + 9] = struct.pack("<HH", side, side)
    webp = bytearray(encode(scene(), "WEBP", exif=exif(1)))
    webp[24:30] = (side - 1).to_bytes(3, "little") * 2
    avif = encode(scene(), "AVIF").replace(
        b"ispe\0\0\0\0" + struct.pack(">II", 96, 64),
        b"ispe\0\0\0\0" + struct.pack(">II", side, side),
    )
    return {
        "giant.jpg": bytes(jpeg),
        "giant.png": png(side, side, zlib.compress(b"\0" * 1000)),
        "giant-31-bit.png": png(2**31 - 1, 2**31 - 1, zlib.compress(b"\0" * 1000)),
        "giant.bmp": bytes(bmp),
        "giant.gif": bytes(gif),
        "giant.webp": bytes(webp),
        "giant.avif": avif,
        "giant.tiff": tiff(side, side, {}, b"\0" * 100),
        "giant-32-bit.tiff": tiff(2**32 - 1, 2**32 - 1, {}, b"\0" * 100),
    }


def _bombs() -> dict[str, bytes]:
    """Small files that inflate."""
    zeros = zlib.compress(b"\0" * (64 << 20), 9)
    sound = zlib.compress((b"\0" + b"\x80" * 300) * 100)
    profile = png_chunk(b"iCCP", b"x\0\0" + zeros)
    text = png_chunk(b"zTXt", b"Comment\0\0" + zeros)
    photo = encode(scene(), "JPEG")
    return {
        "bomb-pixels.png": png(100, 100, zeros),
        "bomb-wide.png": png(25_000, 3_900, zeros),
        "bomb-interlaced.png": png(25_000, 3_900, zeros, interlace=1),
        "bomb-profile.png": png(100, 100, sound, extra=profile),
        "bomb-text.png": png(100, 100, sound, extra=text * 20),
        "bomb-chunks.png": png(100, 100, sound, extra=png_chunk(b"IDAT", b"") * 150_000),
        "bomb-exif.png": png(100, 100, sound, extra=png_chunk(b"eXIf", exif_bomb())),
        "bomb-strip.tiff": tiff(100, 100, {259: 8, 278: 2**31 - 1}, zeros),
        "bomb-tile.tiff": tiff(100, 100, {259: 8, 322: 40_000, 323: 40_000}, zeros),
        "bomb-samples.tiff": tiff(2_000, 2_000, {259: 8, 277: 60_000}, zeros),
        "bomb-exif.jpg": jpeg_with_exif(photo, exif_bomb()),
        "bomb-exif.webp": encode(scene(), "WEBP", exif=exif_bomb()),
        "bomb-exif.tiff": exif_bomb(),
    }


def hostile() -> dict[str, bytes]:
    """Name to bytes of well over a hundred files; the same ones every time."""
    chance = random.Random(20)
    files = _giants() | _bombs()
    files |= {"empty.jpg": b"", "one-byte.png": b"\x89", "text.jpg": b"not a picture\n" * 50}
    for number in range(10):
        files[f"random-{number}.bin"] = chance.randbytes(2_000)
    for form in WRITABLE:
        sound = encode(scene(), form)
        files[f"wrong-extension-{form}.xyz"] = sound
        files[f"magic-only.{form}"] = sound[:16] + chance.randbytes(500)
        for share in (0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97):
            files[f"truncated-{share}.{form}"] = sound[: int(len(sound) * share)]
        for number in range(10):
            flipped = bytearray(sound)
            for _ in range(1 + number * 2):
                flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
            files[f"flipped-{number}.{form}"] = bytes(flipped)
    return files
