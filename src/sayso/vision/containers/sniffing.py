"""What kind of file some bytes are, by their content alone."""

from __future__ import annotations

from typing import Final

_MAGIC: Final = (
    ("JPEG", b"\xff\xd8\xff"),
    ("PNG", b"\x89PNG\r\n\x1a\n"),
    ("GIF", b"GIF87a"),
    ("GIF", b"GIF89a"),
    ("TIFF", b"II*\0"),
    ("TIFF", b"MM\0*"),
    ("TIFF", b"II+\0"),
    ("TIFF", b"MM\0+"),
    ("BMP", b"BM"),
)
_AVIF_BRANDS: Final = frozenset({b"avif", b"avis"})
_HEIC_BRANDS: Final = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
)
#: Raw files of cameras that are told by their first bytes; those that are TIFF files are told by
#: what is in them (see ``tiff``).
_RAW: Final = (
    ("Canon CR2", 8, b"CR\x02"),
    ("Canon CR3", 4, b"ftypcrx "),
    ("Canon CRW", 6, b"HEAPCCDR"),
    ("Fujifilm RAF", 0, b"FUJIFILMCCD-RAW"),
    ("Panasonic RW2", 0, b"IIU\0"),
    ("Olympus ORF", 0, b"IIRO"),
    ("Olympus ORF", 0, b"IIRS"),
    ("Olympus ORF", 0, b"MMOR"),
    ("Sigma X3F", 0, b"FOVb"),
    ("Minolta MRW", 0, b"\0MRM"),
)


def sniff(data: bytes) -> str | None:
    """Return the format by the first bytes, as ``Picture.format`` names it; None if unknown.

    A few hundred bytes of a file are enough.
    """
    if raw_name(data) is not None:
        return None
    for form, magic in _MAGIC:
        if data.startswith(magic):
            return form
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        size = min(int.from_bytes(data[:4], "big"), 256)
        brands = {data[8:12], *(data[at : at + 4] for at in range(16, size - 3, 4))}
        if brands & _AVIF_BRANDS:
            return "AVIF"
        if brands & _HEIC_BRANDS:
            return "HEIC"
    return None


def raw_name(data: bytes) -> str | None:
    """Return what a camera's raw file is called, such as ``Canon CR2``; None for other files."""
    for name, at, magic in _RAW:
        if data[at : at + len(magic)] == magic:
            return name
    return None
