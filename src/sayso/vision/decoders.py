"""The decoders, one for each format: a picture file's bytes to upright RGB.

What comes out is described in ``picture``. Files are taken apart first (``containers``), so that
the size of what will be allocated is checked before a decoder sees a byte.
"""

from __future__ import annotations

import io
import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pi_heif
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from sayso.vision.containers.boxes import walk_heif
from sayso.vision.containers.exif import orientation_of
from sayso.vision.containers.gif import walk_gif
from sayso.vision.containers.jpeg import Jpeg, walk_jpeg
from sayso.vision.containers.parts import Parts
from sayso.vision.containers.png import check_png_pixels, walk_png
from sayso.vision.containers.tiff import walk_tiff
from sayso.vision.containers.webp import walk_webp
from sayso.vision.errors import PictureTooLarge, UnreadablePicture, UnsupportedPicture
from sayso.vision.limits import PictureLimits
from sayso.vision.rgb import Allocate, Pixels, plainly, to_rgb, upright

_MADE_UP: Final = 128  # what libjpeg fills missing blocks with, in every channel
_TIFF_SAMPLES: Final = 5  # CMYK and alpha
_TIFF_COMPRESSIONS: Final = frozenset(
    {
        *("raw", "packbits", "tiff_ccitt", "group3", "group4", "tiff_lzw", "jpeg"),
        *("tiff_adobe_deflate", "tiff_deflate", "lzma", "zstd"),
    }
)
#: What stands for missing pixels of a JPEG: too little for more than some blocks, and more than
#: libjpeg reads ahead. In the usual tables the first ends every block at once; all four do in none.
_FILLERS: Final = tuple(bytes([each]) * 16 for each in (0x00, 0x55, 0xAA, 0x93))

# Where nothing handles logs, Python prints Pillow's complaints about a file; the error says it all.
logging.getLogger("PIL").addHandler(logging.NullHandler())


