"""Pictures to faces and templates, and what scores between them are worth."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sayso.audit.events import FacesCompared, FacesDetected
from sayso.core.base import Base, Call
from sayso.enrolment import Version, digest_of
from sayso.errors import (
    AccessDenied,
    ConsentRequired,
    GalleryError,
    ModelConflict,
    NoFaceFound,
    PictureError,
)
from sayso.evidence.calibration import Calibration
from sayso.gallery import collections
from sayso.gallery.sealing import audited_digest
from sayso.pictures import read_picture_file
from sayso.results import Comparison, FaceComparison, FaceMatch
from sayso.vision import effort
from sayso.vision.limits import PictureLimits
from sayso.vision.types import Analysis, Mode, Picture


@dataclass(frozen=True, slots=True)
class PictureFile:
    """The bytes of a picture's file, held to limits of their own."""

    data: bytes = field(repr=False)
    limits: PictureLimits


#: Where a picture comes from: a path, or the bytes of a file.
PictureSource = str | Path | bytes | PictureFile
#: Faces of a picture that are compared with one of another at most, the largest first.
MOST_COMPARED = 100
#: What counts as a match where no gallery's rule decides: of two pictures, and of a face that is
#: more like another subject. Amazon's clients ask for it in searches, too.
DEFAULT_SIMILARITY = 80.0
#: What a search asks for beyond the collection's rule unless the caller does: nothing. A fixed
#: similarity would miss people in every gallery that is smaller than the one it was chosen for.
RULE_ALONE = 0.0
_MOST_SIMILARITY = 100.0


class Looking(Base):
    """What can be done with pictures alone."""

    def detect(self, picture: PictureSource, *, mode: Mode = "balanced") -> Analysis:
        """Find every face of a picture; nobody is looked for. Raises PictureError, ModelError."""
        call = self._admit("detect")
        analysis, digest = self._analyse(picture, mode)
        with self._act(call) as act:
            act.record(FacesDetected(picture=self._audited(digest), faces=len(analysis.faces)))
        return analysis

    def compare(self, a: PictureSource, b: PictureSource, *, mode: Mode = "balanced") -> Comparison:
        """Compare the largest faces of two pictures; no gallery is involved.

        Raises NoFaceFound, PictureError, ModelError, or ModelConflict for a model without a
        calibration.
        """
        call = self._admit("compare")
        measured = self._measured(self._version())
        looked = [self._look(picture, mode) for picture in (a, b)]
        for picture, (analysis, _) in zip((a, b), looked, strict=True):
            if not analysis.faces:
                seen = [(digest, len(analysis.faces)) for analysis, digest in looked]
                self._record_detected(call, seen)
                raise NoFaceFound(f"no face was found in {shown(picture) or 'the picture'}")
        (one, _), (other, _) = looked
        row_a, row_b = (by_size(analysis, 0)[0] for analysis in (one, other))
        (score,) = _pair_scores(one.templates[[row_a]], other.templates[[row_b]], measured)
        result = Comparison(one.faces[row_a], other.faces[row_b], *score)
        self._record_compared(call, looked, result.similarity)
        return result

    def compare_faces(
        self,
        source: PictureSource,
        target: PictureSource,
        *,
        mode: Mode = "balanced",
        min_similarity: float = DEFAULT_SIMILARITY,
        min_quality: float = 0.0,
    ) -> FaceComparison:
        """Compare the largest face of one picture with the 100 largest of another; no gallery.

        Only faces whose overall quality is at least ``min_quality``, 0 to 100, are looked at.
        Raises NoFaceFound where one has none, PictureError, ModelError, ModelConflict for a model
        without a calibration, and GalleryError for a similarity that is not from 0 to 100.
        """
        call = self._admit("compare")
        check_similarity(min_similarity)
        measured = self._measured(self._version())
        looked = [self._look(picture, mode) for picture in (source, target)]
        rows = [by_size(analysis, min_quality) for analysis, _ in looked]
        if not all(rows):
            self._record_detected(call, [(digest, len(a.faces)) for a, digest in looked])
            picture = (source, target)[0 if not rows[0] else 1]
            which = shown(picture) or f"the {'source' if not rows[0] else 'target'} picture"
            raise NoFaceFound(f"no face {_good_enough(min_quality)}was found in {which}")
        (one, _), (other, _) = looked
        chosen = rows[1][:MOST_COMPARED]
        scores = _pair_scores(one.templates[[rows[0][0]]], other.templates[chosen], measured)
        matches = (
            FaceMatch(other.faces[row], *score) for row, score in zip(chosen, scores, strict=True)
        )
        found = sorted(matches, key=lambda each: -each.similarity)
        result = FaceComparison(
            source=one.faces[rows[0][0]],
            source_size=(one.width, one.height),
            target_size=(other.width, other.height),
            matches=tuple(each for each in found if each.similarity >= min_similarity),
            unmatched=tuple(each for each in found if each.similarity < min_similarity),
        )
        self._record_compared(call, looked, found[0].similarity)
        return result

    @property
    def calibration(self) -> Calibration | None:
        """What was measured of this installation's templates: scores, rates and similarities."""
        version = self._version()
        return self._resources.calibration(version.model, version.template_version)

    @property
    def template_version(self) -> str:
        """What this installation's templates are made by: models and the whole chain."""
        return self._version().template_version

    def _version(self) -> Version:
        analyzer = self._resources.analyzer()
        return Version(analyzer.model, analyzer.template_version)

    def _comparable(self, collection: str, version: Version | None = None) -> Version:
        """Return the version of new templates; raises unless it is that of the collection."""
        with self._resources.store.read() as connection:
            pinned = collections.find(connection, collection)
        version = version or self._version()
        collections.check_version(pinned, version.model, version.template_version)
        return version

    def _measured(self, version: Version) -> Calibration:
        """Return what was measured of templates; without it nothing can be said of a score."""
        found = self._resources.calibration(version.model, version.template_version)
        if found is None:
            raise ModelConflict(
                f"there is no calibration for templates of {version.template_version!r}, so "
                "neither a similarity nor the expected false matches can be told: use a model that "
                "has one, or make one (sayso calibrate); one that SAYSO_CALIBRATION names must be "
                "of the same version"
            )
        return found

    def _analyse(
        self, picture: PictureSource, mode: Mode, *, every_turn: bool = False
    ) -> tuple[Analysis, str]:
        """Return what is in a picture, and the sha256 of its file, in hex.

        With ``every_turn`` every face is looked at turned, and not only where it is doubtful.
        """
        decoded, digest = self._decoded(picture, whole=False)
        analyzer = self._resources.analyzer()
        return analyzer.analyze(decoded, mode=mode, every_turn=every_turn), digest

    def _decoded(self, picture: PictureSource, *, whole: bool = True) -> tuple[Picture, str]:
        """Return the pixels of a picture, and the sha256 of its file, in hex.

        Unless ``whole``, those of a reduced version where there are too many.
        """
        limits = self._resources.analyzer().limits
        if isinstance(picture, PictureFile):
            data, limits = picture.data, limits.stricter(picture.limits)
        elif isinstance(picture, bytes):
            data = picture
        else:
            data = read_picture_file(picture, limits)
        effort.begin_picture()
        return self._resources.decode(data, limits, whole=whole), digest_of(data)

    def _look(self, picture: PictureSource, mode: Mode) -> tuple[Analysis, str]:
        """Do as ``_analyse``; an error tells which of several pictures it is about."""
        try:
            return self._analyse(picture, mode)
        except PictureError as error:
            name, message = shown(picture), str(error)
            if not name or message.startswith(name):
                raise
            raise type(error)(f"{name}: {message}") from error

    def _record_compared(
        self, call: Call, looked: Sequence[tuple[Analysis, str]], similarity: float
    ) -> None:
        """Put on record how similar the faces of two pictures were, at most."""
        digest_a, digest_b = (self._audited(digest) for _, digest in looked)
        with self._act(call) as act:
            act.record(FacesCompared(pictures=(digest_a, digest_b), similarity=similarity))

    def _record_detected(self, call: Call, seen: Sequence[tuple[str, int]]) -> None:
        """Put on record what pictures, by the sha256 of their files, had so many faces."""
        with self._act(call) as act:
            act.record(*self._detected(seen))

    def _detected(self, seen: Sequence[tuple[str, int]]) -> list[FacesDetected]:
        return [FacesDetected(picture=self._audited(digest), faces=faces) for digest, faces in seen]

    def _audited(self, digest: str) -> str:
        """Return how the audit log names a picture, of the sha256 of its file in hex."""
        return audited_digest(self._resources.keyring.digests(), digest)

    @contextlib.contextmanager
    def _refusing(self, call: Call) -> Iterator[None]:
        """Put on record what is refused here for want of a right or of a consent."""
        try:
            yield
        except (AccessDenied, ConsentRequired) as error:
            self._refused(call, error)
            raise


