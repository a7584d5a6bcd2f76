"""Finding faces, against OpenCV's YuNet: ``python -m benchmarks.detection [MODE ...]``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks import wider
from benchmarks.peers import OpenCvPipeline
from benchmarks.timing import THREADS, medians_in_turns, table
from sayso.analyzer import Analyzer
from sayso.models.store import ModelStore
from sayso.vision.detections import Detections
from sayso.vision.types import MODES, Mode, Picture

#: Everything a detector has to say is judged, down to this score.
_LOWEST = 0.02
_TIMED = 12
_CROWD = 100

Detect = Callable[[NDArray[np.uint8]], Detections]


def main(modes: tuple[Mode, ...] = MODES) -> str:
    labels = wider.load()
    images = wider.folder() / "images"
    analyzer, models = Analyzer(), ModelStore()
    opencv = OpenCvPipeline(models, min_score=_LOWEST)

    def ours(mode: Mode) -> Detect:
        return lambda bgr: analyzer.detect(_as_picture(bgr), mode=mode, min_score=_LOWEST)

    ways: dict[str, Detect] = {"OpenCV YuNet, native size": opencv.detections}
    ways |= {f"Sayso {mode}": ours(mode) for mode in modes}
    scores = {}
    for name, detect in ways.items():
        found = {picture: detect(_read(images / picture)) for picture in labels}
        scores[name] = wider.score(found, labels)
    # What a user pays: decoded picture to faces, at everyday thresholds.
    peer = OpenCvPipeline(models)
    timed: list[Callable[[NDArray[np.uint8]], object]] = [peer.detect]
    timed += [_timed(analyzer, mode) for mode in modes]
    seconds = _times(timed, [images / name for name in sorted(labels)])
    base_ap, base_seconds = scores["OpenCV YuNet, native size"][0], seconds[0]
    rows = [
        (
            name,
            f"{scores[name][0]:.3f}",
            f"{scores[name][0] - base_ap:+.3f}",
            f"{scores[name][1]:.3f}",
            f"{1000 * took:.0f}",
            f"{took / base_seconds:.1f}",
        )
        for name, took in zip(ways, seconds, strict=True)
    ]
    about = (
        f"{len(labels)} pictures of WIDER FACE validation, IoU 0.5, faces of at least 10 pixels, "
        f"{THREADS} threads. Recall at one box per picture that is on no labelled face (some of "
        "those are faces that nobody labelled). Times: picture decoded to faces."
    )
    head = ("detector", "AP", "over OpenCV", "recall at 1 false face", "median ms", "time ratio")
    crowd = _crowd_table(analyzer, labels, images, opencv)
    return "\n".join(
        (
            "## Detection",
            "",
            about,
            "",
            table(head, rows),
            "",
            crowd,
            "",
        )
    )


def _timed(analyzer: Analyzer, mode: Mode) -> Callable[[NDArray[np.uint8]], object]:
    # Both get pixels in the order they want, so that neither pays for the other's.
    return lambda pixels: analyzer.detect(Picture(pixels), mode=mode)


def _as_picture(bgr: NDArray[np.uint8]) -> Picture:
    return Picture(np.ascontiguousarray(bgr[:, :, ::-1]))


def _times(ways: list[Callable[[NDArray[np.uint8]], object]], paths: list[Path]) -> list[float]:
    step = max(1, len(paths) // _TIMED)
    per_picture = []
    for path in paths[::step]:
        picture = _read(path)
        works = [partial(way, picture) for way in ways]
        per_picture.append(medians_in_turns(works, repeats=3, warm_up=1))
    return [float(value) for value in np.median(np.array(per_picture), axis=0)]


def _crowd_table(
    analyzer: Analyzer, labels: dict[str, wider.Labels], images: Path, opencv: OpenCvPipeline
) -> str:
    """The pictures with a hundred faces and more, as ``sayso faces`` sees them by default."""
    rows, totals = [], np.zeros(5, dtype=int)
    for name, entry in labels.items():
        wanted = int(entry.wanted.sum())
        if wanted < _CROWD:
            continue
        found = analyzer.detect(images / name)
        verdicts = wider.judge(found, entry)
        peer = opencv.detections(_read(images / name))
        peer_hits = int((wider.judge(peer.take(peer.scores >= 0.6), entry) == 1).sum())
        numbers = (
            wanted, len(found), int((verdicts == 1).sum()), int((verdicts == 0).sum()), peer_hits,
        )  # fmt: skip
        totals += np.array(numbers)
        rows.append((Path(name).name, *numbers))
    rows.append(("**all**", *totals.tolist()))
    head = ("crowd picture", "labelled", "found", "on labelled", "on none", "OpenCV on labelled")
    return "### The crowd pictures, balanced, at the default threshold\n\n" + table(head, rows)


def _read(path: Path) -> NDArray[np.uint8]:
    """A picture as OpenCV reads it: uint8, BGR."""
    return np.asarray(cv2.imread(str(path)), np.uint8)


if __name__ == "__main__":
    chosen = tuple(mode for mode in MODES if mode in sys.argv[1:]) or MODES
    print(main(chosen))
