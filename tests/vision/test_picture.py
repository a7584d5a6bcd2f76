"""Sound files of every kind become the same upright picture."""

from __future__ import annotations

import io
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from sayso.vision.errors import (
    PictureTooLarge,
    PictureTooSmall,
    UnreadablePicture,
    UnsupportedPicture,
)
from sayso.vision.picture import FORMATS, PictureLimits, decode
from tests.vision.pictures import encode, exif, jpeg_with_exif, png, scene

FILES = Path(__file__).parent / "files"
LOSSLESS = ("PNG", "TIFF", "BMP")
#: How far lossy formats may be from the scene; the wrong orientation or channel is off by > 100.
TOLERANCE = {"JPEG": 12, "WEBP": 12, "AVIF": 12, "HEIC": 8, "GIF": 40}


def difference(data: bytes, expected: NDArray[Any]) -> int:
    pixels = decode(data).pixels
    assert pixels.shape == expected.shape
    return int(np.abs(pixels.astype(int) - expected.astype(int)).max())


@pytest.mark.parametrize("form", LOSSLESS)
def test_lossless_formats_give_back_every_pixel(form: str) -> None:
    picture = decode(encode(scene(), form))
    assert picture.format == form
    assert np.array_equal(picture.pixels, scene())


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "AVIF", "GIF"])
def test_lossy_formats_come_near(form: str) -> None:
    data = encode(scene(), form)
    assert decode(data).format == form
    assert difference(data, scene()) <= TOLERANCE[form]


@pytest.mark.parametrize("name", ["scene.heic", "turned.heic"])
def test_heic_is_turned_once(name: str) -> None:
    data = (FILES / name).read_bytes()
    assert decode(data).format == "HEIC"
    assert difference(data, scene()) <= TOLERANCE["HEIC"]


def test_pixels_are_contiguous_and_cannot_be_written() -> None:
    for data in (encode(scene(), "JPEG"), encode(scene()[..., 0], "PNG")):
        pixels = decode(data).pixels
        assert pixels.dtype == np.uint8
        assert pixels.flags.c_contiguous
        with pytest.raises(ValueError, match="read-only"):
            pixels[0, 0, 0] = 1


def test_jpeg_pixels_equal_those_of_pillow(wider: Path) -> None:
    for path in sorted(wider.rglob("*.jpg"))[::40]:
        data = path.read_bytes()
        assert np.array_equal(decode(data).pixels, np.asarray(Image.open(path).convert("RGB")))
        assert np.array_equal(decode(data).pixels, decode(data).pixels)


#: EXIF orientation to how the camera stored the upright scene.
STORED = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: np.rot90(p, 1),
    7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
    8: lambda p: np.rot90(p, -1),
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_orientation_of_jpeg(orientation: int, order: str) -> None:
    stored = np.ascontiguousarray(STORED[orientation](scene()))
    data = jpeg_with_exif(encode(stored, "JPEG"), exif(orientation, order))
    assert difference(data, scene()) <= TOLERANCE["JPEG"]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF", "AVIF"])
def test_exif_orientation_of_other_formats(orientation: int, form: str) -> None:
    stored = np.ascontiguousarray(STORED[orientation](scene()))
    metadata = Image.Exif()
    metadata[0x0112] = orientation
    data = encode(stored, form, exif=metadata)
    assert difference(data, scene()) <= TOLERANCE.get(form, 0)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_impossible_orientation_is_ignored(orientation: int) -> None:
    data = jpeg_with_exif(encode(scene(), "JPEG"), exif(orientation))
    assert difference(data, scene()) <= TOLERANCE["JPEG"]


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "BMP", "GIF"])
def test_grey(form: str) -> None:
    grey = scene()[..., 0]
    assert difference(encode(grey, form), np.dstack([grey] * 3)) <= 3


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_not_clipped(form: str) -> None:
    deep = (np.arange(64 * 96, dtype=np.uint32).reshape(64, 96) * 10).astype(np.uint16)
    expected = np.round(deep / 257).astype(np.uint8)
    assert np.ptp(expected) > 230
    assert difference(encode(deep, form), np.dstack([expected] * 3)) == 0


