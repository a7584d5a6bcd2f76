"""What a picture may be, and the refusals of what it may not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sayso.vision.errors import (
    PictureTooCostly,
    PictureTooLarge,
    PictureTooSmall,
    UnreadablePicture,
)

#: Every format that can be decoded, in the names that ``Picture.format`` uses.
FORMATS: Final = frozenset({"JPEG", "PNG", "WEBP", "TIFF", "HEIC", "AVIF", "GIF", "BMP"})
#: Scans that a JPEG may have, and how many pixels all of its scans may go over. Encoders make
#: 10 scans, and the most thorough ones some dozens; each costs as much again as the first.
_MOST_SCANS: Final = 100
_SCANNED_PIXELS: Final = 2_000_000_000
#: By what a JPEG can be reduced while it is decoded.
_REDUCTIONS: Final = (2, 4, 8)


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """What a picture may be; anything else is refused before its pixels are allocated.

    ``max_pixels`` is the largest picture that is looked at, and ``max_decoded`` the most pixels
    that are in memory of one: a JPEG between the two is decoded at a half, a quarter or an eighth
    of its size where no copy is made of it, and everything else is refused. Decoding needs at most
    about 20 bytes per pixel beside the file's own bytes, so ``max_decoded`` bounds the memory.
    ``formats`` is a subset of ``FORMATS``.
    """

    max_bytes: int = 50 << 20
    max_pixels: int = 220_000_000
    max_side: int = 30_000
    min_side: int = 8
    formats: frozenset[str] = FORMATS
    max_decoded: int = 100_000_000

    def __post_init__(self) -> None:
        if unknown := sorted(self.formats - FORMATS):
            raise ValueError(
                f"unknown picture formats {', '.join(unknown)}; there are {listed(FORMATS)}"
            )

    def stricter(self, other: PictureLimits) -> PictureLimits:
        """Return the limits that hold where both do."""
        return PictureLimits(
            max_bytes=min(self.max_bytes, other.max_bytes),
            max_pixels=min(self.max_pixels, other.max_pixels),
            max_side=min(self.max_side, other.max_side),
            min_side=max(self.min_side, other.min_side),
            formats=self.formats & other.formats,
            max_decoded=min(self.max_decoded, other.max_decoded),
        )

    def check_size(self, width: int, height: int) -> None:
        """Raise a PictureError for sides and pixels that are over a limit, or too few."""
        size = f"the picture is {width} x {height} pixels"
        if min(width, height) < 1:
            raise UnreadablePicture(f"{size}; it has none")
        if max(width, height) > self.max_side:
            raise PictureTooLarge(
                f"{size}; the limit for a side is {self.max_side:,} (SAYSO_MAX_PICTURE_SIDE)"
            )
        if width * height > self.max_pixels:
            raise PictureTooLarge(
                f"{size}, {width * height:,} in all; the limit is {self.max_pixels:,} "
                "(SAYSO_MAX_PICTURE_PIXELS)"
            )
        if min(width, height) < self.min_side:
            raise PictureTooSmall(f"{size}; the shorter side must have {self.min_side} at least")

    def check_scans(self, scans: int, pixels: int) -> None:
        """Raise PictureTooCostly for a JPEG whose scans go over too many pixels in all."""
        most = min(_MOST_SCANS, max(1, _SCANNED_PIXELS // max(1, pixels)))
        if scans > most:
            raise PictureTooCostly(
                f"the JPEG picture has {scans:,} scans; the limit for its {pixels:,} pixels is "
                f"{most}; save it as baseline JPEG"
            )

    def reduction(self, width: int, height: int, *, reducible: bool) -> int:
        """Return by what a picture's sides are divided so that its pixels fit in memory: 1 to 8.

        Raises PictureTooLarge where they do not, or it is not ``reducible``.
        """
        pixels = width * height
        if pixels <= self.max_decoded:
            return 1
        for by in _REDUCTIONS if reducible else ():
            if pixels <= self.max_decoded * by * by:
                return by
        raise PictureTooLarge(
            f"the picture is {width} x {height} pixels, {pixels:,} in all; the limit for one that "
            f"must be decoded whole is {self.max_decoded:,} (SAYSO_MAX_DECODED_PIXELS): reduce it, "
            "or raise the limit"
        )


def listed(formats: frozenset[str]) -> str:
    """Return formats as messages list them."""
    return ", ".join(sorted(formats))
