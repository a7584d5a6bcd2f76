"""Bring a face into the 112 x 112 frame that recognisers are trained on."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

#: Where the five landmarks lie in the aligned frame, x and y in pixels.
#: Source: J. Deng et al., "ArcFace", CVPR 2019 (the reference points its authors published).
REFERENCE = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ],
    dtype=np.float64,
)
SIDE = 112
#: A face is reduced in area-averaging steps until the warp shrinks it no further than this;
#: bilinear sampling of a larger reduction would skip pixels.
_SMALLEST_WARP = 0.6


def similarity_transforms(landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
    """The rotations, scalings and shifts, (n, 2, 3), that best take landmarks to REFERENCE.

    ``landmarks`` is float32 (n, 5, 2). Least squares without reflection, after S. Umeyama (IEEE
    TPAMI 1991); in the plane it has a closed form.
    """
    points = landmarks.astype(np.float64)
    mean = points.mean(axis=1, keepdims=True)
    target_mean = REFERENCE.mean(axis=0)
    source, target = points - mean, REFERENCE - target_mean
    spread = np.maximum((source**2).sum(axis=(1, 2)), 1e-12)
    cosine = (source * target).sum(axis=(1, 2)) / spread
    sine = (source[..., 0] * target[:, 1] - source[..., 1] * target[:, 0]).sum(axis=1) / spread
    linear = np.stack([np.stack([cosine, -sine], -1), np.stack([sine, cosine], -1)], axis=1)
    shift = target_mean - (linear @ mean.transpose(0, 2, 1))[..., 0]
    transforms: NDArray[np.float64] = np.concatenate([linear, shift[..., None]], axis=2)
    return transforms


def align(pixels: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Aligned faces, uint8 (n, 112, 112, 3) RGB, from a picture (height, width, 3) RGB.

    ``landmarks`` is float32 (n, 5, 2) in pixels. What lies outside the picture becomes black.
    """
    transforms = similarity_transforms(landmarks)
    aligned = np.empty((len(landmarks), SIDE, SIDE, 3), dtype=np.uint8)
    for row, transform in enumerate(transforms):
        aligned[row] = warp(pixels, transform)
    return aligned


def visible_shares(
    landmarks: NDArray[np.float32], width: int, height: int, *, grid: int = 14
) -> NDArray[np.float32]:
    """The share, float32 (n,) of 0 to 1, of each aligned frame that lies inside the picture."""
    steps = (np.arange(grid) + 0.5) * SIDE / grid
    frame = np.stack([axis.ravel() for axis in np.meshgrid(steps, steps)], axis=1)
    transforms = similarity_transforms(landmarks)
    inverse = np.linalg.inv(transforms[..., :2]) if len(landmarks) else transforms[..., :2]
    there = (frame[None] - transforms[:, None, :, 2]) @ inverse.transpose(0, 2, 1)
    inside = (there >= 0).all(axis=-1) & (there < np.array([width, height])).all(axis=-1)
    shares: NDArray[np.float32] = inside.mean(axis=1, dtype=np.float32)
    return shares


def warp(
    pixels: NDArray[np.uint8], transform: NDArray[np.float64], side: int = SIDE
) -> NDArray[np.uint8]:
    """A square part of a picture, uint8 (side, side, 3), where ``transform``, (2, 3), takes it.

    What lies outside the picture becomes black.
    """
    scale = float(np.hypot(transform[0, 0], transform[1, 0]))
    if scale < _SMALLEST_WARP:
        pixels, transform = _reduced(pixels, transform, scale, side)
    warped = cv2.warpAffine(pixels, transform, (side, side), flags=cv2.INTER_LINEAR)
    return np.asarray(warped, dtype=np.uint8)


def _reduced(
    pixels: NDArray[np.uint8], transform: NDArray[np.float64], scale: float, side: int
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The part of the picture that the frame needs, area-averaged to the size of the frame."""
    linear_inverse = np.linalg.inv(transform[:, :2])
    corners = np.array([[0, 0], [side, 0], [0, side], [side, side]], dtype=np.float64)
    there = (corners - transform[:, 2]) @ linear_inverse.T
    height, width = pixels.shape[:2]
    low = np.clip(np.floor(there.min(axis=0)) - 2, 0, [width - 1, height - 1]).astype(int)
    high = np.clip(np.ceil(there.max(axis=0)) + 2, low + 1, [width, height]).astype(int)
    part = pixels[low[1] : high[1], low[0] : high[0]]
    sides = np.maximum(np.round(np.array(part.shape[1::-1]) * scale), 1).astype(int)
    factors = sides / np.array(part.shape[1::-1])
    small = cv2.resize(part, (int(sides[0]), int(sides[1])), interpolation=cv2.INTER_AREA)
    # Pixel centres: x_small = (x - low + 0.5) * factor - 0.5, solved for x.
    enlarge = np.diag(1 / factors)
    offset = low + 0.5 / factors - 0.5
    linear = transform[:, :2] @ enlarge
    shift = transform[:, :2] @ offset + transform[:, 2]
    return np.asarray(small, dtype=np.uint8), np.concatenate([linear, shift[:, None]], axis=1)
