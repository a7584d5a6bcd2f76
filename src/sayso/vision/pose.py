"""Which way a face looks, from its five landmarks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: A generic face: left eye, right eye, nose tip, left and right mouth corner as seen in the
#: picture; x right, y down, z towards the camera; the unit is a pixel of the aligned frame.
#: x and y are the mean of frontal faces (sayso.vision.alignment.REFERENCE, made symmetrical); the
#: depth of the nose is that of an average head.
_HEAD = np.array(
    [
        [-17.6, -22.8, 0.0],
        [17.6, -22.8, 0.0],
        [0.0, -2.7, 15.0],
        [-14.6, 17.9, 1.0],
        [14.6, 17.9, 1.0],
    ]
)


def poses(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Yaw, pitch and roll in degrees, float32 (n, 3), of landmarks float32 (n, 5, 2).

    Yaw is positive when the nose points to the right of the picture, pitch when it points up,
    roll when the head is tilted clockwise. Scaled orthographic projection, solved by least
    squares: D. DeMenthon and L. Davis, "Model-based object pose in 25 lines of code", IJCV 1995.
    Good to about ten degrees up to 45; beyond, detectors' landmarks no longer say more.
    """
    if not len(landmarks):
        return np.empty((0, 3), dtype=np.float32)
    head = _HEAD - _HEAD.mean(axis=0)
    points = landmarks.astype(np.float64) - landmarks.mean(axis=1, keepdims=True)
    rows = np.linalg.pinv(head) @ points  # (n, 3, 2): the first two rows of scale * rotation
    lengths = np.maximum(np.linalg.norm(rows, axis=1), 1e-9)
    first, second = rows[..., 0] / lengths[:, :1], rows[..., 1] / lengths[:, 1:]
    roll = np.arctan2(points[:, 1, 1] - points[:, 0, 1], points[:, 1, 0] - points[:, 0, 0])
    # The third column of the rotation is where the nose points: project it, with the roll undone.
    sideways, down = first[:, 2], second[:, 2]
    cosine, sine = np.cos(roll), np.sin(roll)
    yaw = np.arcsin(np.clip(cosine * sideways + sine * down, -1, 1))
    pitch = np.arcsin(np.clip(sine * sideways - cosine * down, -1, 1))
    angles: NDArray[np.float32] = np.degrees(np.stack([yaw, pitch, roll], 1)).astype(np.float32)
    return angles
