"""Bytes to an upright RGB picture, with every limit checked before a pixel is allocated.

What a file is, is told from its content; its name plays no part. JPEG and PNG files are walked
in ``containers``, and only the segments that pixels need are handed to Pillow, so that metadata
can neither inflate nor mislead it. What comes out:

- EXIF orientation (or HEIF's own rotation) is applied; all eight of them.
- Of an animation or a file of several pages, the first.
- Transparency is composited over white.
- 16-bit samples are scaled to 8 bit, not clipped; 32-bit and floating-point ones are refused,
  because such a file does not say which of its values is white.
- CMYK follows Adobe's inverted convention in JPEG, as browsers do.
- An ICC profile of the picture's own colour space is converted to sRGB; one that is damaged or
  larger than ``MAX_PROFILE`` is ignored, as are those of grey pictures.
- A truncated or damaged file is refused, never returned half grey.
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

import cv2
import numpy as np
import pi_heif
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageCms,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from sayso.vision.containers import (
    MAX_PROFILE,
    Parts,
    check_png_pixels,
    open_ended,
    orientation_of,
    sniff,
    walk_jpeg,
    walk_png,
    webp_size,
)
from sayso.vision.errors import (
    PictureTooLarge,
    PictureTooSmall,
    UnreadablePicture,
    UnsupportedPicture,
)
from sayso.vision.types import Picture

Pixels = NDArray[np.uint8]

#: Every format that can be decoded, in the names that ``Picture.format`` uses.
FORMATS: Final = frozenset({"JPEG", "PNG", "WEBP", "TIFF", "HEIC", "AVIF", "GIF", "BMP"})

_MADE_UP: Final = 128  # what libjpeg fills missing blocks with, in every channel
_TIFF_SAMPLES: Final = 5  # CMYK and alpha
_TIFF_COMPRESSIONS: Final = frozenset(
    {
        *("raw", "packbits", "tiff_ccitt", "group3", "group4", "tiff_lzw", "jpeg"),
        *("tiff_adobe_deflate", "tiff_deflate", "lzma", "zstd"),
    }
)


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """What a picture may be; anything else is refused before its pixels are allocated.

    Decoding needs at most about 20 bytes per pixel beside the file's own bytes, so
    ``max_pixels`` bounds the memory. ``formats`` is a subset of ``FORMATS``.
    """

    max_bytes: int = 50 << 20
    max_pixels: int = 100_000_000
    max_side: int = 30_000
    min_side: int = 8
    formats: frozenset[str] = FORMATS

    def __post_init__(self) -> None:
        if unknown := sorted(self.formats - FORMATS):
            raise ValueError(
                f"unknown picture formats {', '.join(unknown)}; there are {_listed(FORMATS)}"
            )

    def stricter(self, other: PictureLimits) -> PictureLimits:
        """Return the limits that hold where both do."""
        return PictureLimits(
            max_bytes=min(self.max_bytes, other.max_bytes),
            max_pixels=min(self.max_pixels, other.max_pixels),
            max_side=min(self.max_side, other.max_side),
            min_side=max(self.min_side, other.min_side),
            formats=self.formats & other.formats,
        )


_DEFAULT_LIMITS: Final = PictureLimits()

# Where nothing handles logs, Python prints Pillow's complaints about a file; the error says it all.
logging.getLogger("PIL").addHandler(logging.NullHandler())


def decode(data: bytes, limits: PictureLimits = _DEFAULT_LIMITS) -> Picture:
    """Decode a picture file's bytes to an upright ``Picture``.

    The same bytes always give the same pixels. Raises ``PictureTooLarge`` when the bytes, sides
    or pixels are over a limit, ``PictureTooSmall`` for a side below ``min_side``,
    ``UnsupportedPicture`` for a format or pixel layout that is not accepted, and
    ``UnreadablePicture`` for bytes that are no picture or a damaged or truncated one.
    """
    if not data:
        raise UnreadablePicture("the picture is empty: it has 0 bytes")
    if len(data) > limits.max_bytes:
        raise PictureTooLarge(
            f"the picture has {len(data):,} bytes, over the limit of {limits.max_bytes:,}"
        )
    form = sniff(data)
    if form is None:
        raise UnreadablePicture(
            f"the bytes are no picture that Sayso knows; it reads {_listed(limits.formats)}"
        )
    if form not in limits.formats:
        raise UnsupportedPicture(
            f"a {form} picture is not accepted here; send one of {_listed(limits.formats)}"
        )
    try:
        pixels = _DECODERS[form](data, limits)
    except (PictureTooLarge, UnsupportedPicture, UnreadablePicture):
        raise
    except MemoryError:
        raise PictureTooLarge(f"there is not enough memory for this {form} picture") from None
    except Exception as error:  # noqa: BLE001 - decoders raise anything on hostile bytes
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise UnreadablePicture(f"the {form} picture is damaged or truncated: {reason}") from None
    pixels = np.ascontiguousarray(pixels)
    pixels.flags.writeable = False
    return Picture(pixels, form)


def _listed(formats: frozenset[str]) -> str:
    return ", ".join(sorted(formats))


def _check_size(width: int, height: int, limits: PictureLimits) -> None:
    size = f"the picture is {width} x {height} pixels"
    if min(width, height) < 1:
        raise UnreadablePicture(f"{size}; it has none")
    if max(width, height) > limits.max_side:
        raise PictureTooLarge(f"{size}; the limit for a side is {limits.max_side:,}")
    if width * height > limits.max_pixels:
        raise PictureTooLarge(
            f"{size}, {width * height:,} in all; the limit is {limits.max_pixels:,}"
        )
    if min(width, height) < limits.min_side:
        raise PictureTooSmall(f"{size}; the shorter side must have {limits.min_side} at least")


# --- formats ----------------------------------------------------------------------------------


def _decode_jpeg(data: bytes, limits: PictureLimits) -> Pixels:
    parts = walk_jpeg(data)
    _check_size(parts.width, parts.height, limits)
    image = JpegImagePlugin.JpegImageFile(io.BytesIO(parts.essence))
    pixels = _finish(image, limits, parts.exif, parts.profile)
    _check_jpeg_end(image, parts)
    return pixels


def _check_jpeg_end(image: JpegImagePlugin.JpegImageFile, parts: Parts) -> None:
    """Refuse a JPEG that was cut and then closed: its rest would come out plain grey.

    Only a picture whose last pixel is that grey is decoded again to tell; of pictures of several
    scans (progressive ones) it can't be told.
    """
    last: Any = image.getpixel((image.width - 1, image.height - 1))
    made_up = last == _MADE_UP if image.mode == "L" else last[:3] == (_MADE_UP,) * 3
    if not made_up or (data := open_ended(parts)) is None:
        return
    again = JpegImagePlugin.JpegImageFile(io.BytesIO(data))
    depth, mode = (1, "L") if again.mode == "L" else (4, "RGBX")
    buffer = np.zeros((again.height, again.width, depth), np.uint8)
    again.im = Image.frombuffer(mode, again.size, buffer, "raw", mode, 0, 1).im
    with suppress(OSError):  # always: it has no end
        again.load()
    if not buffer[-1].any():
        raise UnreadablePicture("the JPEG picture is truncated: it ends before its last row")


def _decode_png(data: bytes, limits: PictureLimits) -> Pixels:
    parts = walk_png(data)
    _check_size(parts.width, parts.height, limits)
    image = PngImagePlugin.PngImageFile(io.BytesIO(parts.essence))
    pixels = _finish(image, limits, parts.exif, parts.profile)
    # Pillow takes compressed pixels that end early for a picture whose rest is zero.
    last = image.crop((0, image.height - 1, image.width, image.height))
    if image.info.get("interlace") or last.getbbox(alpha_only=False) is None:
        check_png_pixels(parts.essence)
    return pixels


def _decode_webp(data: bytes, limits: PictureLimits) -> Pixels:
    # Pillow's decoder allocates its canvas on opening, so the size is read here before.
    _check_size(*webp_size(data), limits)
    return _open(WebPImagePlugin.WebPImageFile, data, limits)


def _decode_gif(data: bytes, limits: PictureLimits) -> Pixels:
    return _open(GifImagePlugin.GifImageFile, data, limits)


def _decode_bmp(data: bytes, limits: PictureLimits) -> Pixels:
    return _open(BmpImagePlugin.BmpImageFile, data, limits)


def _decode_avif(data: bytes, limits: PictureLimits) -> Pixels:
    return _open(AvifImagePlugin.AvifImageFile, data, limits)


def _decode_tiff(data: bytes, limits: PictureLimits) -> Pixels:
    return _open(TiffImagePlugin.TiffImageFile, data, limits)


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


def _decode_heic(data: bytes, limits: PictureLimits) -> Pixels:
    with _quiet():
        image = pi_heif.open_heif(data, convert_hdr_to_8bit=True)
    _check_size(image.size[0], image.size[1], limits)
    # libheif has turned the picture already; the EXIF orientation must not be applied again.
    plain = Image.frombytes(image.mode, image.size, image.data, "raw", image.mode, image.stride)
    return _finish(plain, limits, b"", image.info.get("icc_profile") or b"")


def _open(plugin: type[ImageFile.ImageFile], data: bytes, limits: PictureLimits) -> Pixels:
    with _quiet():
        image = plugin(io.BytesIO(data))
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        _check_tiff(image)
        exif = b""  # Pillow turns a TIFF while it loads it
    else:
        exif = image.info.get("exif") or b""
    return _finish(image, limits, exif, image.info.get("icc_profile") or b"")


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


_DECODERS: Final[dict[str, Callable[[bytes, PictureLimits], Pixels]]] = {
    "JPEG": _decode_jpeg,
    "PNG": _decode_png,
    "WEBP": _decode_webp,
    "GIF": _decode_gif,
    "BMP": _decode_bmp,
    "AVIF": _decode_avif,
    "TIFF": _decode_tiff,
    "HEIC": _decode_heic,
}


# --- from any mode to upright RGB -------------------------------------------------------------


def _finish(image: Image.Image, limits: PictureLimits, exif: bytes, profile: bytes) -> Pixels:
    _check_size(image.width, image.height, limits)
    if isinstance(image, JpegImagePlugin.JpegImageFile) and image.mode == "RGB":
        pixels = _load_rgb(image)
        if transform := _to_srgb("RGB", profile):
            for rows in _strips(*image.size):
                pixels[rows] = np.asarray(transform.apply(Image.fromarray(pixels[rows])))
    else:
        image.load()
        convert = _converter(image, profile)
        pixels = np.empty((image.height, image.width, 3), np.uint8)
        for rows in _strips(*image.size):
            pixels[rows] = convert(image.crop((0, rows.start, image.width, rows.stop)))
    return _upright(pixels, orientation_of(exif))


def _strips(width: int, height: int) -> Iterator[slice]:
    """Cut a picture into runs of rows of about a megapixel: conversions need copies."""
    step = max(1, (1 << 20) // width)
    for start in range(0, height, step):
        yield slice(start, min(start + step, height))


def _load_rgb(image: ImageFile.ImageFile) -> Pixels:
    """Decode straight into an array: three times as fast as ``numpy.asarray(image)``.

    Pillow keeps RGB as four bytes a pixel and copies it through small buffers on export. Given
    memory of ours as its target it has nothing left to export.
    """
    buffer = np.empty((image.height, image.width, 4), np.uint8)
    image.im = Image.frombuffer("RGBX", image.size, buffer, "raw", "RGBX", 0, 1).im
    image.load()
    return _array(cv2.cvtColor(buffer, cv2.COLOR_RGBA2RGB))


def _converter(image: Image.Image, profile: bytes) -> Callable[[Image.Image], Pixels]:
    """Choose how strips of this picture become RGB arrays."""
    mode = image.mode
    if mode.startswith("I;16"):
        return _grey16(image)
    if mode in ("I", "F", "LAB", "HSV"):
        what = {"I": "32-bit integer", "F": "floating-point"}.get(mode, mode)
        raise UnsupportedPicture(f"a picture of {what} samples is not accepted; save it as 8-bit")
    grey = mode in ("1", "L", "LA", "La")
    transform = None if grey else _to_srgb("CMYK" if mode == "CMYK" else "RGB", profile)

    def convert(strip: Image.Image) -> Pixels:
        if strip.has_transparency_data:
            strip = strip.convert("RGBA")
            strip = Image.alpha_composite(Image.new("RGBA", strip.size, "white"), strip)
        if transform is None:
            return np.asarray(strip.convert("RGB"))
        return np.asarray(transform.apply(strip if mode == "CMYK" else strip.convert("RGB")))

    return convert


def _grey16(image: Image.Image) -> Callable[[Image.Image], Pixels]:
    bits, white_is_zero = 16, False
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        tags: Any = image.tag_v2
        bits = int(tags.get(258, (16,))[0])
        white_is_zero = int(tags.get(262, 1)) == 0
    top = (1 << bits) - 1
    scale = ((np.arange(1 << 16, dtype=np.uint32).clip(0, top) * 255 + top // 2) // top).astype(
        "u1"
    )
    if white_is_zero:
        scale = 255 - scale
    return lambda strip: scale[np.asarray(strip).astype(np.uint16), None]


def _array(pixels: Any) -> Pixels:
    return np.asarray(pixels, np.uint8)


_SRGB_PROFILE: Final = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _to_srgb(mode: str, profile: bytes) -> ImageCms.ImageCmsTransform | None:
    """Build the transform; None when the profile is sRGB, of another mode or damaged."""
    if not profile or len(profile) > MAX_PROFILE or _is_srgb(profile):
        return None
    if {b"RGB ": "RGB", b"CMYK": "CMYK"}.get(profile[16:20]) != mode:
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.buildTransform(source, _SRGB_PROFILE, mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def _is_srgb(profile: bytes) -> bool:
    # Most files carry one of a few sRGB profiles; their descriptions all start alike.
    return b"sRGB" in profile or b"s\0R\0G\0B" in profile


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    if orientation in (5, 6, 7, 8):
        pixels = _array(cv2.transpose(pixels))
    flip = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}.get(orientation)
    return pixels if flip is None else _array(cv2.flip(pixels, flip))
