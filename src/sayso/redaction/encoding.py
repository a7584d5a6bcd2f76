"""What a redacted picture is written as; ``sayso.vision.encoding`` writes it."""

from __future__ import annotations

from typing import Final

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


def suffix_for(form: str) -> str:
    """Choose the suffix to write by for a picture decoded from ``form``, its ``Picture.format``.

    The same format where that can be written with its colour space; else JPEG for photographs
    and PNG for the rest.
    """
    return _SUFFIXES.get(form, ".png")
