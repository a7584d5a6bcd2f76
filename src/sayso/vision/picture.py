"""Bytes to an upright RGB picture, with every limit checked before a pixel is allocated.

What a file is, is told from its content; its name plays no part. Files are taken apart in
``containers``, and of JPEG and PNG only what pixels need is handed to Pillow, so that metadata can
neither inflate nor mislead it. What comes out:

- EXIF orientation (or HEIF's own rotation) is applied; all eight of them.
- Of an animation the first frame; of a file of several pictures the first, or of a TIFF the
  largest that is no thumbnail. A notice says so.
- Transparency is composited over white.
- 16-bit samples are scaled to 8 bit, not clipped; 32-bit and floating-point ones are refused,
  because such a file does not say which of its values is white; so are cameras' raw files.
- CMYK follows Adobe's inverted convention in JPEG, as browsers do.
- An ICC profile of the picture's own colour space is converted to sRGB; one that is damaged or
  larger than ``MAX_PROFILE`` is ignored, as are those of grey pictures.
- A truncated or damaged file is refused, never returned half grey. Of a JPEG that lacks only
  bytes of its last row of blocks, the rows that are whole are returned, with a notice.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from sayso.vision.containers.sniffing import raw_name, sniff
from sayso.vision.decoders import Ask, decode_as
from sayso.vision.errors import (
    PictureError,
    PictureTooCostly,
    PictureTooLarge,
    UnreadablePicture,
    UnsupportedPicture,
)
from sayso.vision.limits import FORMATS, PictureLimits, listed
from sayso.vision.types import Picture

__all__ = ["FORMATS", "PictureLimits", "decode", "decode_by", "form_of"]

_DEFAULT_LIMITS: Final = PictureLimits()


def decode(data: bytes, limits: PictureLimits = _DEFAULT_LIMITS, *, whole: bool = True) -> Picture:
    """Decode a picture file's bytes to an upright ``Picture``, in this process.

    The same bytes always give the same pixels. Unless ``whole``, a JPEG over
    ``limits.max_decoded`` pixels is reduced (see ``Picture.whole``) rather than refused.

    Raises ``PictureTooLarge`` when the bytes, sides or pixels are over a limit, ``PictureTooSmall``
    for a side below ``min_side``, ``PictureTooCostly`` for a JPEG of too many scans,
    ``UnsupportedPicture`` for a format or pixel layout that is not accepted, and
    ``UnreadablePicture`` for bytes that are no picture or a damaged or truncated one.
    """
    return decode_by(data, Ask(limits, whole))


def decode_by(data: bytes, ask: Ask) -> Picture:
    """Do as ``decode``, in memory that is asked for."""
    form = form_of(data, ask.limits)
    try:
        decoded = decode_as(form, data, ask)
    except PictureError:
        raise
    except MemoryError:
        raise PictureTooCostly(f"there is not enough memory for this {form} picture") from None
    except Exception as error:  # noqa: BLE001 - decoders raise anything on hostile bytes
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise UnreadablePicture(f"the {form} picture is damaged or truncated: {reason}") from None
    pixels = np.ascontiguousarray(decoded.pixels)
    pixels.flags.writeable = False
    return Picture(pixels, form, notices=decoded.notices, whole=decoded.whole)


def form_of(data: bytes, limits: PictureLimits) -> str:
    """Return the format of a file that may be decoded; raises a PictureError for any other."""
    if not data:
        raise UnreadablePicture("the picture is empty: it has 0 bytes")
    if len(data) > limits.max_bytes:
        raise PictureTooLarge(
            f"the picture has {len(data):,} bytes, over the limit of {limits.max_bytes:,}"
        )
    if (raw := raw_name(data)) is not None:
        raise UnsupportedPicture(
            f"a {raw} raw file is not accepted: it holds what the sensor saw, and no picture yet; "
            "save it as JPEG or TIFF first"
        )
    form = sniff(data)
    if form is None:
        raise UnreadablePicture(
            f"the bytes are no picture that Sayso knows; it reads {listed(limits.formats)}"
        )
    if form not in limits.formats:
        raise UnsupportedPicture(
            f"a {form} picture is not accepted here; send one of {listed(limits.formats)}"
        )
    return form