def test_16_bit_rgb_png() -> None:
    wide = scene().astype(">u2") * 257
    rows = b"".join(b"\0" + row.tobytes() for row in wide)
    data = bytearray(png(96, 64, zlib.compress(rows)))
    data[24] = 16
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    assert difference(bytes(data), scene()) <= 1


def test_palette() -> None:
    quantised = Image.fromarray(scene()).quantize(64)
    assert difference(encode(quantised, "PNG"), np.asarray(quantised.convert("RGB"))) == 0


def test_one_bit() -> None:
    bits = scene()[..., 0] > 127
    expected = np.dstack([bits * np.uint8(255)] * 3)
    for form in ("PNG", "TIFF", "BMP"):
        assert difference(encode(bits, form), expected) == 0


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF", "AVIF"])
def test_transparency_is_composited_over_white(form: str) -> None:
    clear = np.dstack([scene(), np.zeros((64, 96), np.uint8)])
    clear[:, 48:, 3] = 255
    pixels = decode(encode(clear, form, lossless=True)).pixels.astype(int)
    assert (pixels[:, :40] == 255).all()
    assert np.abs(pixels[:, 56:] - scene()[:, 56:]).max() <= 12


def test_transparent_palette_and_grey_are_composited_over_white() -> None:
    palette = Image.fromarray(scene()).quantize(16)
    data = encode(palette, "PNG", transparency=palette.getpixel((0, 0)))
    assert tuple(decode(data).pixels[0, 0]) == (255, 255, 255)
    grey = np.full((64, 96), 90, np.uint8)
    grey[0, 0] = 7
    data = encode(grey, "PNG", transparency=7)
    assert tuple(decode(data).pixels[0, 0]) == (255, 255, 255)
    assert tuple(decode(data).pixels[1, 1]) == (90, 90, 90)


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
def test_cmyk(form: str) -> None:
    # Pillow writes the inverted values of Adobe's convention into JPEG, plain ones into TIFF.
    assert difference(encode(Image.fromarray(scene()).convert("CMYK"), form), scene()) <= 14


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_of_several_frames(form: str) -> None:
    frames = [Image.fromarray(255 - scene()) for _ in range(2)]
    data = encode(scene(), form, save_all=True, append_images=frames)
    assert difference(data, scene()) <= TOLERANCE.get(form, 0)


def test_progressive_jpeg_and_interlaced_png() -> None:
    assert difference(encode(scene(), "JPEG", progressive=True), scene()) <= TOLERANCE["JPEG"]
    assert np.array_equal(decode((FILES / "interlaced.png").read_bytes()).pixels, scene())


