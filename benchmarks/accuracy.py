"""Telling people apart, against OpenCV's and dlib's pipelines: ``python -m benchmarks.accuracy``.

Verification on LFW View 2, how stable templates are, and faces embedded per second.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks import lfw
from benchmarks.peers import DlibPipeline, OpenCvPipeline
from benchmarks.timing import THREADS, median_seconds, table
from benchmarks.verification import Verification, verify
from sayso.analyzer import Analyzer
from sayso.models.store import ModelStore
from sayso.vision.alignment import align
from sayso.vision.embedder import Embedder
from sayso.vision.runtime import Precision, RuntimeName, RuntimeOptions, open_session
from sayso.vision.types import MODES, Mode

_RATE = 1e-4


def main(modes: tuple[Mode, ...] = ("balanced",)) -> str:
    models = ModelStore()
    parts = ["## Accuracy", "", _verification(modes, models), ""]
    parts += [_stability(models), "", _embedding(models), ""]
    return "\n".join(parts)


def _verification(modes: tuple[Mode, ...], models: ModelStore) -> str:
    rows = []
    for mode in modes:
        data = lfw.load(mode)
        reached = verify(data, data.templates)
        rows.append(_row(f"Sayso {mode}", reached, int((~data.found).sum())))
    templates = _opencv_templates(OpenCvPipeline(models), data)
    failed = int((~templates.any(axis=1)).sum())
    rows.append(_row("OpenCV YuNet and SFace", verify(data, templates), failed))
    dlib = DlibPipeline.installed()
    if dlib is None:
        rows.append(("dlib ResNet", "not run: its weights are not installed", "", "", "", "", ""))
    else:
        rows.append(_dlib_row(dlib, data))
    head = ("pipeline", "10-fold accuracy", "TAR at FMR 1e-3", "at 1e-4", "at 1e-5",
            "cosine at 1e-4", "no face found")  # fmt: skip
    return (
        f"Verification on LFW View 2: {len(data.names)} pictures, genuine pairs the protocol's "
        "3,000, impostor pairs all of different people among those pictures. A picture without a "
        "face matches nobody.\n\n" + table(head, rows)
    )


def _row(name: str, reached: Verification, failed: int) -> tuple[str, ...]:
    rates = [f"{reached.tar[rate]:.4f}" for rate in (1e-3, 1e-4, 1e-5)]
    threshold = f"{reached.thresholds[_RATE]:.3f}"
    return (name, f"{reached.accuracy:.4f}", *rates, threshold, str(failed))


def _opencv_templates(pipeline: OpenCvPipeline, data: lfw.Lfw) -> NDArray[np.float32]:
    templates = np.zeros_like(data.templates)
    for row, name in enumerate(data.names):
        bgr = np.asarray(cv2.imread(str(lfw.folder() / "images" / name)), np.uint8)
        found = pipeline.detect(bgr)
        if len(found):
            away = np.linalg.norm(found[:, :2] + found[:, 2:4] / 2 - 125, axis=1)
            chosen = int(np.argmax(found[:, 3] - away))
            templates[row] = pipeline.embed(pipeline.align(bgr, found[chosen]))
    return templates


def _dlib_row(dlib: DlibPipeline, data: lfw.Lfw) -> tuple[str, ...]:
    """The first fold only: dlib takes more than a tenth of a second for a picture."""
    pairs, same = data.pairs[:600], data.same[:600]
    pictures = {row: lfw.folder() / "images" / data.names[row] for row in np.unique(pairs)}
    templates = {row: dlib.template(path) for row, path in pictures.items()}
    failed = sum(template is None for template in templates.values())
    right = [
        dlib.matches(templates[left], templates[other]) == genuine
        for (left, other), genuine in zip(pairs, same, strict=True)
    ]
    note = f"{np.mean(right):.4f} (first fold, at its published threshold {dlib.threshold})"
    return ("dlib HOG and ResNet", note, "", "", "", "", f"{failed} of {len(pictures)}")


def _stability(models: ModelStore) -> str:
    """The same pictures with one thread or two, alone or among 64."""
    paths = sorted((lfw.folder() / "images").glob("*/*.jpg"))[:64]
    rows = []
    for precision in _precisions():
        one, two = (Analyzer(models=models, precision=precision, threads=n) for n in (1, 2))
        worst, equal = 1.0, True
        for path in paths[:16]:
            first, second = one.analyze(path).templates, two.analyze(path).templates
            worst = min(worst, float(np.einsum("nd,nd->n", first, second).min(initial=1)))
            equal &= bool(np.array_equal(first, second))
        rows.append((f"{precision}, 1 thread or 2", f"{worst:.7f}", "yes" if equal else "no"))
        faces = _aligned(paths)
        session = open_session(
            models.path("sface-2021dec").read_bytes(), options=RuntimeOptions(precision=precision)
        )
        embedder = Embedder(session)
        together = embedder.embed(faces).templates
        alone = np.concatenate([embedder.embed(face[None]).templates for face in faces])
        worst = float(np.einsum("nd,nd->n", together, alone).min())
        same = "yes" if np.array_equal(together, alone) else "no"
        rows.append((f"{precision}, alone or among {len(faces)}", f"{worst:.7f}", same))
    head = ("the same faces, OpenVINO", "lowest cosine", "equal to the last bit")
    return table(head, rows)


def _embedding(models: ModelStore) -> str:
    paths = sorted((lfw.folder() / "images").glob("*/*.jpg"))[:64]
    faces = _aligned(paths)
    opencv = OpenCvPipeline(models)
    swapped = np.ascontiguousarray(faces[..., ::-1])
    peer = median_seconds(lambda: [opencv.embed(face) for face in swapped]) / len(faces)
    rows = [("OpenCV FaceRecognizerSF, one at a time", f"{1 / peer:.0f}", "1.0")]
    model = models.path("sface-2021dec").read_bytes()
    ways: list[tuple[RuntimeName, Precision]] = [("openvino", p) for p in _precisions()]
    for runtime, precision in [*ways, ("onnxruntime", "f32")]:
        options = RuntimeOptions(runtime, precision)
        embedder = Embedder(open_session(model, options=options))
        each = median_seconds(lambda embedder=embedder: embedder.embed(faces)) / len(faces)  # type: ignore[misc]
        rows.append((f"Sayso, {runtime} {precision}", f"{1 / each:.0f}", f"{peer / each:.1f}"))
    dlib = DlibPipeline.installed()
    if dlib is not None:
        each = median_seconds(lambda: dlib.embed_aligned(faces[:8]), repeats=3, warm_up=1) / 8
        rows.append(("dlib ResNet, one at a time", f"{1 / each:.0f}", f"{peer / each:.2f}"))
    head = ("embedding", "faces per second", "ratio to OpenCV")
    return f"{len(faces)} aligned faces, {THREADS} threads.\n\n" + table(head, rows)


def _precisions() -> list[Precision]:
    import openvino

    capable = "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return ["f32", "bf16"] if capable else ["f32"]


def _aligned(paths: list[Path]) -> NDArray[np.uint8]:
    """The faces of these pictures, aligned where deep funnelling puts them."""
    eyes_nose_mouth = np.array(
        [[103, 113], [147, 113], [125, 138], [107, 160], [143, 160]], np.float32
    )
    pictures = [
        np.ascontiguousarray(np.asarray(cv2.imread(str(path)), np.uint8)[:, :, ::-1])
        for path in paths
    ]
    return np.concatenate([align(picture, eyes_nose_mouth[None]) for picture in pictures])


if __name__ == "__main__":
    chosen = tuple(mode for mode in MODES if mode in sys.argv[1:])
    print(main(chosen or ("balanced",)))
