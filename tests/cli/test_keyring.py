from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Cli


def raw_key(file: Path) -> str:
    return file.read_text().split()[-1]


def test_the_keyring_is_shown_without_any_key(club: Cli, tmp_path: Path) -> None:
    key = tmp_path / "data" / "master.key"
    shown = club("keyring", "show", "--json")
    assert shown.document["subjects"] == 1
    assert shown.document["key_file"] == str(key)
    assert shown.document["fingerprint"] in key.read_text()
    out = club("keyring", "show").out
    assert out == (
        f"master key {shown.document['fingerprint']}, in {key}\nit wraps the keys of 1 subject\n"
    )
    assert raw_key(key) not in out + shown.out


def test_rotating_leaves_a_gallery_that_opens(club: Cli, tmp_path: Path) -> None:
    key = tmp_path / "data" / "master.key"
    before = raw_key(key)
    rotated = club("keyring", "rotate", "--json").document
    assert raw_key(key) != before
    assert club("keyring", "show", "--json").document["fingerprint"] == rotated["fingerprint"]
    assert "Keep a copy of its file" in club("keyring", "rotate").out
    (record,) = club("consents", "list", "club", "ada", "--json").document
    assert record["evidence"] == "form 17"


def test_rotating_to_another_file_needs_it_from_then_on(
    club: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = tmp_path / "stick.key"
    outcome = club("keyring", "rotate", "--to", to)
    assert outcome.status == 0
    assert f"It is in {to}: set SAYSO_KEY_FILE to that file" in outcome.out
    assert to.stat().st_mode & 0o777 == 0o600
    assert club("subjects", "list", "club").status == 1
    monkeypatch.setenv("SAYSO_KEY_FILE", str(to))
    assert club("subjects", "list", "club").status == 0
    assert club("keyring", "rotate", "--to", to).status == 1  # it is the one in use


def test_a_copy_of_the_keyring_opens_the_gallery(
    club: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = tmp_path / "away"
    away.mkdir()
    copied = club("keyring", "copy", away / "keyring.sqlite", "--json").document
    assert copied["subjects"] == 1
    assert (away / "keyring.sqlite").stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("SAYSO_KEYRING_DIR", str(away))
    monkeypatch.setenv("SAYSO_KEY_FILE", str(tmp_path / "data" / "master.key"))
    (tmp_path / "data" / "keyring.sqlite").unlink()
    (record,) = club("consents", "list", "club", "ada", "--json").document
    assert record["evidence"] == "form 17"


def test_a_copy_says_what_it_still_opens(club: Cli, tmp_path: Path) -> None:
    outcome = club("keyring", "copy", tmp_path / "copy")
    assert outcome.out.startswith(f"copied the keyring to {tmp_path / 'copy'}: the keys of 1 subj")
    assert "the keys of whoever is erased after now" in outcome.out
    assert club("keyring", "copy", tmp_path / "no" / "such" / "folder").status == 1
    assert club("keyring", "copy", tmp_path / "data" / "keyring.sqlite").status == 1
