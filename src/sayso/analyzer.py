"""Faces of a picture without a gallery: the models, the files and ``sayso.vision`` put together."""

from __future__ import annotations

import threading
from pathlib import Path

from sayso.errors import ModelConflict
from sayso.models.store import ModelStore
from sayso.pictures import read_picture_file
from sayso.settings import Settings, load_settings
from sayso.vision import analyzer as vision
from sayso.vision.decoding import decode_apart
from sayso.vision.detections import Detections
from sayso.vision.detector import DEFAULT_MIN_SCORE, Detector
from sayso.vision.embedder import Embedder
from sayso.vision.limits import PictureLimits
from sayso.vision.memory import require_for_models
from sayso.vision.passes import DetectorName, PlanName
from sayso.vision.picture import decode
from sayso.vision.runtime import (
    InputSpec,
    Precision,
    RuntimeName,
    RuntimeOptions,
    Session,
    open_session,
)
from sayso.vision.types import Analysis, Mode, Picture

DEFAULT_RECOGNISER = "sface-2021dec"
_DETECTORS: dict[DetectorName, str] = {"centerface": "centerface", "yunet": "yunet-2023mar"}
#: Raised whenever templates of an unchanged model change: alignment, landmarks, mirroring.
_PIPELINE = "yunet+centerface/1"


class Analyzer:
    """Finds the faces of pictures and makes their templates.

    Models are loaded at the first picture, and fetched first where they are default ones and
    missing. What is not given comes from the settings (``SAYSO_RUNTIME``, ``SAYSO_PRECISION``,
    ``SAYSO_THREADS``). Safe to share between threads.
    """

    def __init__(
        self,
        *,
        runtime: RuntimeName | None = None,
        precision: Precision | None = None,
        threads: int | None = None,
        models: ModelStore | None = None,
        recogniser: str = DEFAULT_RECOGNISER,
        settings: Settings | None = None,
    ) -> None:
        self._settings = settings or load_settings()
        self._options = RuntimeOptions(
            runtime or self._settings.runtime,
            precision or self._settings.precision,
            threads or self._settings.threads,
        )
        self._models = models or ModelStore(self._settings.data, model_dir=self._settings.model_dir)
        self._lock = threading.Lock()
        self._loaded: vision.Analyzer | None = None
        self.model = recogniser
        self.template_version = f"{recogniser}/{_PIPELINE}"

    @property
    def identity(self) -> tuple[str, str, str]:
        """What templates depend on: their version, the runtime and the precision asked for."""
        return (self.template_version, self._options.runtime, self._options.precision)

    @property
    def limits(self) -> PictureLimits:
        """The limits that pictures are held to."""
        return self._settings.picture_limits

    def read(self, picture: str | Path | bytes | Picture, *, whole: bool = True) -> Picture:
        """Decode a picture given as a path, as the bytes of a file, or decoded already.

        Unless ``whole``, a JPEG of more pixels than are held in memory is reduced rather than
        refused. Raises PictureError when it cannot be read or is over a limit.
        """
        if isinstance(picture, Picture):
            return picture
        data = picture
        if not isinstance(data, bytes):
            data = read_picture_file(data, self.limits)
        if self._settings.decode_apart:
            return decode_apart(data, self.limits, whole=whole)
        return decode(data, self.limits, whole=whole)

    def analyze(
        self,
        picture: str | Path | bytes | Picture,
        *,
        mode: Mode = "balanced",
        min_score: float = DEFAULT_MIN_SCORE,
        every_turn: bool = False,
    ) -> Analysis:
        """Every face of a picture, best first; see ``sayso.vision.analyzer.Analyzer.analyze``."""
        decoded = self.read(picture, whole=False)
        return self._vision().analyze(
            decoded, mode=mode, min_score=min_score, every_turn=every_turn
        )

    def detect(
        self,
        picture: str | Path | bytes | Picture,
        *,
        mode: PlanName = "balanced",
        min_score: float = DEFAULT_MIN_SCORE,
        in_front: bool = False,
    ) -> Detections:
        """Only boxes, scores and landmarks: faster where qualities and templates are not needed.

        With ``in_front`` a face before a large one is never taken for a part of it.
        """
        return self._vision().detect(
            self.read(picture), mode=mode, min_score=min_score, in_front=in_front
        )

    def describe(self, picture: Picture, found: Detections, *, mode: Mode = "balanced") -> Analysis:
        """Qualities and templates of faces that ``detect`` found in a picture, in their order.

        For whoever needs them of some faces only; for all of them there is ``analyze``.
        """
        return self._vision().describe(picture, found, mode)

    def load(self) -> None:
        """Load the models now rather than at the first picture."""
        self._vision()

    def _vision(self) -> vision.Analyzer:
        with self._lock:
            if self._loaded is None:
                require_for_models()
                detectors = {role: self._session(name) for role, name in _DETECTORS.items()}
                self._loaded = vision.Analyzer(
                    Detector(detectors),
                    Embedder(self._session(self.model)),
                )
            return self._loaded

    def _session(self, name: str) -> Session:
        description = self._models.describe(name)
        if name == self.model and description.kind != "recogniser":
            raise ModelConflict(f"{name} is a {description.kind}, not a recogniser")
        fed = description.input
        spec = InputSpec(fed.colour, fed.mean, fed.scale)
        return open_session(self._models.read(name), spec, self._options)
