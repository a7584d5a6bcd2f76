"""Somebody small before the face of somebody who agreed: one is kept, the other is covered."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import sayso

#: Who agreed, each with at least four pictures, and who is before them.
AGREED = ("Bill_Clinton", "Gloria_Macapagal_Arroyo", "Hans_Blix", "Kofi_Annan")
BEFORE = ("Aaron_Eckhart", "Aaron_Guiel", "Abbas_Kiarostami", "Abdullah_Nasseef")
#: Where the small face is, as shares of the large picture: beside the nose, and on the chin.
PLACES = ((0.5, 0.5), (0.42, 0.58))
_SIDE = 800


def pictures_of(lfw: Path, name: str) -> list[Path]:
    return sorted((lfw / "images" / name).glob("*.jpg"))


def rgb(picture: Path) -> NDArray[np.uint8]:
    return np.array(Image.open(picture).convert("RGB"), np.uint8)


def composed(
    large: NDArray[np.uint8], small: NDArray[np.uint8], place: tuple[float, float], width: int
) -> tuple[bytes, NDArray[np.bool_]]:
    """Return a PNG of a large face with the oval of a small one before it, and where that is."""
    canvas = np.asarray(
        cv2.resize(large, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC), np.uint8
    ).copy()
    oval = small[65:195, 70:180]
    height = width * oval.shape[0] // oval.shape[1]
    oval = np.asarray(cv2.resize(oval, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    there = np.zeros(canvas.shape[:2], np.uint8)
    middle = (round(place[0] * _SIDE), round(place[1] * _SIDE))
    cv2.ellipse(there, middle, (width // 2, height // 2), 0, 0, 360, 255, -1)
    top, left = middle[1] - height // 2, middle[0] - width // 2
    pasted = np.zeros_like(canvas)
    pasted[top : top + height, left : left + width] = oval
    canvas[there > 0] = pasted[there > 0]
    file = io.BytesIO()
    Image.fromarray(canvas).save(file, "PNG")
    return file.getvalue(), there > 0


@pytest.mark.parametrize("width", [84, 112])
def test_a_face_before_one_that_is_kept_is_covered(data_dir: Path, lfw: Path, width: int) -> None:
    kept = 0
    with sayso.open(data_dir) as app:
        app.create_collection("club")
        for name in AGREED:
            pictures = pictures_of(lfw, name)[:3]
            consent = sayso.Consent(purposes=["web"], evidence="form 17")
            app.enroll("club", subject=name, pictures=pictures, consent=consent)
        for name, stranger in zip(AGREED, BEFORE, strict=True):
            large, small = rgb(pictures_of(lfw, name)[3]), rgb(pictures_of(lfw, stranger)[0])
            for place in PLACES:
                picture, there = composed(large, small, place, width)
                redacted = app.redact("club", picture, purpose="web", suffix=".png")
                after = np.array(Image.open(io.BytesIO(redacted.data)))
                before = np.array(Image.open(io.BytesIO(picture)))
                same = (before == after).all(axis=2)[there].mean()
                assert same < 0.1, f"{stranger} before {name}: {same:.0%} is left"
                kept += any(face.subject == name for face in redacted.faces)
    # Else it would prove nothing that whoever is before them is covered.
    assert kept >= 6