def _expect_nothing(_pixels: int) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Ask:
    """How a picture is to be decoded.

    With ``whole`` at its full size or not at all. ``allocate`` gives the memory for the pixels;
    ``expect`` is called with how many there will be, before anything is allocated for them.
    """

    limits: PictureLimits
    whole: bool = True
    allocate: Allocate = plainly
    expect: Callable[[int], None] = _expect_nothing

    def admit(self, width: int, height: int, *, reducible: bool = False) -> int:
        """Check a size before anything is allocated; return by what the sides are divided."""
        self.limits.check_size(width, height)
        by = self.limits.reduction(width, height, reducible=reducible and not self.whole)
        # Coefficients of a JPEG are kept at full size; but only where it has several scans.
        self.expect(width * height // (by * by))
        return by


@dataclass(frozen=True, slots=True)
class Decoded:
    """Upright pixels, uint8 (height, width, 3), and what people are to know of them.

    ``whole`` is the picture's own width and height, also where the pixels were reduced.
    """

    pixels: Pixels
    whole: tuple[int, int]
    notices: tuple[str, ...] = ()


def decode_as(form: str, data: bytes, ask: Ask) -> Decoded:
    """Decode the bytes of a file of a format; raises PictureError, or anything for hostile ones."""
    return _DECODERS[form](data, ask)


def _decode_jpeg(data: bytes, ask: Ask) -> Decoded:
    parts = walk_jpeg(data)
    ask.limits.check_size(parts.width, parts.height)
    ask.limits.check_scans(parts.scans, parts.width * parts.height)
    by = ask.admit(parts.width, parts.height, reducible=parts.sequential)
    missing = 0 if parts.ended else _missing_rows(parts)
    image = _jpeg(parts.essence, parts, by)
    pixels = to_rgb(image, parts.profile, ask.allocate)
    if parts.ended:
        _check_jpeg_end(image, parts, by)
    notices = list(_others(parts))
    height = parts.height - missing
    if not parts.ended:
        notices.append("the file lacks its last bytes")
    if missing:
        notices[-1] += f"; {missing} rows of pixels at its end are missing, and left out"
        pixels = pixels[: max(1, -(-height // by))]
    if by > 1:
        notices.append(
            f"the picture is {parts.width} x {height} pixels, and was looked at as "
            f"{image.width} x {pixels.shape[0]}; SAYSO_MAX_DECODED_PIXELS limits that"
        )
    orientation = orientation_of(parts.exif)
    whole = (parts.width, height) if orientation < 5 else (height, parts.width)
    return Decoded(upright(pixels, orientation, ask.allocate), whole, tuple(notices))


def _jpeg(data: bytes, parts: Jpeg, by: int) -> JpegImagePlugin.JpegImageFile:
    image = JpegImagePlugin.JpegImageFile(io.BytesIO(data))
    if by > 1:
        image.draft(None, (parts.width // by, parts.height // by))
    return image


def _missing_rows(parts: Jpeg) -> int:
    """Return how many rows at its end a JPEG without an end marker lacks; 0 if it has them all.

    What is there does not depend on what comes after it, so it is decoded twice, with other bytes
    for what may be missing. At most the last row of blocks may be missing: raises
    ``UnreadablePicture`` for more, as for a picture of several scans that lacks any.
    """
    truncated = UnreadablePicture("the JPEG picture is truncated: it ends before its last row")
    found = (_decoded_so_far(parts, filler, at) for at, filler in enumerate(_FILLERS))
    first = next(found)
    same = np.ones(parts.height, np.bool_)
    for other in found:
        same &= (first == other).reshape(parts.height, -1).all(axis=1)
    missing = 0 if same.all() else int(parts.height - np.argmin(same))
    if missing and not parts.sequential:
        raise truncated
    if missing > parts.block + 1:  # one more, where colours are smoothed over rows
        raise truncated
    return missing


def _decoded_so_far(parts: Jpeg, filler: bytes, fill: int) -> Pixels:
    """Decode a JPEG as far as it goes, into pixels that were ``fill`` before.

    Without an end only one of one scan; of several, libjpeg wants the end before it begins.
    """
    data = parts.open_ended(filler)
    image = _jpeg(data if parts.sequential else data + b"\xff\xd9", parts, 1)
    depth, mode = (1, "L") if image.mode == "L" else (4, "RGBX")
    if image.mode not in ("L", "RGB"):
        raise UnreadablePicture("the JPEG picture is truncated: it has no end")
    buffer = np.full((image.height, image.width, depth), fill, np.uint8)
    image.im = Image.frombuffer(mode, image.size, buffer, "raw", mode, 0, 1).im
    with suppress(OSError):  # always, where it has no end
        image.load()
    return buffer[..., :3]


def _check_jpeg_end(image: JpegImagePlugin.JpegImageFile, parts: Jpeg, by: int) -> None:
    """Refuse a JPEG that was cut and then closed: its rest would come out plain grey.

    Only a picture whose last pixel is that grey is decoded again to tell; of pictures of several
    scans (progressive ones) it can't be told.
    """
    last: Any = image.getpixel((image.width - 1, image.height - 1))
    made_up = last == _MADE_UP if image.mode == "L" else last[:3] == (_MADE_UP,) * 3
    if not made_up or not parts.sequential:
        return
    again = _jpeg(parts.open_ended(_FILLERS[0]), parts, by)
    depth, mode = (1, "L") if again.mode == "L" else (4, "RGBX")
    buffer = np.zeros((again.height, again.width, depth), np.uint8)
    again.im = Image.frombuffer(mode, again.size, buffer, "raw", mode, 0, 1).im
    with suppress(OSError):
        again.load()
    if not buffer[-1].any():
        raise UnreadablePicture("the JPEG picture is truncated: it ends before its last row")


def _decode_png(data: bytes, ask: Ask) -> Decoded:
    parts = walk_png(data)
    ask.admit(parts.width, parts.height)
    image = PngImagePlugin.PngImageFile(io.BytesIO(parts.essence))
    decoded = _finish(image, ask, parts.exif, parts.profile, _others(parts, "frame"))
    # Pillow takes compressed pixels that end early for a picture whose rest is zero.
    last = image.crop((0, image.height - 1, image.width, image.height))
    if image.info.get("interlace") or last.getbbox(alpha_only=False) is None:
        check_png_pixels(parts.essence)
    return decoded


def _decode_webp(data: bytes, ask: Ask) -> Decoded:
    # Pillow's decoder allocates its canvas on opening, so the size is read here before.
    parts = walk_webp(data)
    ask.admit(parts.width, parts.height)
    return _open(WebPImagePlugin.WebPImageFile, data, ask, _others(parts, "frame"))


def _decode_gif(data: bytes, ask: Ask) -> Decoded:
    # Pillow fills the logical screen on opening, whatever the frame's own size.
    parts = walk_gif(data)
    ask.admit(parts.width, parts.height)
    return _open(GifImagePlugin.GifImageFile, parts.essence, ask, _others(parts, "frame"))


def _decode_bmp(data: bytes, ask: Ask) -> Decoded:
    return _open(BmpImagePlugin.BmpImageFile, data, ask)


def _decode_avif(data: bytes, ask: Ask) -> Decoded:
    parts = walk_heif(data)
    ask.admit(parts.width, parts.height)
    return _open(AvifImagePlugin.AvifImageFile, parts.essence, ask, _others(parts))


def _decode_tiff(data: bytes, ask: Ask) -> Decoded:
    parts = walk_tiff(data)
    ask.admit(parts.width, parts.height)
    notices = _others(parts, "page")
    return _open(TiffImagePlugin.TiffImageFile, parts.essence, ask, notices)


def _check_tiff(image: TiffImagePlugin.TiffImageFile) -> None:
    """Refuse what would make libtiff allocate more than the picture's own pixels."""
    compression = str(image.info.get("compression", "raw"))
    if compression not in _TIFF_COMPRESSIONS:
        raise UnsupportedPicture(f"TIFF compressed as {compression} is not accepted")
    tags: Any = image.tag_v2
    if int(tags.get(277, 1)) > _TIFF_SAMPLES:
        raise UnsupportedPicture(f"TIFF of {tags[277]} samples per pixel is not accepted")
    tile = int(tags.get(322, 0)) * int(tags.get(323, 0))
    if tile > max(4 * image.width * image.height, 1 << 22):
        raise PictureTooLarge(f"the TIFF's tiles of {tags[322]} x {tags[323]} exceed the picture")


def _decode_heic(data: bytes, ask: Ask) -> Decoded:
    parts = walk_heif(data)
    ask.admit(parts.width, parts.height)
    with _quiet():
        image = pi_heif.open_heif(data, convert_hdr_to_8bit=True)
    ask.admit(image.size[0], image.size[1])
    # libheif has turned the picture already; the EXIF orientation must not be applied again.
    plain = Image.frombytes(image.mode, image.size, image.data, "raw", image.mode, image.stride)
    profile = image.info.get("icc_profile") or b""
    return _finish(plain, ask, b"", profile, _others(parts))


def _open(
    plugin: type[ImageFile.ImageFile], data: bytes, ask: Ask, notices: tuple[str, ...] = ()
) -> Decoded:
    with _quiet():
        image = plugin(io.BytesIO(data))
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        _check_tiff(image)
        exif = b""  # Pillow turns a TIFF while it loads it
    else:
        exif = image.info.get("exif") or b""
    return _finish(image, ask, exif, image.info.get("icc_profile") or b"", notices)


def _finish(
    image: Image.Image, ask: Ask, exif: bytes, profile: bytes, notices: tuple[str, ...]
) -> Decoded:
    ask.admit(image.width, image.height)
    pixels = to_rgb(image, profile, ask.allocate)
    pixels = upright(pixels, orientation_of(exif), ask.allocate)
    return Decoded(pixels, (pixels.shape[1], pixels.shape[0]), notices)


def _others(parts: Parts, what: str = "picture") -> tuple[str, ...]:
    """Say what of a file was looked at where it has more than one picture."""
    if not parts.others:
        return ()
    return (f"the file has {parts.others + 1:,} {what}s; only {parts.chosen} was looked at",)


_QUIET_LOCK: Final = threading.Lock()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Pillow's warnings about odd metadata to itself.

    ``catch_warnings`` swaps a list that the whole process shares, so only one thread at a time
    may be inside; headers are parsed in here, pixels are not.
    """
    with _QUIET_LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


_DECODERS: Final[dict[str, Callable[[bytes, Ask], Decoded]]] = {
    "JPEG": _decode_jpeg,
    "PNG": _decode_png,
    "WEBP": _decode_webp,
    "GIF": _decode_gif,
    "BMP": _decode_bmp,
    "AVIF": _decode_avif,
    "TIFF": _decode_tiff,
    "HEIC": _decode_heic,
}
