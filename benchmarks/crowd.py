"""A crowd in 4K against a gallery of 300,000, from JPEG to names: ``python -m benchmarks.crowd``.

110 people of LFW, their faces 32 to 80 pixels high, in one JPEG of 3840 x 2160. Another picture of
60 of them is enrolled, among synthetic templates that fill the gallery up. Ours is the library
call behind ``sayso recognize``, store, consents and all; the peer is OpenCV's detector and
recogniser, one face at a time, and a product of each template with the gallery.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import sayso
from benchmarks import lfw
from benchmarks.peers import OpenCvPipeline
from benchmarks.timing import THREADS, medians_in_turns, table
from sayso.analyzer import Analyzer
from sayso.core.evaluating import central_face
from sayso.evidence.calibration import POINTS_PER_DECADE
from sayso.models.store import ModelStore
from sayso.settings import load_settings

WIDTH, HEIGHT = 3840, 2160
PEOPLE, ENROLLED, GALLERY = 110, 60, 300_000
PURPOSE = "benchmark"
#: Where the false-match rate is the one that OpenCV's threshold is at; the rule is told below.
SIMILARITY = -POINTS_PER_DECADE * math.log10(4e-7)
#: The cosine at which 4e-7 of LFW's pairs of strangers match, for templates that are compared raw.
PEER_COSINE = 0.563
#: At that rate 17 false matches are to be expected of 141 faces in 300,000 enrolled, if those were
#: real. So naming is judged once more where it is to be one. With the 0.01 of collections that
#: nobody set up it would take a false-match rate of 2e-10, which nobody has measured.
EXPECTED, ANY = 1.0, 1e6


@dataclass(frozen=True, slots=True)
class Crowd:
    """The JPEG's bytes; who stands where (x, y of each face's middle); who is enrolled by what."""

    jpeg: bytes
    places: dict[str, tuple[float, float]]
    enrolment: dict[str, Path]


def compose(people: int = PEOPLE, enrolled: int = ENROLLED, *, seed: int = 4) -> Crowd:
    """A crowd of LFW's people who have two pictures: one here, the other to enrol."""
    chance = np.random.default_rng(seed)
    images = lfw.folder() / "images"
    several = sorted(path for path in images.iterdir() if len(list(path.glob("*.jpg"))) > 1)
    chosen = [several[row] for row in chance.permutation(len(several))[:people]]
    canvas = np.full((HEIGHT, WIDTH, 3), (120, 125, 118), np.uint8)
    columns, rows = 15, -(-people // 15)
    cell_width, cell_height = WIDTH // columns, HEIGHT // rows
    places = {}
    for position, path in enumerate(chosen):
        picture = np.asarray(cv2.imread(str(sorted(path.glob("*.jpg"))[1])), np.uint8)
        # Deep funnelling makes every face about 105 of the picture's 250 pixels high.
        side = round(250 * chance.uniform(32, 80) / 105)
        small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
        x = position % columns * cell_width + int(chance.integers(0, cell_width - side))
        y = position // columns * cell_height + int(chance.integers(0, cell_height - side))
        canvas[y : y + side, x : x + side] = small
        places[path.name] = (x + side / 2, y + side / 2)
    jpeg = cv2.imencode(".jpg", canvas, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()
    enrolment = {path.name: min(path.glob("*.jpg")) for path in chosen[:enrolled]}
    return Crowd(jpeg, places, enrolment)


def judge(crowd: Crowd, named: list[tuple[tuple[float, ...], str | None]]) -> tuple[int, int, int]:
    """How many faces of the crowd were found, named right, and named wrong."""
    found, right, wrong = set(), 0, 0
    for (x1, y1, x2, y2), subject in named:
        inside = [who for who, (x, y) in crowd.places.items() if x1 < x < x2 and y1 < y < y2]
        found.update(inside)
        if subject is not None:
            right += subject in inside
            wrong += subject not in inside
    return len(found), right, wrong


def fill(app: sayso.Sayso, crowd: Crowd, gallery: int = GALLERY) -> None:
    """Enrol the crowd's people by their pictures, and synthetic subjects up to the number."""
    consent = sayso.Consent(purposes=[PURPOSE], evidence="research data set")
    app.create_collection("crowd", rule=sayso.FalseMatchRule(ANY))
    analyzer = Analyzer()
    for name, path in crowd.enrolment.items():
        picture = path.read_bytes()
        analysis = analyzer.analyze(picture)
        row = central_face(analysis)
        if row is not None:
            app.enroll_templates(
                "crowd", subjects=[name], templates=analysis.templates[[row]], consent=consent
            )
    count = gallery - len(crowd.enrolment)
    synthetic = np.random.default_rng(0).standard_normal((count, 128), dtype=np.float32)
    synthetic /= np.linalg.norm(synthetic, axis=1, keepdims=True)
    names = [f"synthetic-{row}" for row in range(count)]
    app.enroll_templates("crowd", subjects=names, templates=synthetic, consent=consent)


def main() -> str:
    crowd = compose()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        (data / "models").symlink_to(load_settings().data / "models", target_is_directory=True)
        with sayso.open(data) as app:
            fill(app, crowd)
        with sayso.open(data) as app:
            return _report(app, crowd, data)


def _report(app: sayso.Sayso, crowd: Crowd, data: Path) -> str:
    peer = _Peer(crowd)

    def ours(mode: str) -> list[tuple[tuple[float, ...], str | None]]:
        seen = app.recognize(
            "crowd",
            crowd.jpeg,
            purpose=PURPOSE,
            mode=mode,  # type: ignore[arg-type]
            min_similarity=SIMILARITY,
        )
        return [(face.box, face.subject) for face in seen]

    ways = {"OpenCV, one face at a time": peer.recognize}
    ways |= {f"Sayso {mode}": lambda mode=mode: ours(mode) for mode in ("fast", "balanced")}  # type: ignore[misc]
    seconds = medians_in_turns(list(ways.values()), repeats=5)
    rows = []
    for (name, way), took in zip(ways.items(), seconds, strict=True):
        found, right, wrong = judge(crowd, way())
        ratio = f"{seconds[0] / took:.1f}"
        rows.append((name, f"{took:.2f}", ratio, found, f"{right} of {ENROLLED}", wrong))
    app.set_false_match_rule("crowd", sayso.FalseMatchRule(EXPECTED))
    _, right, wrong = judge(crowd, ours("balanced"))
    head = (
        "pipeline",
        "median s",
        "OpenCV's time to it",
        "faces found",
        "named right",
        "named wrong",
    )
    about = (
        f"A JPEG of {WIDTH} x {HEIGHT} with {PEOPLE} people, faces 32 to 80 pixels high, "
        f"{ENROLLED} of them enrolled by another picture in a gallery of {GALLERY:,}; named where "
        f"4e-7 of strangers are so alike, similarity {SIMILARITY:.0f} and for OpenCV cosine "
        f"{PEER_COSINE}; {THREADS} threads; from the JPEG's bytes to names. In a gallery of real "
        f"people that many faces would give 17 false matches; with the rule of {EXPECTED:g} for "
        f"the picture, balanced names {right} right and {wrong} wrong."
    )
    peak = [(mode, f"{_peak(crowd, data, mode):.0f}") for mode in ("fast", "balanced", "thorough")]
    memory = table(("`sayso recognize` on it", "peak resident MB"), peak)
    return "\n".join(("## Crowd", "", about, "", table(head, rows), "", memory, ""))


class _Peer:
    """OpenCV's pipeline with its own templates of the same people and the same synthetic ones."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._pipeline = OpenCvPipeline(ModelStore())
        self._names: list[str | None] = []
        templates = []
        for name, path in crowd.enrolment.items():
            bgr = np.asarray(cv2.imread(str(path)), np.uint8)
            found = self._pipeline.detect(bgr)
            if len(found):
                away = np.linalg.norm(found[:, :2] + found[:, 2:4] / 2 - 125, axis=1)
                row = found[int(np.argmax(found[:, 3] - away))]
                templates.append(self._pipeline.embed(self._pipeline.align(bgr, row)))
                self._names.append(name)
        count = GALLERY - len(templates)
        synthetic = np.random.default_rng(0).standard_normal((count, 128), dtype=np.float32)
        synthetic /= np.linalg.norm(synthetic, axis=1, keepdims=True)
        self._gallery: NDArray[np.float32] = np.concatenate([np.array(templates), synthetic])
        self._names += [None] * count
        self._threshold = PEER_COSINE

    def recognize(self) -> list[tuple[tuple[float, ...], str | None]]:
        bgr = np.asarray(
            cv2.imdecode(np.frombuffer(self._crowd.jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8
        )
        named: list[tuple[tuple[float, ...], str | None]] = []
        for row in self._pipeline.detect(bgr):
            template = self._pipeline.embed(self._pipeline.align(bgr, row))
            scores = self._gallery @ template
            best = int(scores.argmax())
            x, y, width, height = (float(value) for value in row[:4])
            subject = self._names[best] if scores[best] >= self._threshold else None
            named.append(((x, y, x + width, y + height), subject))
        return named


def _peak(crowd: Crowd, data: Path, mode: str) -> float:
    """Peak resident set, in MB, of the command in a process of its own; Linux only."""
    picture = data / "crowd.jpg"
    picture.write_bytes(crowd.jpeg)
    # getrusage() would tell this process's own peak as well, which a new program inherits.
    script = (
        "import sys\nfrom sayso.cli.run import run\n"
        "status = run(sys.argv[1:])\n"
        "status_file = open('/proc/self/status').read()\n"
        "print(status_file.split('VmHWM:')[1].split()[0], file=sys.stderr)\n"
        "sys.exit(status)\n"
    )
    command = ["recognize", "crowd", str(picture), "--purpose", PURPOSE, "--mode", mode, "--json"]
    done = subprocess.run(
        [sys.executable, "-c", script, *command],
        env=os.environ | {"SAYSO_DATA": str(data)},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stderr.split()[-1]) / 1024


if __name__ == "__main__":
    print(main())
