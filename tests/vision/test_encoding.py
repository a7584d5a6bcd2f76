"""Pictures as files: every format, its limits, and what colours a viewer shows."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from sayso.vision.encoding import encode
from sayso.vision.errors import PictureTooLarge, UnsupportedPicture
from sayso.vision.picture import decode
from sayso.vision.types import Picture


def blank(width: int = 640, height: int = 480, grey: int = 128) -> Picture:
    return Picture(np.full((height, width, 3), grey, np.uint8), "PNG")


def gradient(width: int = 320, height: int = 240) -> Picture:
    rows, columns = np.mgrid[0:height, 0:width]
    channels = (rows * 255 // height, columns * 255 // width, 255 - rows * 255 // height)
    return Picture(np.stack(channels, axis=2).astype(np.uint8), "PNG")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tiff", ".avif"])
def test_a_viewer_is_told_that_the_colours_are_srgb(suffix: str) -> None:
    with Image.open(io.BytesIO(encode(gradient(), suffix))) as image:
        embedded = image.info["icc_profile"]
        pixels = image.convert("RGB")
    profile = ImageCms.ImageCmsProfile(io.BytesIO(embedded))
    assert "sRGB" in ImageCms.getProfileDescription(profile)
    shown = ImageCms.profileToProfile(pixels, profile, ImageCms.createProfile("sRGB"))
    assert shown is not None
    assert np.abs(np.asarray(shown, int) - np.asarray(pixels, int)).max() <= 1


@pytest.mark.parametrize("suffix", [".png", ".JPG", ".jpeg", ".webp", ".tiff", ".bmp", ".avif"])
def test_encoding(suffix: str) -> None:
    picture = gradient()
    back = decode(encode(picture, suffix))
    assert back.pixels.shape == picture.pixels.shape
    worst = np.abs(back.pixels.astype(int) - picture.pixels.astype(int)).mean()
    assert worst == 0 if suffix in (".png", ".tiff", ".bmp") else worst < 3


@pytest.mark.parametrize("suffix", [".psd", "", "png"])
def test_unknown_suffix(suffix: str) -> None:
    with pytest.raises(UnsupportedPicture, match=r"\.jpeg, \.jpg, \.png"):
        encode(blank(), suffix)


def width_of(encoded: bytes) -> int:
    with Image.open(io.BytesIO(encoded)) as image:
        image.load()
        return image.width


@pytest.mark.parametrize(
    ("suffix", "longest"), [(".webp", 16_383), (".jpg", 65_500), (".avif", 32_768)]
)
def test_a_picture_that_does_not_fit_its_format(suffix: str, longest: int) -> None:
    assert width_of(encode(blank(longest, 8), suffix)) == longest
    for picture in (blank(longest + 1, 8), blank(8, longest + 1)):
        with pytest.raises(PictureTooLarge, match=rf"at most {longest:,}; use \.png"):
            encode(picture, suffix)
    assert width_of(encode(blank(longest + 1, 8), ".png")) == longest + 1
