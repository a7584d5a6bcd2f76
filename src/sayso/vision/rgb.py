"""From any mode of Pillow's to upright RGB: one row of strips at a time, in memory given to it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFile, TiffImagePlugin

from sayso.vision.containers.parts import MAX_PROFILE
from sayso.vision.errors import UnsupportedPicture

Pixels = NDArray[np.uint8]
#: Returns so many bytes of memory, uint8 (n,), to decode into.
Allocate = Callable[[int], Pixels]
_FLIPS: Final = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}


def plainly(size: int) -> Pixels:
    """Return memory of this process."""
    return np.empty(size, np.uint8)


def to_rgb(image: Image.Image, profile: bytes, allocate: Allocate) -> Pixels:
    """Load a picture and return its pixels, uint8 (height, width, 3), converted to sRGB.

    Raises ``UnsupportedPicture`` for samples that do not say which of their values is white.
    """
    if image.mode == "RGB" and _is_jpeg(image):
        pixels = _load_jpeg(image, allocate)
        if transform := _to_srgb("RGB", profile):
            for rows in _strips(*image.size):
                pixels[rows] = np.asarray(transform.apply(Image.fromarray(pixels[rows])))
        return pixels
    image.load()
    convert = _converter(image, profile)
    pixels = allocate(image.height * image.width * 3).reshape(image.height, image.width, 3)
    for rows in _strips(*image.size):
        pixels[rows] = convert(image.crop((0, rows.start, image.width, rows.stop)))
    return pixels


def upright(pixels: Pixels, orientation: int, allocate: Allocate) -> Pixels:
    """Return pixels as EXIF's orientation, 1 to 8, wants them seen."""
    if orientation in (5, 6, 7, 8):
        height, width = pixels.shape[:2]
        turned = allocate(pixels.size).reshape(width, height, 3)
        # In strips: numpy would walk the whole picture by columns, which is slow.
        for rows in _strips(width, height):
            turned[:, rows] = cv2.transpose(pixels[rows])
        pixels = turned
    flip = _FLIPS.get(orientation)
    if flip is not None:
        _flip(pixels, flip)
    return pixels


def _flip(pixels: Pixels, code: int) -> None:
    """Flip in place: 0 top to bottom, 1 left to right, -1 both."""
    if code != 0:
        for rows in _strips(pixels.shape[1], pixels.shape[0]):
            pixels[rows] = cv2.flip(pixels[rows], 1)
    if code != 1:
        height = len(pixels)
        for top in _strips(pixels.shape[1], height // 2):
            bottom = slice(height - top.stop, height - top.start)
            kept = pixels[top].copy()
            pixels[top] = pixels[bottom][::-1]
            pixels[bottom] = kept[::-1]


def _strips(width: int, height: int) -> Iterator[slice]:
    """Cut a picture into runs of rows of about a megapixel: conversions need copies."""
    step = max(1, (1 << 20) // width)
    for start in range(0, height, step):
        yield slice(start, min(start + step, height))


def _is_jpeg(image: Image.Image) -> bool:
    return isinstance(image, ImageFile.ImageFile) and image.format == "JPEG"


def _load_jpeg(image: Any, allocate: Allocate) -> Pixels:
    """Decode straight into memory of ours: three times as fast as ``numpy.asarray(image)``.

    Pillow keeps RGB as four bytes a pixel and copies it through small buffers on export. Given
    memory of ours as its target it has nothing left to export; the fourth bytes are squeezed out
    in place, so that no pixel is in memory twice.
    """
    width, height = image.size
    memory = allocate(height * width * 4)
    buffer = memory.reshape(height, width, 4)
    image.im = Image.frombuffer("RGBX", image.size, buffer, "raw", "RGBX", 0, 1).im
    image.load()
    pixels = memory[: height * width * 3].reshape(height, width, 3)
    for rows in _strips(width, height):
        pixels[rows] = cv2.cvtColor(buffer[rows], cv2.COLOR_RGBA2RGB)
    return pixels


def _converter(image: Image.Image, profile: bytes) -> Callable[[Image.Image], Pixels]:
    """Choose how strips of this picture become RGB arrays."""
    mode = image.mode
    if mode.startswith("I;16"):
        return _grey16(image)
    if mode in ("I", "F", "LAB", "HSV"):
        what = {"I": "32-bit integer", "F": "floating-point"}.get(mode, mode)
        raise UnsupportedPicture(f"a picture of {what} samples is not accepted; save it as 8-bit")
    grey = mode in ("1", "L", "LA", "La")
    transform = None if grey else _to_srgb("CMYK" if mode == "CMYK" else "RGB", profile)

    def convert(strip: Image.Image) -> Pixels:
        if strip.has_transparency_data:
            strip = strip.convert("RGBA")
            strip = Image.alpha_composite(Image.new("RGBA", strip.size, "white"), strip)
        if transform is None:
            return np.asarray(strip.convert("RGB"))
        return np.asarray(transform.apply(strip if mode == "CMYK" else strip.convert("RGB")))

    return convert


def _grey16(image: Image.Image) -> Callable[[Image.Image], Pixels]:
    bits, white_is_zero = 16, False
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        tags: Any = image.tag_v2
        bits = int(tags.get(258, (16,))[0])
        white_is_zero = int(tags.get(262, 1)) == 0
    top = (1 << bits) - 1
    scale = ((np.arange(1 << 16, dtype=np.uint32).clip(0, top) * 255 + top // 2) // top).astype(
        "u1"
    )
    if white_is_zero:
        scale = 255 - scale
    return lambda strip: scale[np.asarray(strip).astype(np.uint16), None]


_SRGB_PROFILE: Final = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _to_srgb(mode: str, profile: bytes) -> ImageCms.ImageCmsTransform | None:
    """Build the transform; None when the profile is sRGB, of another mode or damaged."""
    if not profile or len(profile) > MAX_PROFILE or _is_srgb(profile):
        return None
    if {b"RGB ": "RGB", b"CMYK": "CMYK"}.get(profile[16:20]) != mode:
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.buildTransform(source, _SRGB_PROFILE, mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def _is_srgb(profile: bytes) -> bool:
    # Most files carry one of a few sRGB profiles; their descriptions all start alike.
    return b"sRGB" in profile or b"s\0R\0G\0B" in profile
