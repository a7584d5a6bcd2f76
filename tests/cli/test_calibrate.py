"""``sayso calibrate``."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import sayso
from sayso.evidence import calibration
from tests.cli.conftest import Cli

PEOPLE = 24


def labelled(root: Path, lfw: Path, people: int = PEOPLE, pictures: int = 3) -> Path:
    """A labelled folder of the first people of LFW that have so many pictures."""
    found = [each for each in sorted((lfw / "images").iterdir()) if each.is_dir()]
    some = [each for each in found if len(list(each.glob("*.jpg"))) >= pictures][:people]
    assert len(some) == people
    for source in some:
        (root / source.name).mkdir(parents=True)
        for picture in sorted(source.glob("*.jpg"))[:pictures]:
            shutil.copy(picture, root / source.name)
    return root


def test_a_folder_gives_a_calibration_and_a_table(
    recognising: Cli, lfw: Path, tmp_path: Path
) -> None:
    folder = labelled(tmp_path / "people", lfw)
    names = sorted(each.name for each in folder.iterdir())
    (folder / names[0] / "broken.jpg").write_bytes(b"no picture")
    (tmp_path / "groups.csv").write_text(
        "person,group\n" + "".join(f"{name},{'few' if i < 3 else 'team'}\n" for i, name in
                                   enumerate(names[:-1]))
    )  # fmt: skip
    out = tmp_path / "people.json"
    outcome = recognising(
        *("calibrate", folder, "--out", out, "--groups", tmp_path / "groups.csv"),
        *("--mode", "fast"),
    )
    assert outcome.status == 1, outcome.err  # not everything could be looked at
    assert "groups.csv: 1 person of 24 without a group" in outcome.err
    assert "1 of 73 pictures gave no template, the first" in outcome.err
    assert "too few people or pictures for figures of its own: few" in outcome.out
    assert f"written: {out}" in outcome.out
    assert f"SAYSO_CALIBRATION={out}" in outcome.out

    found, shipped = calibration.loads(out.read_text()), calibration.default()
    assert (found.model, found.model_sha256) == (shipped.model, shipped.model_sha256)
    assert found.template_version == shipped.template_version
    assert found.provenance.startswith("people: 72 pictures of 24 people, 2,484 pairs of")
    assert "1,737 of them within a group; fast mode, " in found.provenance
    assert str(tmp_path) not in out.read_text()
    assert found.normaliser is not None
    assert shipped.normaliser is not None
    assert np.array_equal(found.normaliser.mean, shipped.normaliser.mean)
    assert found.worst_group is not None
    assert found.lowest_rate == pytest.approx(0.1 / 1_737, rel=1e-3)
    assert 0.1 < found.counted_to < found.scores[-1]

    lines = outcome.out.splitlines()
    (header,) = [i for i, line in enumerate(lines) if line.lstrip().startswith("similarity")]
    row = lines[header + 1].split()
    assert row[0] == "50"
    assert float(row[1]) == pytest.approx(found.score(50), abs=6e-4)
    assert "not told below 5.8e-05" in outcome.out
    pairs = [line for line in lines if line.count(".jpg") == 2]
    assert len(pairs) == 5
    assert all(name.split("/")[0] in names for line in pairs for name in line.split()[1:])
    with sayso.open(os.environ["SAYSO_DATA"]) as app:
        *_, event = [entry.event for entry in app.audit_entries()]
        assert event.kind == "pictures-evaluated"
        assert app.collections() == ()


def test_what_cannot_work_is_refused_before_any_work(cli: Cli, tmp_path: Path) -> None:
    """No models are installed here: nothing was looked at."""
    for name in ("ada", "bob"):
        (tmp_path / "few" / name).mkdir(parents=True)
        for picture in ("1.jpg", "2.jpg"):
            (tmp_path / "few" / name / picture).touch()
    out = tmp_path / "out.json"
    for arguments, told in (
        ((tmp_path / "none", "--out", out), "No such file"),
        ((tmp_path / "few", "--out", out), "there are 2 people, and a calibration needs 20"),
        ((tmp_path / "few", "--out", tmp_path / "none" / "out.json"), "there is no folder"),
        ((tmp_path / "few", "--out", tmp_path / "few"), "is a folder: name a file"),
    ):
        outcome = cli("calibrate", *arguments)
        assert outcome.status == 1
        assert told in outcome.err
        assert outcome.out == ""
    assert not out.exists()
    assert not Path(os.environ["SAYSO_DATA"]).exists()


def test_pictures_that_are_too_few_leave_no_file(recognising: Cli, tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / "people" / f"p{number:02}").mkdir(parents=True)
        for picture in ("1.jpg", "2.jpg"):
            (tmp_path / "people" / f"p{number:02}" / picture).write_bytes(b"no picture")
    out = tmp_path / "out.json"
    outcome = recognising("calibrate", tmp_path / "people", "--out", out)
    assert outcome.status == 1
    assert "of 40 pictures 0 gave a template: there are 0 people" in outcome.err
    assert "p00/1.jpg" in outcome.err
    assert not out.exists()
