"""JPEG files that are cut, have thousands of scans, or several pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sayso.vision.errors import PictureTooCostly, PictureTooLarge, UnreadablePicture
from sayso.vision.limits import PictureLimits
from sayso.vision.picture import decode
from tests.vision.hostile import scans
from tests.vision.pictures import encode, exif, jpeg_with_exif, scene

NOISE = np.random.default_rng(3).integers(0, 255, (203, 301, 3), np.uint8)
KINDS: tuple[dict[str, Any], ...] = (
    {},
    {"subsampling": 0},
    {"restart_marker_rows": 1},
    {"quality": 30},
)


def grey_free(pixels: NDArray[np.uint8]) -> bool:
    """Whether the last row is that of a picture, and not what is put where there is none."""
    return float(pixels[-1].std()) > 20


@pytest.mark.parametrize("options", [*KINDS, {"progressive": True}])
@pytest.mark.parametrize("cut", [1, 2])
def test_only_the_end_marker_is_missing(options: dict[str, Any], cut: int) -> None:
    data = encode(NOISE, "JPEG", **options)
    picture = decode(data[:-cut])
    assert np.array_equal(picture.pixels, decode(data).pixels)
    assert picture.notices == ("the file lacks its last bytes",)


@pytest.mark.parametrize("pixels", [NOISE, NOISE[..., 0]])
@pytest.mark.parametrize("options", KINDS)
def test_rows_that_are_not_whole_are_left_out(
    pixels: NDArray[np.uint8], options: dict[str, Any]
) -> None:
    data = encode(pixels, "JPEG", **options)
    whole = decode(data).pixels
    for cut in (8, 30, 120):
        picture = decode(data[:-cut])
        missing = len(whole) - picture.height
        assert 0 < missing <= 17
        assert picture.whole == (picture.width, picture.height)
        assert np.array_equal(picture.pixels, whole[:-missing])
        assert grey_free(picture.pixels)
        told = f"the file lacks its last bytes; {missing} rows of pixels at its end are missing"
        assert picture.notices == (f"{told}, and left out",)


def test_a_turned_picture_loses_the_rows_of_its_file() -> None:
    data = jpeg_with_exif(encode(NOISE, "JPEG"), exif(6))
    whole, cut = decode(data).pixels, decode(data[:-60]).pixels
    missing = whole.shape[1] - cut.shape[1]
    assert 0 < missing <= 17
    assert np.array_equal(cut, whole[:, missing:])


@pytest.mark.parametrize("options", [*KINDS, {"progressive": True}])
def test_more_than_the_last_row_of_blocks_may_not_be_missing(options: dict[str, Any]) -> None:
    data = encode(NOISE, "JPEG", **options)
    for share in (0.3, 0.6, 0.85):
        for end in (b"", b"\xff"):
            with pytest.raises(UnreadablePicture, match="truncated"):
                decode(data[: int(len(data) * share)] + end)


def test_thousands_of_scans_are_refused_before_they_are_decoded() -> None:
    bomb = scans(5_000)
    assert len(bomb) < 200_000
    with pytest.raises(PictureTooCostly, match=r"5,0\d\d scans; the limit for its 262,144 pixels"):
        decode(bomb)


def test_large_pictures_may_have_fewer_scans() -> None:
    with pytest.raises(PictureTooCostly, match="the limit for its 21,160,000 pixels is 94"):
        decode(scans(90, 4_600))
    assert decode(encode(scene(), "JPEG", progressive=True)).width == 96
    with_pixels_like_markers = encode(NOISE, "JPEG", progressive=True, quality=100)
    assert decode(with_pixels_like_markers).width == 301


def test_a_large_jpeg_is_looked_at_reduced_but_never_copied_so() -> None:
    limits = PictureLimits(max_decoded=20_000)
    data = encode(scene(301, 203), "JPEG")
    picture = decode(data, limits, whole=False)
    assert (picture.width, picture.height, picture.whole) == (151, 102, (301, 203))
    small = np.asarray(Image.fromarray(scene(301, 203)).resize((151, 102), Image.Resampling.BOX))
    assert np.abs(picture.pixels.astype(int) - small).max() < 20
    assert "301 x 203 pixels, and was looked at as 151 x 102" in picture.notices[0]
    assert "SAYSO_MAX_DECODED_PIXELS" in picture.notices[0]
    with pytest.raises(PictureTooLarge, match=r"61,103 in all; .* 20,000 \(SAYSO_MAX_DECODED"):
        decode(data, limits)
    turned = decode(jpeg_with_exif(data, exif(6)), limits, whole=False)
    assert (turned.width, turned.height, turned.whole) == (102, 151, (203, 301))


@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP", "AVIF", "BMP", "GIF"])
def test_other_formats_are_not_reduced(form: str) -> None:
    with pytest.raises(PictureTooLarge, match="SAYSO_MAX_DECODED_PIXELS"):
        decode(encode(scene(301, 203), form), PictureLimits(max_decoded=20_000), whole=False)
    progressive = encode(scene(301, 203), "JPEG", progressive=True)
    with pytest.raises(PictureTooLarge, match="SAYSO_MAX_DECODED_PIXELS"):
        decode(progressive, PictureLimits(max_decoded=20_000), whole=False)


def test_phones_of_200_megapixels_are_admitted_by_default() -> None:
    limits = PictureLimits()
    limits.check_size(16_320, 12_240)
    limits.check_size(12_032, 9_024)
    assert limits.reduction(16_320, 12_240, reducible=True) == 2


def test_the_second_picture_is_mentioned_and_a_map_of_brightness_is_not() -> None:
    second = Image.fromarray(255 - scene())
    data = encode(scene(), "MPO", save_all=True, append_images=[second, second])
    assert decode(data).notices == ("the file has 3 pictures; only the first was looked at",)
    second.info["comment"] = b"hdrgm:Version"  # as XMP says it
    data = encode(scene(), "MPO", save_all=True, append_images=[second])
    assert b"hdrgm:" in data
    assert not decode(data).notices
