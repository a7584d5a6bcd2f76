"""``sayso faces`` and ``sayso compare``, and what all commands do about pictures."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import Cli


@pytest.fixture
def folder(tmp_path: Path, portrait: Path) -> Path:
    """A folder with one good picture, one damaged and one without faces."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    shutil.copy(portrait, folder / "b.png")
    (folder / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    Image.new("RGB", (300, 200), (90, 120, 60)).save(folder / "c.jpg")
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_one_picture_gives_one_object(recognising: Cli, portrait: Path) -> None:
    outcome = recognising("faces", portrait, "--json")
    assert outcome.status == 0
    document = outcome.document
    assert list(document) == ["picture", "width", "height", "notices", "faces"]
    assert (document["picture"], document["width"], document["height"]) == (str(portrait), 512, 512)
    (face,) = document["faces"]
    x1, y1, x2, y2 = face["box"]
    # The astronaut's face lies above the middle, left of it.
    assert 120 < x1 < 200
    assert 250 < x2 < 320
    assert 30 < y1 < 100
    assert 150 < y2 < 220
    assert 0 < face["score"] <= 1
    assert len(face["landmarks"]) == 5
    assert all(x1 < x < x2 and y1 < y < y2 for x, y in face["landmarks"])
    assert 0 < face["quality"]["overall"] <= 100
    assert face["subject"] is face["similarity"] is face["expected_false_matches"] is None


def test_text_is_plain_where_no_terminal_is(recognising: Cli, portrait: Path) -> None:
    outcome = recognising("faces", portrait)
    assert outcome.status == 0
    first, header, row = outcome.out.splitlines()
    assert first == f"{portrait}: 1 face (512 x 512)"
    assert header.split()[:3] == ["box", "height", "score"]
    assert row.strip()
    assert "\x1b" not in outcome.out
    assert outcome.err == ""


def test_a_folder_gives_an_array_and_its_failures_are_told(recognising: Cli, folder: Path) -> None:
    outcome = recognising("faces", folder, "--json")
    assert outcome.status == 1
    assert [Path(each["picture"]).name for each in outcome.document] == ["b.png", "c.jpg"]
    assert [len(each["faces"]) for each in outcome.document] == [1, 0]
    complaint, passed_over = outcome.err.splitlines()
    assert complaint.startswith(f"sayso: {folder / 'a.jpg'}: ")
    assert passed_over.endswith(f"(not a picture that Sayso knows): {folder / 'notes.txt'}")


def test_a_folder_of_one_picture_is_still_an_array(
    recognising: Cli, tmp_path: Path, portrait: Path
) -> None:
    (tmp_path / "one").mkdir()
    shutil.copy(portrait, tmp_path / "one")
    outcome = recognising("faces", tmp_path / "one", "--json")
    assert (outcome.status, len(outcome.document)) == (0, 1)


def test_several_pictures_of_which_none_can_be_used_give_an_empty_array(
    recognising: Cli, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    recognising("collections", "create", "club")
    for pictures in ((tmp_path / "empty",), (tmp_path / "none.jpg", tmp_path / "empty")):
        for command in (["faces"], ["recognize", "club", "--purpose", "door"]):
            outcome = recognising(*command, *pictures, "--json")
            assert (outcome.status, outcome.document) == (1, [])
            assert outcome.err.count("\n") == len(pictures)
            assert recognising(*command, *pictures).out == ""


def test_pictures_that_cannot_be_read_are_one_line_each(
    recognising: Cli, tmp_path: Path, portrait: Path
) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "cut.png").write_bytes(portrait.read_bytes()[:5000])
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.jpg"))
        names = ["pipe.jpg", "empty.jpg", "text.jpg", "cut.png", "socket.jpg", "none.jpg"]
        for name in names:
            outcome = recognising("faces", tmp_path / name, "--json")
            assert outcome.status == 1, name
            assert outcome.out == ""
            assert outcome.err.startswith(f"sayso: {tmp_path / name}: ")
            assert outcome.err.count("\n") == 1
        together = recognising("faces", *(tmp_path / name for name in names), portrait)
    assert together.status == 1
    assert together.err.count("\n") == len(names)
    assert f"{portrait}: 1 face" in together.out


def test_a_picture_over_the_limit_names_the_limit(
    recognising: Cli, portrait: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAYSO_MAX_PICTURE_BYTES", "1000")
    outcome = recognising("faces", portrait)
    assert outcome.status == 1
    assert "the limit is 1,000" in outcome.err
    monkeypatch.setenv("SAYSO_MAX_PICTURE_BYTES", "10000000")
    monkeypatch.setenv("SAYSO_MAX_PICTURE_PIXELS", "262143")
    assert recognising("faces", portrait).status == 1


def test_names_that_would_disturb_a_terminal_are_escaped(
    recognising: Cli, tmp_path: Path, portrait: Path
) -> None:
    odd = tmp_path / "red\x1b[31m\nline.png"
    shutil.copy(portrait, odd)
    outcome = recognising("faces", odd)
    assert outcome.status == 0
    assert r"red\x1b[31m\nline.png: 1 face" in outcome.out
    broken = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png")
    shutil.copy(portrait, broken)
    assert r"\xff.png: 1 face" in recognising("faces", broken).out
    assert recognising("faces", broken, "--json").document["picture"] == broken


def test_annotated_pictures_are_written_beside_the_answer(
    recognising: Cli, tmp_path: Path, portrait: Path, folder: Path
) -> None:
    target = tmp_path / "annotated.png"
    target.write_text("what is there is replaced")
    assert recognising("faces", portrait, "--out", target).status == 0
    with Image.open(target) as annotated, Image.open(portrait) as original:
        assert annotated.size == original.size
        assert annotated.convert("RGB").tobytes() != original.convert("RGB").tobytes()
    several = tmp_path / "annotated"
    assert recognising("faces", folder, portrait, "--out", several).status == 1
    assert sorted(path.name for path in several.iterdir()) == [
        "b.png",
        "c.jpg",
        "eileen_collins_nasa.png",
    ]


def test_an_annotated_picture_never_overwrites_its_source(
    recognising: Cli, folder: Path, tmp_path: Path
) -> None:
    before = (folder / "b.png").read_bytes()
    for arguments in (
        (folder / "b.png", "--out", folder / "b.png"),
        (folder, "--out", folder),
        (folder, "--out", folder / "b.png"),
        (folder / "b.png", "--out", tmp_path / "out.bmp"),
    ):
        assert recognising("faces", *arguments).status == 2
    assert (folder / "b.png").read_bytes() == before


def test_several_pictures_do_not_make_a_folder_named_like_a_picture(
    recognising: Cli, folder: Path, portrait: Path, tmp_path: Path
) -> None:
    for pictures in ((folder,), (portrait, folder / "b.png")):
        outcome = recognising("faces", *pictures, "--out", tmp_path / "two.png")
        assert outcome.status == 2
        assert "named like a picture" in outcome.err
        assert not (tmp_path / "two.png").exists()


def test_an_annotated_picture_that_cannot_be_written_is_told(
    recognising: Cli, portrait: Path, tmp_path: Path
) -> None:
    outcome = recognising("faces", portrait, "--out", tmp_path / "no" / "such" / "folder.png")
    assert outcome.status == 1
    folder = tmp_path / "no" / "such"
    assert outcome.err == (
        f"sayso: {folder / 'folder.png'} cannot be written: there is no folder {folder}\n"
    )
    (tmp_path / "kept.png").mkdir()
    (tmp_path / "kept.png" / portrait.name).mkdir()
    outcome = recognising("faces", portrait, "--out", tmp_path / "kept.png")
    assert outcome.status == 1
    assert "cannot be written: Is a directory" in outcome.err


def test_the_same_face_is_alike_and_another_is_not(
    recognising: Cli, portrait: Path, lfw: Path
) -> None:
    same = recognising("compare", portrait, portrait, "--json").document
    assert same["cosine"] > 0.999
    assert same["similarity"] > 99
    stranger = lfw / "images" / "Abel_Pacheco" / "Abel_Pacheco_0001.jpg"
    other = recognising("compare", portrait, stranger, "--json").document
    assert other["similarity"] < 50
    assert other["false_match_rate"] > same["false_match_rate"]
    assert other["b"]["picture"] == str(stranger)
    text = recognising("compare", portrait, stranger).out
    assert f"similarity {other['similarity']:.1f}" in text


def test_nothing_to_compare_is_a_refusal(recognising: Cli, portrait: Path, folder: Path) -> None:
    outcome = recognising("compare", portrait, folder / "c.jpg")
    assert outcome.status == 1
    assert "face" in outcome.err
    assert outcome.out == ""
    assert recognising("compare", portrait, folder / "none.jpg").status == 1
    for pictures in ((portrait, folder / "a.jpg"), (folder / "a.jpg", portrait)):
        outcome = recognising("compare", *pictures)
        assert outcome.status == 1
        assert outcome.err.startswith(f"sayso: {folder / 'a.jpg'}: ")
