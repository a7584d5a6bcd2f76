from __future__ import annotations

import json
import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import Cli


def kinds(cli: Cli, *options: str) -> list[str]:
    outcome = cli("audit", "tail", *options, "--json")
    assert outcome.status == 0, outcome.err
    return [each["entry"]["event"] for each in outcome.document]


def tamper(statement: str) -> None:
    database = Path(os.environ["SAYSO_DATA"]) / "gallery.sqlite"
    with closing(sqlite3.connect(database)) as raw, raw:
        raw.execute(statement)


def test_the_tail_has_the_last_entries_with_the_newest_at_the_end(club: Cli) -> None:
    everything = club("audit", "tail", "-n", "100", "--json").document
    numbers = [each["entry"]["number"] for each in everything]
    assert numbers == list(range(1, len(numbers) + 1))
    assert everything[0]["entry"]["event"] == "log-begun"
    assert kinds(club, "-n", "1") == ["audit-read"]
    header, *lines = club("audit", "tail", "-n", "3").out.splitlines()
    assert header.split() == ["number", "time", "actor", "purpose", "event", "what"]
    assert len(lines) == 3
    assert lines[-1].split()[-4:] == ["what", "tail,", "entries", "1"]


def test_the_tail_is_narrowed(club: Cli) -> None:
    club("collections", "create", "other")
    assert kinds(club, "--collection", "other") == ["collection-created"]
    assert kinds(club, "--event", "consent-recorded") == ["consent-recorded"]
    assert kinds(club, "--actor", "nobody") == []
    assert club("audit", "tail", "--actor", "nobody").out == "there is no such entry\n"
    about = ("--collection", "club", "--subject")
    assert kinds(club, *about, "ada") == ["consent-recorded"]
    tombstone = club("subjects", "erase", "club", "ada", "--json").document
    assert kinds(club, *about, tombstone["id"])[-1] == "subject-erased"
    assert club("audit", "tail", *about, "ada").status == 1


def test_no_name_of_a_subject_is_in_the_log(club: Cli) -> None:
    club("subjects", "show", "club", "ada")
    club("subjects", "erase", "club", "ada")
    for outcome in (club("audit", "export"), club("audit", "tail", "-n", "100")):
        assert outcome.status == 0
        assert not re.search(r"\bada\b", outcome.out)
        assert "form 17" not in outcome.out


def test_a_sound_log_verifies(club: Cli) -> None:
    outcome = club("audit", "verify")
    assert (outcome.status, outcome.err) == (0, "")
    first, note = outcome.out.splitlines()
    assert first.startswith("the log is whole: ")
    assert "only against a saved head" in note
    document = club("audit", "verify", "--json").document
    assert document["ok"] is True
    assert document["problems"] == []
    assert document["head"]["number"] == document["entries"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'user:eve' WHERE number = 3",
        "DELETE FROM audit WHERE number = 3",
        "UPDATE audit SET body = replace(body, 'club', 'clab') WHERE number = 3",
        "DELETE FROM audit_subjects",
    ],
)
def test_a_log_that_was_changed_is_told_entry_by_entry(club: Cli, statement: str) -> None:
    tamper(statement)
    outcome = club("audit", "verify", "--json")
    assert outcome.status == 1
    assert outcome.document["ok"] is False
    problems = outcome.document["problems"]
    assert problems
    told = [
        f"sayso: entry {each['number']}: {each['what']}"
        if each["number"]
        else f"sayso: {each['what']}"
        for each in problems
    ]
    assert outcome.err.splitlines() == told
    text = club("audit", "verify")
    assert text.status == 1
    assert text.out.startswith("the log is not what was written: ")


def test_a_head_finds_that_the_end_was_cut_off(club: Cli, tmp_path: Path) -> None:
    head = tmp_path / "head.json"
    told = club("audit", "head", head)
    assert told.status == 0
    saved = json.loads(head.read_text())
    assert saved["sayso-audit-head"] == 1
    assert told.out.startswith(f"wrote the head of the log, entry {saved['number']}, to {head}\n")
    sound = club("audit", "verify", "--head", head)
    assert (sound.status, sound.err) == (0, "")
    assert "only against a saved head" not in sound.out
    keep = saved["number"] - 2
    tamper(f"DELETE FROM audit WHERE number > {keep}")
    tamper(f"DELETE FROM audit_subjects WHERE number > {keep}")
    tamper(
        f"UPDATE state SET events = {keep}, head = (SELECT hash FROM audit WHERE number = {keep})"
    )
    cut = club("audit", "verify", "--head", head)
    assert cut.status == 1
    assert f"entry {saved['number']}, of the saved head, is not there" in cut.err