def worth(
    scores: Sequence[float], cosines: Sequence[float], measured: Calibration, population: int = 1
) -> list[tuple[float, float, float]]:
    """Return for each score the similarity, the cosine, and the expected false matches.

    Among so many strangers: among one, that is the false-match rate.
    """
    array = np.asarray(scores, np.float64)
    expected = measured.false_match_rate(array) * population
    similarity = measured.similarity(array)
    limited = np.clip(np.asarray(cosines, np.float64), -1, 1)
    return list(zip(similarity.tolist(), limited.tolist(), expected.tolist(), strict=True))


def shown(picture: PictureSource) -> str:
    """Return what messages call a picture: its path as given, or nothing."""
    return "" if isinstance(picture, bytes | PictureFile) else os.fspath(picture)


def check_similarity(similarity: float) -> None:
    """Raise GalleryError for a similarity to be reached that is not from 0 to 100."""
    if not 0 <= similarity <= _MOST_SIMILARITY:
        raise GalleryError(f"min_similarity is {similarity}; it runs from 0 to 100")


def by_size(analysis: Analysis, min_quality: float) -> list[int]:
    """Return the places of the faces that are good enough, the largest first."""
    good = [i for i, face in enumerate(analysis.faces) if face.quality.overall >= min_quality]
    return sorted(good, key=lambda i: -analysis.faces[i].width * analysis.faces[i].height)


def _good_enough(min_quality: float) -> str:
    return f"of at least quality {min_quality:g} " if min_quality > 0 else ""


def _pair_scores(
    one: NDArray[np.float32], others: NDArray[np.float32], measured: Calibration
) -> list[tuple[float, float, float]]:
    """Say what the scores of one template, float32 (1, d), with others, (n, d), are worth."""
    cosines = np.vecdot(others, one)
    return worth(measured.between(one, others)[0].tolist(), cosines.tolist(), measured)
