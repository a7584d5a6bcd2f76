"""Of a file nothing gets into the copy but what the pixels show, and they look the same."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, PngImagePlugin, TiffImagePlugin

from sayso.redaction.encoding import suffix_for
from sayso.redaction.picture import cover
from sayso.redaction.types import Cover
from sayso.vision.encoding import encode
from sayso.vision.picture import FORMATS, decode
from tests.vision import pictures

#: What each hiding place says; none of it may come out.
PLACES = (
    *(b"latitude-north", b"owner-of-camera", b"thumbnail-tail", b"xmp-creator", b"iptc-byline"),
    *(b"comment-by-hand", b"maker-note", b"after-the-end", b"private-chunk"),
)
ORIENTATION, ARTIST, GPS, MAKER, OWNER = 0x0112, 0x013B, 0x8825, 0x927C, 0xA430
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a>xmp-creator</a></x:xmpmeta>'


def scene(width: int = 160, height: int = 96) -> Image.Image:
    return Image.fromarray(pictures.scene(width, height))


def wide_gamut() -> bytes:
    """An RGB profile whose red and green primaries changed places."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = profile.index(b"rXYZ"), profile.index(b"gXYZ")
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(profile).replace(b"s\0R\0G\0B", b"s\0w\0a\0p")


def exif(orientation: int) -> bytes:
    """EXIF with a place, an owner, a maker's note and a thumbnail."""
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    tags[ARTIST] = "owner-of-camera"
    tags.get_ifd(GPS)[1] = "N"
    tags.get_ifd(GPS)[2] = (52.0, 31.0, 12.0)
    tags.get_ifd(GPS)[27] = b"latitude-north"
    tags.get_ifd(0x8769)[MAKER] = b"maker-note"
    tags.get_ifd(0x8769)[OWNER] = "owner-of-camera"
    small = io.BytesIO()
    scene(32, 20).save(small, "JPEG")
    whole = tags.tobytes()
    return whole + small.getvalue() + b"thumbnail-tail"


def segment(marker: int, payload: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(payload) + 2) + payload


def jpeg(orientation: int = 6) -> bytes:
    out = io.BytesIO()
    scene().save(out, "JPEG", quality=95, exif=exif(orientation), icc_profile=wide_gamut())
    plain = out.getvalue()
    iptc = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x11\x1c\x02\x50\0\x0ciptc-byline\0"
    extra = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP) + segment(0xED, iptc)
    extra += segment(0xFE, b"comment-by-hand")
    return plain[:2] + extra + plain[2:] + b"after-the-end"


def png() -> bytes:
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", "owner-of-camera")
    text.add_text("Comment", "comment-by-hand", zip=True)
    text.add_itxt("XML:com.adobe.xmp", XMP.decode())
    text.add(b"prVt", b"private-chunk", after_idat=True)
    out = io.BytesIO()
    scene().save(out, "PNG", pnginfo=text, exif=exif(6), icc_profile=wide_gamut())
    return out.getvalue() + b"after-the-end"


def tiff() -> bytes:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[ARTIST], tags[270], tags[700] = "owner-of-camera", "comment-by-hand", XMP
    out = io.BytesIO()
    scene().save(out, "TIFF", tiffinfo=tags, icc_profile=wide_gamut())
    return out.getvalue() + b"after-the-end"


def webp(form: str = "WEBP") -> bytes:
    out = io.BytesIO()
    scene().save(out, form, exif=exif(6), xmp=XMP, icc_profile=wide_gamut(), quality=95)
    return out.getvalue()


FILES = {"JPEG": jpeg(), "PNG": png(), "TIFF": tiff(), "WEBP": webp(), "AVIF": webp("AVIF")}


def as_shown(data: bytes) -> NDArray[np.uint8]:
    """Return what a viewer that knows EXIF and ICC shows."""
    with Image.open(io.BytesIO(data)) as image:
        profile = image.info["icc_profile"]
        turned = ImageOps.exif_transpose(image).convert("RGB")
    srgb = ImageCms.createProfile("sRGB")
    shown = ImageCms.profileToProfile(turned, io.BytesIO(profile), srgb)
    return np.asarray(shown, np.uint8)


@pytest.mark.parametrize("form", FILES)
def test_the_files_really_hold_what_is_looked_for(form: str) -> None:
    count = sum(place in FILES[form] for place in PLACES)
    assert count >= (8 if form == "JPEG" else 3)


@pytest.mark.parametrize("form", FILES)
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".avif", ".bmp"])
def test_no_metadata_comes_through(form: str, suffix: str) -> None:
    picture = decode(FILES[form])
    out = encode(cover(picture, [Cover((5, 5, 20, 20))], "mosaic"), suffix)
    for place in (*PLACES, b"Exif", b"xmpmeta", b"ns.adobe", b"8BIM"):
        assert place not in out
    assert out.count(b"\xff\xd8\xff") == (suffix == ".jpg")  # one JPEG: no thumbnail
    with Image.open(io.BytesIO(out)) as image:
        assert dict(image.getexif()).keys() <= _LAYOUT
        assert "xmp" not in image.info
        assert "comment" not in image.info


#: The tags without which a TIFF has no pixels, and its colour profile.
_LAYOUT = {256, 257, 258, 259, 262, 273, 277, 278, 279, 284, 339, 34675}


def test_a_jpeg_has_no_other_segments() -> None:
    out = encode(decode(FILES["JPEG"]), ".jpg")
    at, markers = 2, []
    while out[at + 1] != 0xDA:
        markers.append((out[at + 1], out[at + 4 : at + 15]))
        at += 2 + int.from_bytes(out[at + 2 : at + 4], "big")
    kinds = {marker for marker, _ in markers}
    assert kinds <= {0xE0, 0xE2, 0xDB, 0xC0, 0xC4}  # JFIF, profile, tables, frame
    assert [text for marker, text in markers if marker == 0xE2] == [b"ICC_PROFILE"]


def test_a_png_has_no_other_chunks() -> None:
    out = encode(decode(FILES["PNG"]), ".png")
    at, kinds = 8, set()
    while at < len(out):
        kinds.add(out[at + 4 : at + 8])
        at += 12 + int.from_bytes(out[at : at + 4], "big")
    assert kinds == {b"IHDR", b"iCCP", b"IDAT", b"IEND"}


@pytest.mark.parametrize("form", FILES)
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".avif"])
def test_a_viewer_shows_the_same_picture(form: str, suffix: str) -> None:
    before, after = as_shown(FILES[form]), as_shown(encode(decode(FILES[form]), suffix))
    assert after.shape == before.shape
    assert np.abs(after.astype(int) - before.astype(int)).mean() < 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_upright_in_the_copy(orientation: int) -> None:
    data = jpeg(orientation)
    before, after = as_shown(data), as_shown(encode(decode(data), ".png"))
    assert after.shape == before.shape
    assert np.abs(after.astype(int) - before.astype(int)).mean() < 2


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".avif", ".bmp"])
def test_equal_pixels_give_equal_bytes(suffix: str) -> None:
    one, other = decode(FILES["JPEG"]), decode(FILES["JPEG"])
    assert encode(one, suffix) == encode(other, suffix)


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_every_format_that_is_read_has_one_to_write(form: str) -> None:
    suffix = suffix_for(form)
    back = decode(encode(decode(FILES["PNG"]), suffix))
    assert back.format == {"HEIC": "JPEG", "GIF": "PNG", "BMP": "PNG"}.get(form, form)


def test_a_picture_from_nowhere_is_written_without_loss() -> None:
    assert suffix_for("") == ".png"
