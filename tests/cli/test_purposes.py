from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Cli, on_terminal

NOTICE = "We open the door for you.\nNothing else is done with your face."


def test_a_purpose_is_declared_with_its_rule_and_listed(cli: Cli, tmp_path: Path) -> None:
    cli("collections", "create", "club")
    assert cli("purposes", "list", "club").out == (
        "collection club has no purpose yet; the first consent declares its own\n"
    )
    notice = tmp_path / "notice.txt"
    notice.write_text(f"{NOTICE}\n", encoding="utf-8")
    made = cli(
        *("purposes", "declare", "club", "door", "--notice", notice),
        *("--max-days", "365", "--idle-days", "90", "--json"),
    ).document
    assert made["purpose"] == "door"
    assert made["notice"] == NOTICE  # what the file says, not what it is called
    assert (made["notice_version"], made["max_days"], made["idle_days"]) == (1, 365, 90)
    assert made["by_default"] is False
    assert made["met"] is None
    assert cli("purposes", "list", "club", "--json").document == [made]
    out = cli("purposes", "list", "club").out
    assert out.splitlines()[1].split()[:4] == ["door", "365", "90", "1"]
    assert "\ndoor, version 1 of its notice:\n  We open the door for you.\n  Nothing else" in out


def test_another_notice_is_another_version(cli: Cli) -> None:
    cli("collections", "create", "club")
    declare = ("purposes", "declare", "club", "door", "--notice")
    assert cli(*declare, "Some words.").out == (
        "declared purpose door of collection club; its notice is version 1\n"
        "a consent to it ends: 1,095 days after the last contact\n"
    )
    out = cli(*declare, "Other words.", "--max-days", "1").out
    assert "its notice is version 2" in out
    assert "1 day after it was given, or 1,095 days after the last contact" in out


def test_once_declared_other_purposes_are_refused(cli: Cli) -> None:
    cli("collections", "create", "club")
    cli("purposes", "declare", "club", "door", "--notice", NOTICE)
    outcome = cli("consents", "add", "club", "ada", "--purpose", "dor", "--evidence", "form 1")
    assert outcome.status == 1
    assert "'dor' is no purpose of collection 'club' (those declared: door)" in outcome.err


@pytest.mark.parametrize(
    "options",
    [
        ["--notice", " "],
        ["--notice", "x" * 10_001],
        ["--notice", "words", "--idle-days", "1096"],
        ["--notice", "words", "--idle-days", "0"],
        ["--notice", "words", "--max-days", "0"],
    ],
    ids=lambda options: " ".join(options)[:40],
)
def test_a_rule_or_notice_that_cannot_be_is_refused(cli: Cli, options: list[str]) -> None:
    cli("collections", "create", "club")
    outcome = cli("purposes", "declare", "club", "door", *options)
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err.startswith("sayso: ")
    assert cli("purposes", "list", "club", "--json").document == []


def test_a_notice_that_is_no_text_is_refused(cli: Cli, tmp_path: Path) -> None:
    cli("collections", "create", "club")
    scan = tmp_path / "notice.txt"
    scan.write_bytes(b"\xff\xfe\x00")
    outcome = cli("purposes", "declare", "club", "door", "--notice", scan)
    assert outcome.status == 1
    assert outcome.err == f"sayso: {scan} is not a text in UTF-8\n"


def test_a_purpose_that_is_met_ends_consents_and_erases(club: Cli) -> None:
    club("consents", "add", "club", "bob", "--purpose", "door", "--evidence", "form 2")
    done = club("purposes", "met", "club", "door", "--json").document
    assert (done["collection"], done["purpose"]) == ("club", "door")
    assert [each["reason"] for each in done["erased"]] == ["expired"]
    (ada,) = club("subjects", "list", "club", "--json").document
    assert (ada["subject"], ada["purposes"]) == ("ada", ["photo-delivery"])
    assert "door (ended)" in club("consents", "list", "club", "ada").out
    met = {
        each["purpose"]: each["met"] for each in club("purposes", "list", "club", "--json").document
    }
    assert met["door"]
    assert met["photo-delivery"] is None
    out = club("purposes", "met", "club", "photo-delivery").out
    assert out == "photo-delivery is met: every consent to it has ended; 1 subject erased\n"
    assert club("purposes", "met", "club", "nothing").status == 1


def test_saying_no_leaves_the_purpose_open(club: Cli) -> None:
    status, out, err = on_terminal("purposes", "met", "club", "door", answer="n")
    assert (status, out) == (1, b"")
    assert err.rstrip().endswith("[y/N]: sayso: nothing was changed")
    assert all(each["met"] is None for each in club("purposes", "list", "club", "--json").document)