def _swapped_profile() -> bytes:
    """An RGB profile whose red and green primaries changed places."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = profile.index(b"rXYZ"), profile.index(b"gXYZ")
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(profile).replace(b"s\0R\0G\0B", b"s\0w\0a\0p")


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_icc_profile_is_converted_to_srgb(form: str) -> None:
    data = encode(scene(), form, icc_profile=_swapped_profile())
    assert difference(data, scene()[..., [1, 0, 2]]) <= 14


def test_damaged_or_foreign_icc_profile_is_ignored() -> None:
    whole = _swapped_profile()
    for profile in (whole[: len(whole) // 3], b"nonsense", whole.replace(b"RGB ", b"GRAY", 1)):
        assert difference(encode(scene(), "PNG", icc_profile=profile), scene()) == 0


def test_odd_metadata_raises_no_warning(capfd: pytest.CaptureFixture[str]) -> None:
    cut = exif(6)[:20]
    files = [jpeg_with_exif(encode(scene(), "JPEG"), cut)]
    files += [encode(scene(), form, exif=b"Exif\0\0" + cut) for form in ("PNG", "WEBP")]
    files.append(encode(scene(), "AVIF", exif=exif(1)).replace(exif(1), exif(1)[:9] + b"\xff" * 17))
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for data in files:
            decode(data)
    assert not seen
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("form", sorted(FORMATS - {"HEIC"}))
def test_limits_are_checked_and_named_in_every_format(form: str) -> None:
    data = encode(scene(), form)
    with pytest.raises(PictureTooLarge, match=r"96 x 64 .* limit is 6,143"):
        decode(data, PictureLimits(max_pixels=6_143))
    with pytest.raises(PictureTooLarge, match=r"96 x 64 .* a side is 95"):
        decode(data, PictureLimits(max_side=95))
    with pytest.raises(PictureTooLarge, match=f"{len(data):,} bytes"):
        decode(data, PictureLimits(max_bytes=len(data) - 1))
    with pytest.raises(PictureTooSmall, match=r"96 x 64 .* 80"):
        decode(data, PictureLimits(min_side=80))
    exact = PictureLimits(max_bytes=len(data), max_pixels=6_144, max_side=96, min_side=64)
    assert decode(data, exact).width == 96


def test_too_small_a_picture_is_one_that_is_not_supported() -> None:
    assert issubclass(PictureTooSmall, UnsupportedPicture)
    assert decode(encode(scene()[:8, :8], "PNG")).width == 8
    with pytest.raises(PictureTooSmall, match=r"8 x 7 pixels; the shorter side must have 8"):
        decode(encode(scene()[:7, :8], "PNG"))


def test_formats_can_be_restricted() -> None:
    wire = PictureLimits(formats=frozenset({"JPEG", "PNG"}))
    assert decode(encode(scene(), "PNG"), wire).format == "PNG"
    with pytest.raises(UnsupportedPicture, match=r"WEBP picture is not accepted .* JPEG, PNG"):
        decode(encode(scene(), "WEBP"), wire)
    with pytest.raises(ValueError, match="PSD"):
        PictureLimits(formats=frozenset({"PSD"}))


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_samples_without_a_known_white_are_refused(kind: type[Any]) -> None:
    with pytest.raises(UnsupportedPicture, match="samples is not accepted"):
        decode(encode(scene()[..., 0].astype(kind), "TIFF"))


def test_pixels_that_end_early_are_no_black_picture() -> None:
    rows = b"".join(b"\0" + row.tobytes() for row in scene())
    assert np.array_equal(decode(png(96, 64, zlib.compress(rows))).pixels, scene())
    for length in (0, len(rows) // 2, len(rows) - 1):
        with pytest.raises(UnreadablePicture, match=r"truncated|bytes of pixels"):
            decode(png(96, 64, zlib.compress(rows[:length])))


def test_a_picture_whose_last_row_is_black_is_sound() -> None:
    black = scene()
    black[-1] = 0
    assert np.array_equal(decode(encode(black, "PNG")).pixels, black)


@pytest.mark.parametrize("grey", [False, True])
def test_a_jpeg_that_was_closed_too_early_is_refused(grey: bool) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (200, 300, 3), np.uint8)
    data = encode(noise[..., 0] if grey else noise, "JPEG")
    cut = data[: len(data) // 2] + b"\xff\xd9"
    with pytest.raises(UnreadablePicture, match="ends before its last row"):
        decode(cut)


@pytest.mark.parametrize("shape", [(200, 300, 3), (203, 301, 3), (200, 300), (17, 9, 3)])
def test_a_sound_jpeg_may_end_in_plain_grey(shape: tuple[int, ...]) -> None:
    pixels = np.full(shape, 128, np.uint8)
    for options in ({}, {"progressive": True}, {"restart_marker_rows": 1}, {"subsampling": 0}):
        decoded = decode(encode(pixels, "JPEG", **options)).pixels
        assert (decoded == 128).all()


def test_large_jpeg_leaves_little_behind() -> None:
    # Decoded in strips of a megapixel; sizes around the strip's own must not lose rows.
    for height in (1023, 1024, 1025):
        tall = np.resize(scene(1024, 64), (height, 1024, 3))
        deep = np.dstack([tall, np.full(tall.shape[:2], 255, np.uint8)])
        assert np.array_equal(decode(encode(deep, "BMP")).pixels[..., :3], tall)


def test_bytes_like_objects_of_a_file(portrait: Path) -> None:
    data = portrait.read_bytes()
    assert np.array_equal(decode(data).pixels, np.asarray(Image.open(io.BytesIO(data))))