def test_a_head_is_printed_where_no_file_is_named(club: Cli, tmp_path: Path) -> None:
    printed = club("audit", "head")
    assert json.loads(printed.out)["sayso-audit-head"] == 1
    assert club("audit", "head", "--json").document["number"] > json.loads(printed.out)["number"]
    both = club("audit", "head", tmp_path / "head.json", "--json")
    assert both.document == json.loads((tmp_path / "head.json").read_text())


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"sayso-audit-head": 2}', "\xff"])
def test_a_file_that_is_no_head_is_refused(club: Cli, tmp_path: Path, content: str) -> None:
    head = tmp_path / "head.json"
    head.write_bytes(content.encode("latin-1"))
    outcome = club("audit", "verify", "--head", head)
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err.startswith(f"sayso: {head}")
    assert outcome.err.count("\n") == 1


def test_an_export_is_verified_without_any_gallery(
    club: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export, head = tmp_path / "log.jsonl", tmp_path / "head.json"
    club("audit", "head", head)
    number = club("audit", "export", export, "--json").document["entries"]
    assert export.stat().st_mode & 0o777 == 0o600
    lines = export.read_text().splitlines()
    assert len(lines) == number
    assert [json.loads(line)["entry"]["number"] for line in lines] == [*range(1, number + 1)]
    monkeypatch.setenv("SAYSO_DATA", str(tmp_path / "nowhere"))
    outcome = club("audit", "verify", "--export", export)
    assert (outcome.status, outcome.err) == (0, "")
    assert "checked with the public key that the first entry names" in outcome.out
    assert club("audit", "verify", "--export", export, "--head", head).status == 0
    assert not (tmp_path / "nowhere").exists()
    export.write_text("\n".join(lines[:3] + lines[4:]) + "\n")
    changed = club("audit", "verify", "--export", export, "--json")
    assert changed.status == 1
    assert changed.document["problems"]
    assert "missing before it: 4" in changed.err
    export.write_bytes("\n".join(lines).encode()[:-1] + b"\xff\n")
    assert club("audit", "verify", "--export", export).status == 1


def test_an_export_goes_to_standard_output_and_is_read_from_standard_input(
    club: Cli, shell: Cli, tmp_path: Path
) -> None:
    plain = club("audit", "export")
    explicit = club("audit", "export", "-")
    assert explicit.out.startswith(plain.out)
    later = club("audit", "export", "--after", "4").out.splitlines()
    assert json.loads(later[0])["entry"]["number"] == 5
    (tmp_path / "log").write_text(plain.out)
    with (tmp_path / "log").open() as lines:
        done = shell("audit", "verify", "--export", "-", stdin=lines)
    assert done.status == 0, done.err


def test_an_export_that_is_not_there_is_a_refusal(club: Cli, tmp_path: Path) -> None:
    outcome = club("audit", "verify", "--export", tmp_path / "none")
    assert outcome.status == 1
    assert outcome.err == f"sayso: {tmp_path / 'none'} cannot be read: No such file or directory\n"


def test_an_export_takes_no_place_but_that_of_a_file(club: Cli, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for target, said in (
        (tmp_path, "is a folder"),
        (tmp_path / "pipe", "is no regular file"),
        (tmp_path / "no" / "such" / "folder", "cannot be written: No such file or directory"),
    ):
        for command in ("export", "head"):
            outcome = club("audit", command, target)
            assert outcome.status == 1
            assert said in outcome.err
    assert not list(tmp_path.glob(".tmp-*"))


def test_a_part_of_a_log_is_checked_with_the_public_key(club: Cli, tmp_path: Path) -> None:
    part = tmp_path / "part.jsonl"
    assert club("audit", "export", str(part), "--after", "2").status == 0
    outcome = club("audit", "verify", "--export", str(part))
    assert outcome.status == 1
    assert outcome.out.startswith("the log cannot be checked: ")
    key = club("audit", "head", "--json").document["public_key"]
    whole = club("audit", "verify", "--export", str(part), "--public-key", key)
    assert (whole.status, whole.err) == (0, "")
    forged = club("audit", "verify", "--export", str(part), "--public-key", "00" * 32)
    assert forged.status == 1
    assert "is not what was written" in forged.out
    assert club("audit", "verify", "--export", str(part), "--public-key", "x").status == 2
