"""An upright sRGB picture to a file's bytes, with its colour space and no other metadata."""

from __future__ import annotations

import io
from typing import Any, Final

from PIL import Image, ImageCms

from sayso.vision import effort
from sayso.vision.errors import PictureTooLarge, UnsupportedPicture
from sayso.vision.types import Picture

_FORMATS: Final = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".avif": "AVIF",
    ".bmp": "BMP",
}

_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "JPEG": {"quality": 92},
    "WEBP": {"quality": 92},
    "PNG": {"compress_level": 4},
}

#: The longest side, in pixels, that the libraries of a format write or read.
_LONGEST_SIDE: Final = {"WEBP": 16_383, "JPEG": 65_500, "AVIF": 32_768}

#: Where an ICC profile says when it was made (ICC.1:2022, 7.2.10), and what ours says.
_MADE: Final = slice(24, 36)
_MADE_ON: Final = bytes.fromhex("07d0 0001 0001 0000 0000 0000")


def _srgb() -> bytes:
    """Return sRGB as an ICC profile; without the time of day, so that equal pixels stay equal."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[_MADE] = _MADE_ON
    return bytes(profile)


_SRGB: Final = _srgb()


def encode(picture: Picture, suffix: str) -> bytes:
    """Encode as the format that a file's suffix names, such as ``.jpg`` or ``.png``.

    An sRGB profile is embedded, save in BMP, which has no place for one; no other metadata is
    written. Raises ``UnsupportedPicture`` for a suffix that is not known, and
    ``PictureTooLarge`` for a picture that does not fit the format.
    """
    form = _FORMATS.get(suffix.lower())
    if form is None:
        raise UnsupportedPicture(
            f"cannot write a picture as {suffix or 'a file without suffix'!r}; use one of"
            f" {', '.join(sorted(_FORMATS))}"
        )
    longest = _LONGEST_SIDE.get(form)
    if longest is not None and max(picture.width, picture.height) > longest:
        raise PictureTooLarge(
            f"cannot write {picture.width:,} x {picture.height:,} pixels as {form}, whose sides"
            f" have at most {longest:,}; use .png"
        )
    effort.check()
    options = dict(_OPTIONS.get(form, {}))
    if form != "BMP":
        options["icc_profile"] = _SRGB
    out = io.BytesIO()
    Image.fromarray(picture.pixels).save(out, form, **options)
    return out.getvalue()
