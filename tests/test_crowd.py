"""The main job, end to end: a crowd of real people, of whom some agreed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ENROLLED = 30


def _sayso(*arguments: str, data_dir: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "sayso", *arguments],
        env=os.environ | {"SAYSO_DATA": str(data_dir)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_those_who_agreed_are_named_and_nobody_else(
    tmp_path: Path, data_dir: Path, lfw: Path
) -> None:
    crowd_module = pytest.importorskip("benchmarks.crowd", reason="needs the bench requirements")
    crowd = crowd_module.compose(110, ENROLLED, seed=11)
    picture = tmp_path / "crowd.jpg"
    picture.write_bytes(crowd.jpeg)
    _sayso("collections", "create", "club", data_dir=data_dir)
    for name, path in crowd.enrolment.items():
        done = subprocess.run(
            [
                sys.executable, "-m", "sayso", "enroll", "club", name, str(path),
                "--purpose", "photo-delivery", "--evidence", "form",
            ],
            env=os.environ | {"SAYSO_DATA": str(data_dir)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        # A picture of two people of the same size is refused as ambiguous; that is right.
        assert done.returncode in {0, 1}, done.stderr
    document = json.loads(
        _sayso(
            "recognize",
            "club",
            str(picture),
            "--purpose",
            "photo-delivery",
            "--json",
            data_dir=data_dir,
        )
    )
    faces = [(tuple(face["box"]), face["subject"]) for face in document["faces"]]
    found, right, wrong = crowd_module.judge(crowd, faces)
    assert wrong == 0
    assert found >= 108
    assert right >= 0.7 * ENROLLED
    for face in document["faces"]:
        if face["subject"] is None:
            assert face["similarity"] is None
            assert face["expected_false_matches"] is None
        else:
            assert face["similarity"] >= document["threshold"]["similarity"]
            assert face["expected_false_matches"] < 0.01
    # The same picture, asked about for a purpose that nobody agreed to.
    other = json.loads(
        _sayso(
            "recognize",
            "club",
            str(picture),
            "--purpose",
            "advertising",
            "--json",
            data_dir=data_dir,
        )
    )
    assert len(other["faces"]) == len(document["faces"])
    assert all(face["subject"] is None for face in other["faces"])
