"""TIFF files of cameras and scanners: the picture is looked at, and never its thumbnail."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sayso.vision.errors import UnsupportedPicture
from sayso.vision.picture import decode
from tests.vision.pictures import encode, scene

LARGE, SMALL = scene(96, 64), 255 - scene(24, 16)
Tags = dict[int, tuple[int, int]]


def directory(
    at: int, pixels: NDArray[np.uint8], strip: int, following: int, more: Tags, order: str
) -> bytes:
    """One directory of uncompressed RGB; ``more`` are further tags: type and value."""
    height, width, _ = pixels.shape
    tags: Tags = {
        256: (4, width), 257: (4, height), 259: (3, 1), 262: (3, 2), 273: (4, strip),
        277: (3, 3), 278: (4, height), 279: (4, pixels.size),
    }  # fmt: skip
    tags |= more
    tags[258] = (3, 0)
    body = struct.pack(order + "H", len(tags))
    after = at + 2 + 12 * len(tags) + 4
    for tag in sorted(tags):
        kind, value = tags[tag]
        if tag == 258:
            body += struct.pack(order + "HHII", tag, 3, 3, after)
        elif kind == 3:
            body += struct.pack(order + "HHIHH", tag, kind, 1, value, 0)
        else:
            body += struct.pack(order + "HHII", tag, kind, 1, value)
    return body + struct.pack(order + "IHHH", following, 8, 8, 8)


def camera(
    *, first: Tags, second: Tags, below: bool = True, order: str = "<", third: bool = False
) -> bytes:
    """A file whose first picture is small, and whose second is large: below it, or after it."""
    rest = [255 - LARGE] if third else []
    pictures = [SMALL, LARGE, *rest]
    size = 2 + 12 * 12 + 4 + 6  # more than any of them needs
    starts = [8 + size * number for number in range(len(pictures))]
    strips, at = [], 8 + size * len(pictures)
    for each in pictures:
        strips.append(at)
        at += each.size
    parts = []
    for number, each in enumerate(pictures):
        more = dict((first, second, {})[number])
        following = starts[number + 1] if number + 1 < len(pictures) else 0
        if below and number == 0:
            more[330] = (4, starts[1])
            following = 0
        made = directory(starts[number], each, strips[number], following, more, order)
        parts.append(made.ljust(size, b"\0"))
    mark = b"II*\0" if order == "<" else b"MM\0*"
    head = mark + struct.pack(order + "I", 8)
    return head + b"".join(parts) + b"".join(each.tobytes() for each in pictures)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("below", [True, False])
@pytest.mark.parametrize("first", [{254: (4, 1)}, {}])
def test_the_largest_picture_is_looked_at(order: str, below: bool, first: Tags) -> None:
    picture = decode(camera(first=first, second={}, below=below, order=order))
    assert np.array_equal(picture.pixels, LARGE)
    told = () if first else ("the file has 2 pages; only the largest was looked at",)
    assert picture.notices == told


def test_a_large_picture_that_calls_itself_reduced_is_not_it() -> None:
    picture = decode(camera(first={}, second={254: (4, 1)}))
    assert np.array_equal(picture.pixels, SMALL)


def test_pages_are_counted_and_the_first_is_looked_at() -> None:
    pages = [Image.fromarray(255 - LARGE)] * 2
    picture = decode(encode(LARGE, "TIFF", save_all=True, append_images=pages))
    assert np.array_equal(picture.pixels, LARGE)
    assert picture.notices == ("the file has 3 pages; only the first was looked at",)


@pytest.mark.parametrize("big", [False, True])
def test_large_and_ordinary_files_alike(big: bool) -> None:
    small = Image.fromarray(SMALL)
    data = encode(small, "TIFF", save_all=True, append_images=[Image.fromarray(LARGE)],
                  big_tiff=big)  # fmt: skip
    picture = decode(data)
    assert np.array_equal(picture.pixels, LARGE)
    assert picture.notices == ("the file has 2 pages; only the largest was looked at",)


@pytest.mark.parametrize(
    "second",
    [{262: (3, 32803)}, {262: (3, 34892)}, {259: (3, 34713)}, {259: (3, 32767)}],
)
def test_the_raw_file_of_a_camera_is_refused_by_name(second: Tags) -> None:
    with pytest.raises(UnsupportedPicture, match="raw file is not accepted"):
        decode(camera(first={254: (4, 1)}, second=second))
    with pytest.raises(UnsupportedPicture, match="DNG raw file is not accepted"):
        decode(camera(first={254: (4, 1), 50706: (1, 4)}, second=second))


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("Canon CR2", b"II*\0\x10\0\0\0CR\x02\0"),
        ("Canon CR3", b"\0\0\0\x18ftypcrx \0\0\0\x01"),
        ("Fujifilm RAF", b"FUJIFILMCCD-RAW 0201"),
        ("Panasonic RW2", b"IIU\0\x18\0\0\0"),
        ("Olympus ORF", b"IIRO\x08\0\0\0"),
        ("Sigma X3F", b"FOVb\0\0\0\0"),
    ],
)
def test_other_raw_files_are_refused_by_name_too(name: str, head: bytes) -> None:
    with pytest.raises(UnsupportedPicture, match=f"{name} raw file is not accepted"):
        decode(head + bytes(500))


def test_directories_that_go_in_circles_end() -> None:
    data = bytearray(camera(first={}, second={}, below=False))
    assert np.array_equal(decode(bytes(data)).pixels, LARGE)
    at = data.index(struct.pack("<I", 0), 8 + 168 + 2 + 12 * 9)
    data[at : at + 4] = struct.pack("<I", 8)
    assert np.array_equal(decode(bytes(data)).pixels, LARGE)
