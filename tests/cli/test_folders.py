"""Folders on the command line: nothing is left out in silence, and one picture costs no other."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import Cli
from tests.test_folders import APPLE_DOUBLE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A picture by its content, one in a subfolder, one that is damaged, and what Macs add."""
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    file = io.BytesIO()
    Image.new("RGB", (64, 64)).save(file, "JPEG")
    (folder / "a.jfif").write_bytes(file.getvalue())
    Image.new("RGB", (32, 64)).save(folder / "more" / "b.png")
    (folder / "damaged.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    (folder / "._a.jfif").write_bytes(APPLE_DOUBLE)
    (folder / "note\nsayso: all is well\x1b[2J").write_text("no picture")
    return folder


def test_all_that_is_left_out_is_named_with_its_reason(recognising: Cli, folder: Path) -> None:
    outcome = recognising("faces", folder, "--json")
    assert outcome.status == 1
    assert [Path(each["picture"]).name for each in outcome.document] == ["a.jfif"]
    told = outcome.err.splitlines()
    note = f"{folder}/note\\nsayso: all is well\\x1b[2J"
    assert told[0].startswith(f"sayso: {folder / 'damaged.jpg'}: ")
    assert told[1:] == [
        f"sayso: passed over 1 (AppleDouble, what a Mac keeps beside a file): {folder}/._a.jfif",
        f"sayso: passed over 1 (a subfolder, entered with --recursive only): {folder}/more",
        f"sayso: passed over 1 (not a picture that Sayso knows): {note}",
    ]


def test_lines_say_it_for_programs(recognising: Cli, folder: Path) -> None:
    outcome = recognising("faces", folder, "--recursive", "--jsonl", "-")
    lines = [json.loads(line) for line in outcome.out.splitlines()]
    done = {Path(each["picture"]).name: each for each in lines if "picture" in each}
    assert set(done) == {"a.jfif", "b.png", "damaged.jpg"}
    assert "damaged" in done["damaged.jpg"]["error"]
    passed_over = {Path(each["passed_over"]).name: each["reason"] for each in lines[3:5]}
    assert passed_over["._a.jfif"] == "apple-double"
    assert lines[-1] == {"done": 2, "failed": 1, "passed_over": 2}


def test_redaction_copies_what_is_below_and_not_its_own_copies(
    recognising: Cli, folder: Path
) -> None:
    assert recognising("collections", "create", "club").status == 0
    (folder / "damaged.jpg").unlink()
    asked = ("--collection", "club", "--purpose", "website", "--recursive")
    out = folder / "out"
    manifest = folder.parent / "out.json"
    for force in ((), ("--force",)):
        outcome = recognising("redact", folder, out, *asked, "--manifest", manifest, *force)
        assert outcome.status == 0, outcome.err
        assert sorted(path.name for path in out.iterdir()) == ["a.jpg", "b.png"]
    assert "where the copies go" in outcome.err


def test_enrolment_says_what_it_passed_over(recognising: Cli, folder: Path, portrait: Path) -> None:
    assert recognising("collections", "create", "club").status == 0
    (folder / "a.jfif").unlink()
    shutil.copy(portrait, folder / "more" / "b.png")
    consent = ("--purpose", "website", "--evidence", "form 17")
    outcome = recognising("enroll", "club", "ada", folder, "--recursive", "--json", *consent)
    assert outcome.status == 1
    assert outcome.document["enrolled"] == 1
    reasons = {Path(each["path"]).name: each["reason"] for each in outcome.document["passed_over"]}
    assert reasons["._a.jfif"] == "apple-double"
    assert "passed over 1 (AppleDouble" in outcome.err
