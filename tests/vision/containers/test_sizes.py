"""What will be allocated is checked, and not what a container says of it."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sayso.vision.containers.boxes import walk_heif
from sayso.vision.containers.gif import walk_gif
from sayso.vision.containers.webp import walk_webp
from sayso.vision.errors import PictureError, PictureTooLarge, UnreadablePicture
from sayso.vision.limits import PictureLimits
from sayso.vision.picture import decode
from tests.data import REPOSITORY
from tests.vision.hostile import avif_behind, gif, said_of
from tests.vision.pictures import encode, png, png_chunk, scene

FILES = Path(__file__).parent.parent / "files"
LIMITS = PictureLimits(max_pixels=1_000_000)


def test_the_frame_of_an_avif_counts_and_not_its_box() -> None:
    hidden = avif_behind(1_100, 100)
    assert len(hidden) < 3_000
    assert said_of(100) in hidden
    with pytest.raises(PictureTooLarge, match="1100 x 1100 pixels"):
        decode(hidden, LIMITS)


def test_neither_does_the_configuration_of_an_avif_count() -> None:
    """Its sequence header may lie as well; the one among the pixels is the decoder's."""
    small, hidden = avif_behind(64, 64), bytearray(avif_behind(1_100, 100))
    honest, lie = (_configuration(each) for each in (bytes(hidden), small))
    assert len(honest) == len(lie)
    at = hidden.index(honest)
    hidden[at : at + len(lie)] = lie
    with pytest.raises(PictureTooLarge, match="1100 x 1100 pixels"):
        decode(bytes(hidden), LIMITS)


def _configuration(avif: bytes) -> bytes:
    at = avif.index(b"av1C") + 4
    return avif[at : at - 8 + int.from_bytes(avif[at - 8 : at - 4], "big")]


@pytest.mark.parametrize(("name", "size"), [("scene.heic", (96, 64)), ("turned.heic", (64, 96))])
def test_the_frame_of_a_heic_counts_and_not_its_box(name: str, size: tuple[int, int]) -> None:
    """Neither does the configuration; the size is that of the sequence parameter set."""
    data = (FILES / name).read_bytes()
    said = struct.pack(">II", *size)
    assert said in data
    parts = walk_heif(data.replace(said, struct.pack(">II", 8, 8)))
    assert (parts.width, parts.height) == size
    with pytest.raises(PictureTooLarge, match=f"{size[0]} x {size[1]} pixels"):
        decode(data.replace(said, struct.pack(">II", 8, 8)), PictureLimits(max_side=95))


def test_the_screen_and_the_frame_of_a_gif_count_together() -> None:
    for screen, frame in (
        ((65_535, 65_535), (0, 0, 9, 9)),
        ((9, 9), (0, 0, 65_535, 65_535)),
        ((9, 9), (60_000, 60_000, 9, 9)),
    ):
        data = gif(screen, frame)
        assert len(data) <= 43
        with pytest.raises(PictureTooLarge, match="limit for a side"):
            decode(data)


@pytest.mark.skipif(sys.platform != "linux", reason="units of memory differ")
def test_a_gif_of_43_bytes_allocates_nothing_before_it_is_refused() -> None:
    program = """
import resource
from sayso.vision.errors import PictureError
from sayso.vision.picture import decode
from tests.vision.hostile import avif_behind, gif

files = [gif((13_000, 13_000), (0, 0, 9, 9)), avif_behind(4_000, 100)]
from sayso.vision.limits import PictureLimits
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for data in files:
    try:
        decode(data, PictureLimits(max_pixels=10_000_000))
    except PictureError:
        pass
    else:
        raise SystemExit("it was decoded")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 10_000  # KiB; the canvas alone had 169 MB


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_frames_are_counted_and_only_the_first_is_decoded(form: str) -> None:
    frames = [Image.fromarray(255 - scene())] * 4
    picture = decode(encode(scene(), form, save_all=True, append_images=frames, duration=20))
    assert "frames; only the first was looked at" in picture.notices[0]
    assert abs(int(picture.pixels[0, 0, 0]) - int(scene()[0, 0, 0])) < 40


def test_an_animated_avif_gives_its_first_picture() -> None:
    frames = [Image.fromarray(255 - scene())]
    picture = decode(encode(scene(), "AVIF", save_all=True, append_images=frames))
    assert np.abs(picture.pixels.astype(int) - scene()).max() < 16
    assert picture.notices == ("the file has 2 pictures; only the first was looked at",)


def test_a_gif_of_many_frames_is_walked_and_no_more() -> None:
    parts = walk_gif(gif((9, 9), (0, 0, 9, 9), 50_000))
    assert parts.others == 49_999
    assert len(parts.essence) < 50


def test_the_picture_in_a_webp_counts_as_well_as_its_canvas() -> None:
    data = bytearray(encode(scene(), "WEBP", exif=b"II*\0" + bytes(20)))
    at = data.index(b"\x9d\x01\x2a") + 3
    data[at : at + 4] = struct.pack("<HH", 16_000, 16_000)
    parts = walk_webp(bytes(data))
    assert (parts.width, parts.height) == (16_000, 16_000)


def test_a_second_header_of_a_png_is_refused() -> None:
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    with pytest.raises(UnreadablePicture, match="two headers"):
        decode(png(100, 100, b"", extra=png_chunk(b"IHDR", header)))


def test_tiles_far_larger_than_their_grid_are_refused() -> None:
    """A picture of 100 x 100 made of 200 references to a tile of 1100 x 1100."""
    with pytest.raises(PictureError, match="tiles of the picture"):
        decode(_grid(avif_behind(1_100, 1_100), 200))


def _grid(avif: bytes, tiles: int) -> bytes:
    """Put a grid before the only item of an AVIF, made of that item so many times."""
    payload = struct.pack(">BBBBHH", 0, 0, 0, tiles - 1, 100, 100)
    infe = struct.pack(">I4sIHH4sB", 21, b"infe", 2 << 24, 9, 0, b"grid", 0)
    refs = struct.pack(f">HH{tiles}H", 9, tiles, *[1] * tiles)
    iref = _box(b"iref", bytes(4) + _box(b"dimg", refs))
    start, size = avif.index(b"meta") - 4, int.from_bytes(avif[avif.index(b"meta") - 4 :][:4])
    inner = avif[start + 12 : start + size]
    boxes, at = [], 0
    while at < len(inner):
        length, kind = struct.unpack_from(">I4s", inner, at)
        body = inner[at + 8 : at + length]
        if kind == b"pitm":
            body = bytes(4) + struct.pack(">H", 9)
        elif kind == b"iinf":
            (count,) = struct.unpack_from(">H", body, 4)
            body = body[:4] + struct.pack(">H", count + 1) + body[6:] + infe
        elif kind == b"iloc":
            continue_at = at + length
            boxes.append(_box(b"iloc", _places(len(payload))))
            at = continue_at
            continue
        boxes.append(_box(kind, body))
        at += length
    boxes += [iref, _box(b"idat", payload)]
    meta = _box(b"meta", bytes(4) + b"".join(boxes))
    return avif[:start] + meta + avif[start + size :]


def _places(size: int) -> bytes:
    """Say that item 9 is in the ``idat`` box; of item 1 the configuration says enough."""
    head = struct.pack(">BBHBBH", 1, 0, 0, 0x44, 0, 1)
    return head + struct.pack(">HHHHII", 9, 1, 0, 1, 0, size)


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body
