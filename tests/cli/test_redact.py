"""``sayso redact``: whose face is left, what is written where, and what is never overwritten."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sayso.core import Sayso
from sayso.redacted import Redacted
from sayso.redaction.types import STYLES
from tests.cli.conftest import Cli, Outcome

#: Two people with several pictures, who agree, and four with one.
WILLING = ("Abdoulaye_Wade", "Adam_Sandler")
OTHERS = ("Abel_Pacheco", "Aaron_Peirsol", "Abdel_Nasser_Assidi", "Aaron_Guiel")
_LEFT, _RIGHT, _SIDE = 40, 210, 170
ASKED = ("--collection", "club", "--purpose", "photo-delivery")


def portrait_of(lfw: Path, name: str, number: int = 1) -> Path:
    return lfw / "images" / name / f"{name}_{number:04}.jpg"


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory, lfw: Path) -> Path:
    """A photograph of six people, in the order of their names, three by two."""
    picture = Image.new("RGB", (3 * _SIDE, 2 * _SIDE))
    for place, name in enumerate(sorted((*WILLING, *OTHERS))):
        with Image.open(portrait_of(lfw, name)) as each:
            part = each.crop((_LEFT, _LEFT, _RIGHT, _RIGHT))
        picture.paste(part, (place % 3 * _SIDE, place // 3 * _SIDE))
    path = tmp_path_factory.mktemp("group") / "group.jpg"
    exif = Image.Exif()
    exif[0x010E] = "the garden of Aaron"
    picture.save(path, quality=95, exif=exif)
    return path


@pytest.fixture
def club(recognising: Cli, lfw: Path) -> Cli:
    """The command line, with those who agree enrolled from other pictures."""
    assert recognising("collections", "create", "club").status == 0
    for name in WILLING:
        done = recognising(
            *("enroll", "club", name, portrait_of(lfw, name, 2), portrait_of(lfw, name, 3)),
            *("--purpose", "photo-delivery", "--evidence", "form 17"),
        )
        assert done.status == 0, done.err
    return recognising


def redact(cli: Cli, *arguments: str | Path) -> Outcome:
    return cli("redact", *arguments, *ASKED)


def middles(document: dict[str, Any], *, covered: bool) -> set[str]:
    """Return those of the group in whose place a face was covered, or kept."""
    people, found = sorted((*WILLING, *OTHERS)), set()
    for face in document["faces"]:
        x1, y1, x2, y2 = face["box"]
        at = int((x1 + x2) / 2 // _SIDE) + 3 * int((y1 + y2) / 2 // _SIDE)
        away = abs((x1 + x2) / 2 % _SIDE - _SIDE / 2) + abs((y1 + y2) / 2 % _SIDE - _SIDE / 2)
        if face["covered"] == covered and away < _SIDE / 3:
            found.add(people[at])
    return found


def test_exactly_those_who_agreed_are_left(club: Cli, group: Path, tmp_path: Path) -> None:
    before = group.read_bytes()
    outcome = redact(club, group, tmp_path / "out.jpg")
    assert outcome.status == 0, outcome.err
    manifest = json.loads((tmp_path / "out.jpg.json").read_text())
    assert middles(manifest, covered=False) == set(WILLING)
    assert middles(manifest, covered=True) >= set(OTHERS)
    kept = {face["subject"] for face in manifest["faces"] if not face["covered"]}
    assert kept == set(WILLING)
    assert not [face for face in manifest["faces"] if face["covered"] and face["subject"]]
    assert outcome.out == (
        f"{group} -> {tmp_path / 'out.jpg'}: {len(manifest['faces'])} faces, "
        f"{manifest['covered']} covered, 2 kept\n"
    )
    assert (manifest["picture"], manifest["file"]) == ("group.jpg", "out.jpg")
    assert (tmp_path / "out.jpg.json").stat().st_mode & 0o777 == 0o600

    with Image.open(tmp_path / "out.jpg") as copy:
        assert copy.getexif() == {}
        assert b"garden" not in (tmp_path / "out.jpg").read_bytes()
        after = np.asarray(copy.convert("RGB")).astype(int)
    with Image.open(group) as original:
        changed = abs(np.asarray(original).astype(int) - after).max(axis=2) > 48
    for face in manifest["faces"]:
        if face["score"] > 0.5:
            x1, y1, x2, y2 = (round(side) for side in face["box"])
            share = float(changed[y1:y2, x1:x2].mean())
            assert (share > 0.4) is face["covered"], face
    assert group.read_bytes() == before


def test_nobody_of_another_purpose_is_left(club: Cli, group: Path, tmp_path: Path) -> None:
    outcome = club(
        *("redact", group, tmp_path / "out.png", "--collection", "club", "--purpose", "door"),
        *("--json", "--manifest", tmp_path / "why.json"),
    )
    assert outcome.status == 0
    assert outcome.document["kept"] == 0
    assert outcome.document == json.loads((tmp_path / "why.json").read_text())
    assert not (tmp_path / "out.png.json").exists()
    assert "nobody in club has agreed to door" in outcome.err


def test_a_second_look(club: Cli, group: Path, tmp_path: Path) -> None:
    first = redact(club, group, tmp_path / "first.jpg", "--json").document
    (kept, *_) = [face["box"] for face in first["faces"] if not face["covered"]]
    (hidden, *_) = [face["box"] for face in first["faces"] if face["covered"]]
    hands = [",".join(map(str, box)) for box in (kept, hidden)]
    again = redact(
        *(club, group, tmp_path / "second.jpg", "--json"),
        *("--cover", hands[0], "--uncover", hands[1], "--cover", "0,0,20,20"),
    )
    assert again.status == 0, again.err
    covered = {tuple(face["box"]): face["covered"] for face in again.document["faces"]}
    assert covered[tuple(kept)]
    assert not covered[tuple(hidden)]
    assert covered[0, 0, 20, 20]
    told = club("audit", "tail", "-n", "2").out
    assert "uncovered by hand " + ",".join(str(round(side)) for side in hidden) in told
    refused = redact(club, group, tmp_path / "third.jpg", "--uncover", "0,0,5,5")
    assert refused.status == 1
    assert "no face was found at 0,0,5,5" in refused.err
    assert not (tmp_path / "third.jpg").exists()


def test_a_folder_goes_on_after_a_picture_that_fails(
    club: Cli, group: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    Image.new("RGB", (300, 200), (90, 120, 60)).save(folder / "b.gif")
    with Image.open(group) as picture:
        picture.crop((0, 0, 2 * _SIDE, _SIDE)).save(folder / "c.png")
    outcome = redact(club, folder, tmp_path / "out")
    assert outcome.status == 1
    # The manifest names people: it is not among what is to be published.
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["b.jpg", "c.png"]
    assert f"{folder / 'b.gif'} becomes b.jpg: .gif cannot be written" in outcome.err
    assert f"sayso: {folder / 'a.jpg'}: " in outcome.err
    manifest = json.loads((tmp_path / "out.json").read_text())
    assert [each["picture"] for each in manifest] == ["b.gif", "c.png"]
    faces = len(manifest[1]["faces"])
    covered, kept = manifest[1]["covered"], manifest[1]["kept"]
    assert outcome.out.splitlines()[-1] == (
        f"2 pictures: {faces} faces, {covered} covered, {kept} kept"
    )


def test_the_manifest_tells_of_what_was_done_before_it_went_wrong(
    recognising: Cli, tmp_path: Path
) -> None:
    assert recognising("collections", "create", "club").status == 0
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        Image.new("RGB", (64, 64)).save(folder / name)
    (tmp_path / "out" / "b.png").mkdir(parents=True)
    outcome = redact(recognising, folder, tmp_path / "out", "--force")
    assert outcome.status == 1
    assert f"{tmp_path / 'out' / 'b.png'} cannot be written" in outcome.err
    manifest = json.loads((tmp_path / "out.json").read_text())
    assert [each["file"] for each in manifest] == ["a.png"]


def test_what_comes_while_the_job_runs_is_not_replaced(
    recognising: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert recognising("collections", "create", "club").status == 0
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    whole, somebodys = Sayso.redact, tmp_path / "out.png"

    def meanwhile(*arguments: Any, **options: Any) -> Redacted:
        redacted = whole(*arguments, **options)
        somebodys.write_text("mine")
        return redacted

    monkeypatch.setattr(Sayso, "redact", meanwhile)
    outcome = redact(recognising, tmp_path / "a.png", somebodys)
    assert outcome.status == 1
    assert f"{somebodys} is there already: name another, or use --force" in outcome.err
    assert somebodys.read_text() == "mine"
    somebodys = tmp_path / "new.png.json"
    outcome = redact(recognising, tmp_path / "a.png", tmp_path / "new.png")
    assert outcome.status == 1
    assert f"{somebodys} cannot be written: File exists" in outcome.err
    assert somebodys.read_text() == "mine"
    assert not list(tmp_path.glob(".tmp-*"))


def test_the_copy_of_an_earlier_run_is_named(recognising: Cli, tmp_path: Path) -> None:
    assert recognising("collections", "create", "club").status == 0
    folder, out = tmp_path / "pictures", tmp_path / "out"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        Image.new("RGB", (64, 64)).save(folder / name)
    assert redact(recognising, folder, out).status == 0
    (folder / "a.png").write_bytes(b"no picture any more")
    again = redact(recognising, folder, out, "--force")
    assert again.status == 1
    assert again.err.count("the copy of an earlier run is still there") == 1
    assert f"{out / 'a.png'}: the copy of an earlier run is still there" in again.err
    (out / "a.png").unlink()
    assert "earlier run" not in redact(recognising, folder, out, "--force").err


def test_a_picture_that_cannot_be_read_leaves_nothing(recognising: Cli, tmp_path: Path) -> None:
    assert recognising("collections", "create", "club").status == 0
    (tmp_path / "a.png").write_bytes(b"no picture")
    outcome = redact(recognising, tmp_path / "a.png", tmp_path / "out.png", "--json")
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err.startswith(f"sayso: {tmp_path / 'a.png'}: ")
    assert not (tmp_path / "out.png").exists()
    assert not (tmp_path / "out.png.json").exists()


# --- without models: what is refused before anything is looked at --------------------------------


@pytest.fixture
def desk(cli: Cli, tmp_path: Path) -> Cli:
    """The command line with a collection, and two pictures: ``a.png`` and ``b.png``."""
    assert cli("collections", "create", "club").status == 0
    for name in ("a.png", "b.png"):
        Image.new("RGB", (64, 64)).save(tmp_path / name)
    return cli


@pytest.mark.parametrize("how", ["same", "symlink", "hardlink", "dots"])
def test_a_picture_is_never_overwritten(desk: Cli, tmp_path: Path, how: str) -> None:
    picture, target = tmp_path / "a.png", tmp_path / "link.png"
    if how == "symlink":
        target.symlink_to(picture)
    elif how == "hardlink":
        os.link(picture, target)
    elif how == "dots":
        (tmp_path / "folder").mkdir()
        target = tmp_path / "folder" / ".." / "a.png"
    else:
        target = picture
    before = picture.read_bytes()
    for arguments in ((target,), (tmp_path / "new.png", "--manifest", target)):
        outcome = redact(desk, picture, *arguments, "--force")
        assert outcome.status == 2
        assert "is one of the pictures, and would be overwritten" in outcome.err
    assert picture.read_bytes() == before
    assert not (tmp_path / "new.png").exists()


def test_what_is_there_is_replaced_by_force_only(desk: Cli, tmp_path: Path) -> None:
    (tmp_path / "out.png").write_text("mine")
    outcome = redact(desk, tmp_path / "a.png", tmp_path / "out.png")
    assert outcome.status == 1
    assert f"{tmp_path / 'out.png'} is there already: name another, or use --force" in outcome.err
    (tmp_path / "out.png").rename(tmp_path / "new.png.json")
    outcome = redact(desk, tmp_path / "a.png", tmp_path / "new.png")
    assert outcome.status == 1
    assert "new.png.json is there already" in outcome.err
    assert (tmp_path / "new.png.json").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.png", "out.heic"], "out.heic must end in one of .jpg"),
        (["a.png", ""], "the name is empty"),
        (["a.png", "b.png", "out.png"], "out.png is named like a picture; several pictures"),
        (["a.png", "b.png", "out", "--cover", "1,2,3,4"], "for one picture at a time"),
        (["a.png", "out.png", "--cover", "1,2,3"], "1,2,3 is no box; give x1,y1,x2,y2"),
        (["a.png", "out.png", "--uncover", "1,2,3,x"], "1,2,3,x is no box"),
        (["a.png", "out.png", "--manifest", "out.png"], "out.png is where a copy goes"),
        (["a.png", "out.png", "--manifest", "./OUT.png"], "OUT.png is where a copy goes"),
        (["a.png", "out.png", "--manifest", "x/../out.png"], "x/../out.png is where a copy goes"),
        (["a.png", "o\u0308.png", "--manifest", "\u00f6.png"], "\u00f6.png is where a copy goes"),
        (
            ["a.png", "b.png", "o", "--manifest", "o/../o/b.png"],
            "o/../o/b.png is where a copy goes",
        ),
        (["a.png", "b.png", "/"], "say with --manifest where the manifest goes, not into /"),
        (["a.png", "out.png", "--style", "blur"], "'blur' is not one of"),
    ],
)
def test_wrong_usage_is_told(
    desk: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = redact(desk, *arguments)
    assert outcome.status == 2
    assert message in " ".join(outcome.err.split())


def test_a_manifest_is_known_by_its_whole_path_too(
    desk: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").symlink_to(tmp_path)
    for manifest in (tmp_path / "out.png", tmp_path / "here" / "out.png"):
        outcome = redact(desk, "a.png", "out.png", "--manifest", manifest, "--force")
        assert outcome.status == 2
        assert "is where a copy goes" in " ".join(outcome.err.split())


def test_the_manifest_of_a_folder_is_beside_it_whatever_it_is_called(
    desk: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (tmp_path / "out.json").write_text("mine")
    for inside, name in ((tmp_path, "out"), (folder, "."), (folder, "../out/")):
        monkeypatch.chdir(inside)
        for pictures in ([tmp_path / "a.png"], [tmp_path / "a.png", tmp_path / "b.png"]):
            outcome = redact(desk, *pictures, name)
            assert outcome.status == 1
            assert "out.json is there already" in outcome.err
    assert not list(folder.iterdir())


def test_refusals_come_before_anything_is_written(desk: Cli, tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    outcome = desk(
        *("redact", picture, tmp_path / "out.png", "--collection", "team", "--purpose", "p")
    )
    assert outcome.status == 1
    assert "team" in outcome.err
    outcome = redact(desk, picture, tmp_path / "nowhere" / "out.png")
    assert outcome.status == 1
    assert "there is no folder" in outcome.err
    assert not (tmp_path / "out.png").exists()


def test_every_style_is_offered(cli: Cli) -> None:
    assert f"[{'|'.join(STYLES)}]" in cli("redact", "--help").out


def test_the_folder_of_the_pictures_is_no_place_for_copies(desk: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    shutil.copy(tmp_path / "a.png", folder)
    outcome = redact(desk, folder, folder, "--force")
    assert outcome.status == 2
    assert "is one of the pictures" in outcome.err
