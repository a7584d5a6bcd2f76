"""``sayso evaluate``."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

import sayso
from tests.cli.conftest import Cli

PEOPLE = (
    "Colin_Powell", "Gerhard_Schroeder", "Hugo_Chavez", "John_Ashcroft", "Junichiro_Koizumi",
    "Serena_Williams", "Tony_Blair", "Jacques_Chirac", "Vladimir_Putin", "Jennifer_Capriati",
)  # fmt: skip


def labelled(root: Path, lfw: Path, people: int, pictures: int) -> Path:
    """A labelled folder of a few people of LFW."""
    for name in PEOPLE[:people]:
        (root / name).mkdir(parents=True)
        for source in sorted((lfw / "images" / name).glob("*.jpg"))[:pictures]:
            shutil.copy(source, root / name)
    return root


def test_a_folder_gives_a_report_and_figures(recognising: Cli, lfw: Path, tmp_path: Path) -> None:
    folder = labelled(tmp_path / "people", lfw, people=10, pictures=4)
    (folder / PEOPLE[0] / "<script>broken.jpg").write_bytes(b"no picture")
    (tmp_path / "groups.csv").write_text(
        "person,group\n" + "".join(f"{name},team {i % 2}\n" for i, name in enumerate(PEOPLE[:9]))
    )
    report, figures = tmp_path / "out.html", tmp_path / "out.json"
    outcome = recognising(
        *("evaluate", folder, "--report", report, "--json", figures),
        *("--groups", tmp_path / "groups.csv", "--mode", "fast"),
    )
    assert outcome.status == 1, outcome.err  # not everything could be looked at
    assert "groups.csv: 1 person of 10 without a group" in outcome.err
    assert "<script>broken.jpg: the bytes are no picture" in outcome.err
    assert "41 pictures of 10 people, 40 with a template" in outcome.out
    assert "left out: FNMR at a false-match rate of 0.001" in outcome.out
    assert f"written: {report}" in outcome.out
    document = json.loads(figures.read_text())
    counts = document["counts"]
    assert (counts["pictures"], counts["people"], counts["with_template"]) == (41, 10, 40)
    assert counts["failures"][0][0] == "Colin_Powell/<script>broken.jpg"
    assert str(tmp_path) not in counts["failures"][0][1]
    verification = document["results"][0]["verification"]
    assert verification["genuine_pairs"] == 10 * 6
    assert verification["points"][0]["fnmr"] is None  # 720 pairs of strangers show no 1e-2
    assert document["results"][0]["identification"]["galleries"][0]["size"] == 7
    assert len(document["results"][0]["groups"]["groups"]) == 2
    page = report.read_text()
    assert "&lt;script&gt;broken.jpg" in page
    assert "<script" not in page
    assert str(tmp_path) not in page
    with sayso.open(os.environ["SAYSO_DATA"]) as app:
        *_, event = [entry.event for entry in app.audit_entries()]
        assert event.kind == "pictures-evaluated"
        assert (event.pictures, event.people) == (41, 10)  # type: ignore[attr-defined]
        assert app.collections() == ()


def test_figures_alone_are_one_document(recognising: Cli, lfw: Path, tmp_path: Path) -> None:
    folder = labelled(tmp_path / "people", lfw, people=2, pictures=2)
    outcome = recognising("evaluate", folder, "--json", "-", "--mode", "fast", "--compare")
    assert outcome.status == 0
    assert outcome.document["provenance"]["folder"] == "people"
    assert outcome.document["provenance"]["mode"] == "fast"


def test_another_folder_is_searched_in(recognising: Cli, lfw: Path, tmp_path: Path) -> None:
    """One picture of each: nothing to verify with, and all that is needed to search."""
    gallery = labelled(tmp_path / "members", lfw, people=6, pictures=3)
    probes = tmp_path / "visitors"
    for name in PEOPLE[3:]:
        (probes / name).mkdir(parents=True)
        source = sorted((lfw / "images" / name).glob("*.jpg"))[3]
        shutil.copy(source, probes / name)
    # Somebody who is enrolled, under a name that is not theirs.
    alias = probes / PEOPLE[9] / "alias.jpg"
    enrolled = min((gallery / PEOPLE[0]).glob("*.jpg"))
    shutil.copy(enrolled, alias)
    report, figures = tmp_path / "out.html", tmp_path / "out.json"
    outcome = recognising(
        *("evaluate", probes, "--gallery", gallery, "--report", report, "--json", figures),
        *("--compare", "--mode", "fast"),
    )
    assert outcome.status == 0, outcome.err
    document = json.loads(figures.read_text())
    counts = document["gallery"]
    assert (counts["folder"], counts["faces"], counts["people"]) == ("members", 18, 6)
    assert (counts["probes"], counts["in_both"]) == (8, 3)
    found = document["results"][0]["open_set"]
    assert found["found"] + len(found["missed"]) == 3
    assert found["found"] >= 2
    assert [(each["probe"], each["enrolled"]) for each in found["named"]] == [
        (f"{PEOPLE[9]}/alias.jpg", f"{PEOPLE[0]}/{enrolled.name}")
    ]
    raw = document["results"][-1]
    assert raw["scorer"] == "raw cosine"
    assert raw["open_set"]["above_strangers"] == 0  # the copy resembles nobody more than itself
    assert f"{found['found']} of 3 people in both folders were found" in outcome.out
    assert "1 time somebody else was named" in outcome.out
    assert "alias.jpg" in report.read_text()
    with sayso.open(os.environ["SAYSO_DATA"]) as app:
        assert app.collections() == ()


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate"],
        ["evaluate", "people"],
        ["evaluate", "people", "--report", "-"],
        ["evaluate", "people", "--report", "same", "--json", "same"],
        ["evaluate", "people", "--report", "a.html", "--mode", "best"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_status_2(cli: Cli, arguments: list[str]) -> None:
    outcome = cli(*arguments)
    assert outcome.status == 2
    assert "Usage: sayso evaluate" in outcome.err


def test_what_cannot_work_is_refused_before_any_work(cli: Cli, tmp_path: Path) -> None:
    """No models are installed here: nothing was looked at."""
    (tmp_path / "one" / "ada").mkdir(parents=True)
    (tmp_path / "one" / "ada" / "1.jpg").touch()
    report = tmp_path / "out.html"
    for folder, told in (("none", "No such file"), ("one", "only one subfolder with pictures")):
        outcome = cli("evaluate", tmp_path / folder, "--report", report)
        assert outcome.status == 1
        assert outcome.err.startswith(f"sayso: {tmp_path / folder}: ")
        assert told in outcome.err
    for other, status, told in (
        ("none", 1, "No such file"),
        ("one", 2, "names FOLDER itself"),
    ):
        outcome = cli(
            *("evaluate", tmp_path / "one", "--gallery", tmp_path / other, "--report", report)
        )
        assert outcome.status == status
        assert told in outcome.err
    outcome = cli("evaluate", tmp_path / "one", "--report", tmp_path / "none" / "out.html")
    assert outcome.status == 1
    assert "there is no folder" in outcome.err
    outcome = cli("evaluate", tmp_path / "one", "--report", tmp_path / "one")
    assert outcome.status == 1
    assert "is a folder: name a file" in outcome.err
    assert not report.exists()
    assert not Path(os.environ["SAYSO_DATA"]).exists()


def test_pictures_without_faces_are_refused_with_an_example(
    recognising: Cli, tmp_path: Path
) -> None:
    for name in ("ada", "bob"):
        (tmp_path / "people" / name).mkdir(parents=True)
        for picture in ("1.jpg", "2.jpg"):
            (tmp_path / "people" / name / picture).write_bytes(b"no picture")
    outcome = recognising("evaluate", tmp_path / "people", "--report", tmp_path / "out.html")
    assert outcome.status == 1
    assert "0 gave a template" in outcome.err
    assert "ada/1.jpg" in outcome.err
    assert not (tmp_path / "out.html").exists()
