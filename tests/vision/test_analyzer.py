"""Detection to template on real pictures, with the default models."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from sayso.analyzer import Analyzer
from sayso.errors import TooManyFaces, WorkAbandoned
from sayso.models.store import ModelStore
from sayso.settings import Settings
from sayso.vision.effort import Effort, bounded
from sayso.vision.picture import decode
from sayso.vision.runtime import Precision
from sayso.vision.types import MODES, Mode, Picture


@pytest.fixture(scope="module")
def analyzer(model_store: ModelStore) -> Analyzer:
    return Analyzer(models=model_store)


@pytest.fixture(scope="module")
def person(portrait: Path) -> np.ndarray:
    return np.asarray(Image.open(portrait).convert("RGB"))


def _picture(pixels: np.ndarray) -> Picture:
    return Picture(np.ascontiguousarray(pixels, dtype=np.uint8))


def _on_canvas(person: np.ndarray, width: int, height: int, x: int, y: int, side: int) -> Picture:
    canvas = np.full((height, width, 3), 120, np.uint8)
    method = cv2.INTER_AREA if side < 512 else cv2.INTER_LINEAR
    canvas[y : y + side, x : x + side] = cv2.resize(person, (side, side), interpolation=method)
    return _picture(canvas)


@pytest.mark.parametrize("mode", MODES)
def test_one_portrait_one_face(analyzer: Analyzer, person: np.ndarray, mode: Mode) -> None:
    analysis = analyzer.analyze(_picture(person), mode=mode)
    assert len(analysis.faces) == 1
    face = analysis.faces[0]
    # The eyes and the mouth of the portrait, read off the picture by hand.
    expected = [(203, 102), (248, 103), (222, 125), (201, 143), (241, 144)]
    np.testing.assert_allclose(face.landmarks, expected, atol=6)
    x1, y1, x2, y2 = face.box
    assert x1 < 201
    assert x2 > 248
    assert y1 < 102
    assert y2 > 144
    assert abs(face.quality.roll) < 6
    assert face.quality.visible == 1
    assert np.isclose(np.linalg.norm(analysis.templates[0]), 1, atol=1e-5)


@pytest.mark.parametrize(("width", "height", "x", "y", "side"), [
    (3840, 2160, 3000, 1500, 150),  # a 34-pixel face in 4K
    (7680, 4320, 7300, 4000, 300),  # a 68-pixel face in 8K
    (3840, 2160, 1700, 100, 2000),  # a 450-pixel face across the tiles' edges
    (4096, 3072, 1500, 1200, 1300),  # a 290-pixel face across the tiles' edges
    (3900, 2600, 1545, 960, 1000),  # a 220-pixel face in the middle
    (640, 480, 10, 10, 90),  # a 20-pixel face in a small picture
])  # fmt: skip
def test_a_face_of_any_size_anywhere_is_found(
    analyzer: Analyzer, person: np.ndarray, width: int, height: int, x: int, y: int, side: int
) -> None:
    analysis = analyzer.analyze(_on_canvas(person, width, height, x, y, side))
    assert len(analysis.faces) == 1
    assert analysis.faces[0].score > 0.6
    nose = analysis.faces[0].landmarks[2]
    scale = side / 512
    np.testing.assert_allclose(nose, [x + 222 * scale, y + 125 * scale], atol=max(2, 8 * scale))


@pytest.mark.parametrize("border", [0, 12, -12])
def test_a_face_that_fills_the_whole_picture_is_found(
    analyzer: Analyzer, person: np.ndarray, border: int
) -> None:
    tight = person[62 - border : 177 + border, 178 - border : 270 + border]
    large = cv2.resize(tight, None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC)
    for pixels in (tight, np.asarray(large)):
        assert len(analyzer.analyze(_picture(pixels)).faces) == 1


def test_a_face_cut_by_the_border_says_so(analyzer: Analyzer, person: np.ndarray) -> None:
    analysis = analyzer.analyze(_picture(person[:, 215:]))
    assert len(analysis.faces) == 1
    assert analysis.faces[0].quality.visible < 0.9


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_gives_the_same_face(
    analyzer: Analyzer, person: np.ndarray, orientation: int
) -> None:
    undo = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
            4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
            6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
            8: Image.Transpose.ROTATE_270}  # fmt: skip
    stored = Image.fromarray(person)
    if orientation in undo:
        stored = stored.transpose(undo[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    stored.save(file, "PNG", exif=exif)
    upright = analyzer.analyze(_picture(person))
    turned = analyzer.analyze(file.getvalue())
    np.testing.assert_allclose(turned.faces[0].box, upright.faces[0].box, atol=0.1)
    assert float(turned.templates[0] @ upright.templates[0]) > 0.9999


@pytest.mark.parametrize("angle", [-25, 25])
def test_a_tilted_head_is_the_same_person(
    analyzer: Analyzer, person: np.ndarray, angle: int
) -> None:
    turn = cv2.getRotationMatrix2D((225, 120), angle, 1.0)
    tilted = cv2.warpAffine(person, turn, (512, 512))
    upright, leaning = analyzer.analyze(_picture(person)), analyzer.analyze(_picture(tilted))
    assert len(leaning.faces) == 1
    # OpenCV turns counter-clockwise; roll is positive clockwise. The detectors' landmarks lean
    # towards the upright, so that a strong tilt is measured a few degrees short.
    assert leaning.faces[0].quality.roll == pytest.approx(
        upright.faces[0].quality.roll - angle, abs=9
    )
    assert float(upright.templates[0] @ leaning.templates[0]) > 0.85


def test_quality_falls_with_blur_darkness_and_size(analyzer: Analyzer, person: np.ndarray) -> None:
    def quality(pixels: np.ndarray) -> float:
        return analyzer.analyze(_picture(pixels)).faces[0].quality.overall

    clear = quality(person)
    blurred = quality(cv2.GaussianBlur(person, (0, 0), 5))
    small = quality(cv2.resize(person, (100, 100), interpolation=cv2.INTER_AREA))
    dark = quality((person * 0.08).astype(np.uint8))
    assert 0 <= max(blurred, small, dark) < clear <= 100


def test_a_picture_without_faces(analyzer: Analyzer) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    for pixels in (noise, np.zeros((50, 50, 3), np.uint8), np.full((1, 1, 3), 9, np.uint8)):
        analysis = analyzer.analyze(_picture(pixels))
        assert analysis.faces == ()
        assert analysis.templates.shape == (0, 128)


def test_more_faces_than_the_limit_are_refused_with_both_numbers(
    analyzer: Analyzer, person: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sayso.vision.detector.MAX_FACES", 1)
    two = np.concatenate([person, person], axis=1)
    with pytest.raises(TooManyFaces, match="2 faces were found and at most 1"):
        analyzer.analyze(_picture(two))


def test_memory_does_not_grow_with_every_new_shape(analyzer: Analyzer) -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    if not Path("/proc/self/statm").exists():
        pytest.skip("only Linux tells a process its memory this way")
    chance = np.random.default_rng(0)

    def look(count: int) -> None:
        for width, height in chance.integers(60, 500, (count, 2)):
            analyzer.detect(_picture(np.zeros((height, width, 3), np.uint8)), mode="fast")

    look(40)
    before = resident()
    look(60)
    assert resident() - before < 150e6


def test_extreme_shapes_do_no_harm(analyzer: Analyzer) -> None:
    for shape in ((8, 5000, 3), (5000, 8, 3), (2, 2, 3)):
        assert analyzer.analyze(_picture(np.zeros(shape, np.uint8))).faces == ()


@pytest.mark.parametrize("mode", ["fast", "balanced"])
def test_the_same_picture_gives_the_same_templates_whatever_the_threads(
    model_store: ModelStore, person: np.ndarray, mode: Mode
) -> None:
    one, two = (
        Analyzer(models=model_store, precision="f32", threads=threads) for threads in (1, 2)
    )
    first, second = (a.analyze(_picture(person), mode=mode) for a in (one, two))
    np.testing.assert_allclose(first.faces[0].box, second.faces[0].box, atol=1e-3)
    np.testing.assert_array_equal(first.templates, second.templates)


@pytest.mark.parametrize("precision", ["f32", "auto"])
def test_a_template_does_not_depend_on_how_many_faces_come_with_it(
    model_store: ModelStore, precision: Precision
) -> None:
    from sayso.vision.embedder import Embedder
    from sayso.vision.runtime import RuntimeOptions, open_session

    model = model_store.path("sface-2021dec").read_bytes()
    embedder = Embedder(open_session(model, options=RuntimeOptions("openvino", precision)))
    faces = np.random.default_rng(5).integers(0, 256, (64, 112, 112, 3), dtype=np.uint8)
    twice = np.arange(64) % 3 == 0
    together = embedder.embed(faces, twice=twice).templates
    alone = np.concatenate(
        [
            embedder.embed(faces[row : row + 1], twice=twice[row : row + 1]).templates
            for row in range(9)
        ]
    )
    np.testing.assert_array_equal(together[:9], alone)


def test_both_runtimes_find_the_same_person(model_store: ModelStore, person: np.ndarray) -> None:
    ours, theirs = (
        Analyzer(models=model_store, runtime=runtime).analyze(_picture(person))
        for runtime in ("openvino", "onnxruntime")
    )
    np.testing.assert_allclose(ours.faces[0].box, theirs.faces[0].box, atol=2)
    assert float(ours.templates[0] @ theirs.templates[0]) > 0.995


def test_a_crowd(analyzer: Analyzer, wider: Path) -> None:
    """A crowd picture of 1024 pixels with hundreds of labelled faces."""
    pictures = sorted((wider / "images").rglob("*.jpg"))
    most = max(
        (analyzer.analyze(path, mode="fast") for path in pictures[:12]),
        key=lambda analysis: len(analysis.faces),
    )
    assert len(most.faces) >= 30
    scores = [face.score for face in most.faces]
    assert scores == sorted(scores, reverse=True)


def test_faces_of_a_picture_that_was_reduced_are_in_its_own_pixels(
    analyzer: Analyzer, person: np.ndarray
) -> None:
    large = _on_canvas(person, 2400, 1800, 900, 500, 1200)
    out = io.BytesIO()
    Image.fromarray(large.pixels).save(out, "JPEG", quality=90)
    limits = Settings(max_decoded_pixels=1_500_000).picture_limits
    analysis = analyzer.analyze(decode(out.getvalue(), limits, whole=False))
    assert (analysis.width, analysis.height) == (2400, 1800)
    assert "was looked at as 1200 x 900" in analysis.notices[0]
    (reduced,), (whole,) = analysis.faces, analyzer.analyze(large).faces
    np.testing.assert_allclose(reduced.box, whole.box, atol=25)
    np.testing.assert_allclose(reduced.landmarks, whole.landmarks, atol=25)
    assert reduced.quality.height == pytest.approx(reduced.height)


def test_work_stops_between_faces_and_passes(analyzer: Analyzer, person: np.ndarray) -> None:
    picture = _picture(person)
    found = analyzer.detect(picture)
    for work in (partial(analyzer.detect, picture), partial(analyzer.describe, picture, found)):
        with bounded(Effort()) as effort:
            effort.abandon()
            with pytest.raises(WorkAbandoned):
                work()
    assert len(analyzer.describe(picture, found).faces) == 1


def test_too_little_address_space_is_said_and_does_not_end_the_process(
    model_data: Path,
) -> None:
    program = """
import resource, sayso
from sayso.vision.memory import address_space
sayso.Analyzer()
import sayso.vision.runtime
resource.setrlimit(resource.RLIMIT_AS, (address_space() + 700_000_000, resource.RLIM_INFINITY))
try:
    sayso.Analyzer().load()
except sayso.SaysoError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "SAYSO_DATA": str(model_data)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "address space (ulimit -v)" in done.stdout
    assert "need 1.2 more" in done.stdout
