"""What a command did by itself: told once, on standard error."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Cli

CONSENT = ("--purpose", "door", "--evidence", "form 1")


def test_the_master_key_is_explained_when_it_is_made_and_only_then(
    cli: Cli, tmp_path: Path
) -> None:
    first = cli("collections", "create", "club", "--json")
    key = tmp_path / "data" / "master.key"
    assert key.exists()
    assert first.document["collection"] == "club"
    (told,) = first.err.splitlines()
    assert told.startswith(f"sayso: a master key was made, {key}: whoever loses that file loses ")
    assert "apart from the gallery" in told
    assert key.read_text().splitlines()[-1].split()[-1] not in first.err
    assert cli("collections", "create", "other").err == ""


def test_the_key_is_where_the_user_said(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SAYSO_KEY_FILE", "stick/my.key")
    (tmp_path / "stick").mkdir()
    assert "a master key was made, stick/my.key: " in cli("collections", "create", "c").err
    assert (tmp_path / "stick" / "my.key").exists()
    monkeypatch.setenv("SAYSO_DATA", "other")
    monkeypatch.delenv("SAYSO_KEY_FILE")
    monkeypatch.setenv("SAYSO_KEYRING_DIR", "keys")
    assert "a master key was made, keys/master.key: " in cli("collections", "create", "c").err


def test_a_folder_that_nobody_named_is_not_told(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SAYSO_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    err = cli("collections", "create", "c").err
    assert "a master key was made, master.key in your data folder: " in err
    assert str(tmp_path) not in err
    assert list((tmp_path / "home").rglob("master.key"))


def test_a_key_that_was_there_is_not_said_to_be_made(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("collections", "create", "c")
    monkeypatch.setenv("SAYSO_KEY_FILE", str(tmp_path / "data" / "master.key"))
    monkeypatch.setenv("SAYSO_DATA", str(tmp_path / "second"))
    assert cli("collections", "create", "c").err == ""


def test_a_purpose_that_nobody_declared_is_told_once(cli: Cli) -> None:
    cli("collections", "create", "club")
    first = cli("consents", "add", "club", "ada", *CONSENT, "--json")
    assert first.document["subject"] == "ada"
    assert first.err == (
        "sayso: purpose door was declared with a notice and a rule of ours (at most three years "
        "after the last contact): sayso purposes list club shows it, sayso purposes declare "
        "changes it\n"
    )
    assert cli("consents", "add", "club", "bob", *CONSENT).err == ""
    both = cli("consents", "add", "club", "eve", *CONSENT, "--purpose", "b", "--purpose", "a").err
    assert both.startswith("sayso: purposes a, b were declared ")


def test_a_purpose_that_somebody_declared_is_not_told(cli: Cli) -> None:
    cli("collections", "create", "club")
    cli("purposes", "declare", "club", "door", "--notice", "We open the door for you.")
    assert cli("consents", "add", "club", "ada", *CONSENT).err == ""


def test_what_was_refused_declared_nothing(cli: Cli) -> None:
    cli("collections", "create", "club")
    refused = cli("consents", "add", "club", "ada", *CONSENT, "--until", "2020-01-01")
    assert refused.status == 1
    assert "declared" not in refused.err
    assert cli("purposes", "list", "club", "--json").document == []
