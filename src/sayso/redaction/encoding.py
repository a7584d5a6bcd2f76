"""What a redacted picture is written as: its pixels, their colour space, and nothing else."""

from __future__ import annotations

from typing import Final

from sayso.vision import encoding
from sayso.vision.types import Picture

#: HEIC cannot be written; GIF has too few colours, and BMP no place for a colour space.
_SUFFIXES: Final = {
    "JPEG": ".jpg",
    "PNG": ".png",
    "WEBP": ".webp",
    "TIFF": ".tif",
    "AVIF": ".avif",
    "HEIC": ".jpg",
    "GIF": ".png",
    "BMP": ".png",
}


def encode(picture: Picture, suffix: str) -> bytes:
    """Encode the upright pixels as what a suffix such as ``.jpg`` names, with an sRGB profile.

    Nothing of the file that the picture came from is in it but what the pixels show. Raises
    ``UnsupportedPicture`` and ``PictureTooLarge``.
    """
    return encoding.encode(picture, suffix)


def suffix_for(form: str) -> str:
    """Choose the suffix to write by for a picture decoded from ``form``, its ``Picture.format``.

    The same format where that can be written with its colour space; else JPEG for photographs
    and PNG for the rest.
    """
    return _SUFFIXES.get(form, ".png")
