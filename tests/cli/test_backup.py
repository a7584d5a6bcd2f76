from __future__ import annotations

import shutil
from pathlib import Path

from tests.cli.conftest import Cli, on_terminal


def names(cli: Cli) -> list[str]:
    return [each["subject"] for each in cli("subjects", "list", "club", "--json").document]


def add(cli: Cli, name: str) -> None:
    consent = ("--purpose", "door", "--evidence", "form 1")
    assert cli("consents", "add", "club", name, *consent).status == 0


def test_a_backup_brings_back_what_was_and_not_who_was_erased(club: Cli, tmp_path: Path) -> None:
    add(club, "bob")
    file = tmp_path / "club.backup"
    made = club("backup", file, "--json").document
    assert (made["file"], made["subjects"], made["faces"]) == (str(file), 2, 0)
    assert made["bytes"] == file.stat().st_size
    assert made["keyring"] is None
    club("subjects", "erase", "club", "bob")
    add(club, "eve")
    assert names(club) == ["ada", "eve"]
    done = club("restore", file, "--json")
    assert done.status == 0, done.err
    assert done.document == {"file": str(file), "subjects": 1, "faces": 0, "erased": 1}
    assert names(club) == ["ada"]
    assert club("audit", "verify").status == 0
    again = club("restore", file)
    assert again.out == (
        f"restored 1 subject and 0 faces from {file}\n"
        "1 subject did not come back: they were erased, or what they agreed to has ended, since "
        "the backup\n"
    )


def test_a_backup_says_what_is_not_in_it(club: Cli, tmp_path: Path) -> None:
    out = club("backup", tmp_path / "a").out
    assert out.startswith(f"backed up 1 subject and 0 faces to {tmp_path / 'a'} (")
    assert "The keys are not in it" in out
    assert "sayso keyring copy FILE" in out
    assert "sayso keyring show" in out
    (tmp_path / "safe").mkdir()
    copy = tmp_path / "safe" / "keyring.sqlite"
    with_keys = club("backup", tmp_path / "b", "--keyring", copy)
    assert with_keys.status == 0, with_keys.err
    assert copy.exists()
    assert f"in {copy}, which still holds the keys of whoever is erased" in with_keys.out


def test_a_lost_gallery_comes_back_with_its_keyring(club: Cli, tmp_path: Path) -> None:
    file = tmp_path / "club.backup"
    club("backup", file)
    for lost in (tmp_path / "data").glob("gallery.*"):
        lost.unlink()
    assert club("restore", file).out.startswith(f"restored 1 subject and 0 faces from {file}\n")
    (record,) = club("consents", "list", "club", "ada", "--json").document
    assert record["evidence"] == "form 17"


def test_what_is_no_backup_is_refused(club: Cli, tmp_path: Path) -> None:
    file = tmp_path / "club.backup"
    club("backup", file)
    cut = tmp_path / "cut"
    shutil.copy(file, cut)
    cut.write_bytes(cut.read_bytes()[:-1000])
    (tmp_path / "text").write_text("no backup")
    for name in (cut, tmp_path / "text", tmp_path / "none", tmp_path):
        outcome = club("restore", name)
        assert (outcome.status, outcome.out) == (1, ""), name
        assert outcome.err.startswith("sayso: ")
        assert "unexpected" not in outcome.err
    assert names(club) == ["ada"]


def test_a_backup_that_cannot_be_written_is_refused(club: Cli, tmp_path: Path) -> None:
    for target in (tmp_path / "no" / "folder", tmp_path, tmp_path / "data" / "gallery.sqlite"):
        outcome = club("backup", target)
        assert (outcome.status, outcome.out) == (1, ""), target
        assert "unexpected" not in outcome.err
    assert names(club) == ["ada"]


def test_restoring_is_asked_about_and_says_who_goes(club: Cli, tmp_path: Path) -> None:
    file = tmp_path / "club.backup"
    club("backup", file)
    add(club, "eve")
    status, out, err = on_terminal("restore", file, answer="n")
    assert (status, out) == (1, b"")
    said = " ".join(err.split())
    assert "Everybody enrolled since that backup goes away" in said
    assert said.endswith("[y/N]: sayso: nothing was restored")
    assert names(club) == ["ada", "eve"]
    assert on_terminal("restore", file, "--yes", answer="n")[0] == 0
    assert names(club) == ["ada"]
