"""Upkeep of the gallery: collections, subjects and consents; no picture is looked at."""

from __future__ import annotations

import hashlib
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import sayso
from tests.cli.conftest import Cli, iso, on_terminal


def test_collections_are_made_listed_shown_and_deleted(cli: Cli) -> None:
    missing = cli("collections", "list")
    assert (missing.status, missing.out) == (1, "")
    assert "there is no gallery in" in missing.err  # a mistyped folder is not an empty gallery
    sayso.open(os.environ["SAYSO_DATA"]).close()
    assert cli("collections", "list", "--json").document == []
    assert cli("collections", "create", "club").out == "made collection club\n"
    cli("collections", "create", "archive")
    names = [each["collection"] for each in cli("collections", "list", "--json").document]
    assert names == ["archive", "club"]
    shown = cli("collections", "show", "club", "--json").document
    assert (shown["collection"], shown["subjects"], shown["faces"]) == ("club", 0, 0)
    assert datetime.fromisoformat(shown["created"]).tzinfo is not None
    table = cli("collections", "list").out.splitlines()
    assert table[0].split() == ["name", "subjects", "faces", "model", "made"]
    assert [line.split()[0] for line in table[1:]] == ["archive", "club"]
    assert cli("collections", "delete", "club", "--json").document["erased_subjects"] == 0
    assert cli("collections", "show", "club").status == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["collections", "show", "nobody"],
        ["collections", "delete", "nobody"],
        ["collections", "create", "club"],
        ["collections", "create", "a/b"],
        ["collections", "create", ""],
        ["subjects", "list", "nobody"],
        ["subjects", "show", "club", "bob"],
        ["subjects", "erase", "club", "bob"],
        ["subjects", "report", "club", "bob"],
        ["subjects", "report", "nobody", "ada"],
        ["consents", "list", "club", "bob"],
        ["consents", "interaction", "club", "bob"],
        ["consents", "interaction", "club", "ada", "--at", "2100-01-01"],
        ["consents", "withdraw", "club", "bob"],
        ["consents", "withdraw", "club", "ada", "--purpose", "advertising"],
        ["consents", "add", "nobody", "ada", "--purpose", "door", "--evidence", "form 1"],
        ["consents", "add", "club", "ada", "--purpose", "Bad Purpose", "--evidence", "form 1"],
        ["consents", "add", "club", "ada", "--purpose", "door", "--evidence", " "],
        ["consents", "add", "club", "a b", "--purpose", "door", "--evidence", "form 1"],
        [
            *["consents", "add", "club", "ada", "--purpose", "door", "--evidence", "form 1"],
            *["--until", "2020-01-01"],
        ],
        ["enroll", "nobody", "ada", "a.jpg", "--purpose", "door", "--evidence", "form 1"],
        ["recognize", "nobody", "a.jpg", "--purpose", "door"],
    ],
    ids=" ".join,
)
def test_refusals_are_one_line_and_status_1(club: Cli, arguments: list[str]) -> None:
    outcome = club(*arguments)
    assert outcome.status == 1
    assert outcome.out == ""
    assert outcome.err.startswith("sayso: ")
    assert "unexpected" not in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_subject_is_listed_with_what_is_live(club: Cli) -> None:
    (ada,) = club("subjects", "list", "club", "--json").document
    assert (ada["subject"], ada["faces"]) == ("ada", 0)
    assert ada["purposes"] == ["door", "photo-delivery"]
    shown = club("subjects", "show", "club", "ada", "--json").document
    assert shown["id"] == ada["id"]
    assert shown["enrolled"] == []
    assert "door, photo-delivery" in club("subjects", "list", "club").out
    assert "door, photo-delivery" in club("subjects", "show", "club", "ada").out


def test_withdrawing_one_purpose_leaves_the_other(club: Cli) -> None:
    done = club("consents", "withdraw", "club", "ada", "--purpose", "door", "--json").document
    assert done["withdrawn"] == ["door"]
    assert done["tombstone"] is None
    (record,) = club("consents", "list", "club", "ada", "--json").document
    assert list(record["withdrawn"]) == ["door"]
    assert club("subjects", "show", "club", "ada", "--json").document["purposes"] == [
        "photo-delivery"
    ]
    assert "door (withdrawn" in club("consents", "list", "club", "ada").out


def test_withdrawing_everything_erases(club: Cli) -> None:
    outcome = club("consents", "withdraw", "club", "ada")
    assert outcome.status == 0
    assert "erased" in outcome.out
    assert club("subjects", "show", "club", "ada").status == 1


def test_erasing_leaves_a_tombstone_without_a_name(club: Cli) -> None:
    tombstone = club("subjects", "erase", "club", "ada", "--json").document
    assert tombstone["consents"] == 1
    assert "ada" not in str(tombstone)
    assert club("subjects", "list", "club", "--json").document == []


def test_evidence_that_is_a_file_is_recorded_by_name_and_hash(club: Cli, tmp_path: Path) -> None:
    form = tmp_path / "form 18.pdf"
    form.write_bytes(b"%PDF the signed form")
    record = club(
        *("consents", "add", "club", "bob", "--purpose", "door", "--evidence", form, "--json")
    ).document
    expected = hashlib.sha256(b"%PDF the signed form").hexdigest()
    assert record["evidence"] == {"file": "form 18.pdf", "sha256": expected}
    listed = club("consents", "list", "club", "bob").out
    assert f"form 18.pdf (sha256 {expected[:12]}...)" in listed
    assert "signed" not in listed


@pytest.mark.parametrize(
    "words",
    [
        "form 17/2026, kept in the red binder",
        "ada@example.org wrote on 2026.05.04",
        "ada@example.org",
        "https://forms.example/17.pdf",
    ],
)
def test_evidence_that_names_no_file_is_text(club: Cli, words: str) -> None:
    record = club(
        *("consents", "add", "club", "bob", "--purpose", "door", "--evidence", words, "--json")
    ).document
    assert record["evidence"] == words


def test_evidence_that_is_no_file_is_wrong_usage(club: Cli, tmp_path: Path) -> None:
    (tmp_path / "forms").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, said in (
        ("forms", "is a folder"),
        ("pipe", "is no regular file"),
        ("form 18.pdf", "and there is none"),
        ("none", "and there is none"),
    ):
        outcome = club(
            *("consents", "add", "club", "bob", "--purpose", "door"),
            *("--evidence", tmp_path / name),
        )
        assert outcome.status == 2, name
        assert said in outcome.err
    assert club("subjects", "show", "club", "bob").status == 1


def test_what_evidence_was_taken_for_is_told(club: Cli, tmp_path: Path) -> None:
    form = tmp_path / "form.pdf"
    form.write_bytes(b"%PDF the signed form")
    add = ("consents", "add", "club", "bob", "--purpose", "door", "--evidence")
    assert "\nevidence: the text 'form 19'\n" in club(*add, "form 19").out
    expected = hashlib.sha256(b"%PDF the signed form").hexdigest()
    recorded = club(*add, form).out
    assert f"\nevidence: the file form.pdf, sha256 {expected}\n" in recorded
    assert "\ndoor ends 20" in recorded


def test_consents_begin_and_end_when_they_say(club: Cli) -> None:
    start, until = iso(days=1), iso(days=2)
    club(
        *("consents", "add", "club", "bob", "--purpose", "door", "--evidence", "form 2"),
        *("--from", start, "--until", until),
    )
    (record,) = club("consents", "list", "club", "bob", "--json").document
    assert datetime.fromisoformat(record["from"]) == datetime.fromisoformat(start)
    assert datetime.fromisoformat(record["until"]) == datetime.fromisoformat(until)
    assert club("subjects", "show", "club", "bob", "--json").document["purposes"] == []
    assert "door (not yet)" in club("consents", "list", "club", "bob").out


def test_a_date_means_the_beginning_of_that_day_here(
    club: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        record = club(
            *("consents", "add", "club", "bob", "--purpose", "door", "--evidence", "form 2"),
            *("--until", "2100-01-31", "--json"),
        ).document
    finally:
        monkeypatch.undo()
        time.tzset()
    expected = datetime(2100, 1, 30, 15, tzinfo=UTC)
    assert datetime.fromisoformat(record["until"]) == expected


def test_another_process_sees_what_this_one_did(club: Cli, shell: Cli) -> None:
    listed = shell("subjects", "list", "club", "--json").document
    assert [each["subject"] for each in listed] == ["ada"]
    assert shell("subjects", "erase", "club", "ada").status == 0
    assert club("subjects", "list", "club", "--json").document == []


@pytest.mark.parametrize("length", [256, 5000, 10_000])
def test_evidence_may_be_long(club: Cli, length: int) -> None:
    words = ("seen and signed at the desk, " * 400)[:length].strip()
    record = club(
        *("consents", "add", "club", "bob", "--purpose", "door", "--evidence", words, "--json")
    ).document
    assert record["evidence"] == words


@pytest.mark.parametrize(
    "command",
    [["consents", "add", "club", "bob"], ["enroll", "club", "bob", "a.jpg"]],
    ids=" ".join,
)
def test_evidence_that_is_not_text_is_wrong_usage(
    club: Cli, tmp_path: Path, command: list[str]
) -> None:
    form = os.fsdecode(os.fsencode(tmp_path) + b"/form \xff.pdf")
    Path(form).write_bytes(b"%PDF the signed form")
    for evidence in ("form \udcff", form):
        outcome = club(*command, "--purpose", "door", "--evidence", evidence)
        assert outcome.status == 2
        assert "is not valid UTF-8" in outcome.err


def test_a_collection_with_people_is_not_deleted_by_a_script_that_does_not_say_so(
    club: Cli,
) -> None:
    done = club("collections", "delete", "club")
    assert done.status == 1
    assert "has 1 subject, who would be erased" in done.err
    assert "--yes" in done.err
    assert club("subjects", "show", "club", "ada").status == 0
    assert club("collections", "delete", "club", "--yes", "--json").document == {
        "collection": "club",
        "erased_subjects": 1,
    }


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["collections", "delete", "club"], "sayso: nothing was deleted"),
        (["subjects", "erase", "club", "ada"], "sayso: nothing was erased"),
        (["consents", "withdraw", "club", "ada"], "sayso: nothing was withdrawn"),
    ],
    ids=["delete", "erase", "withdraw"],
)
def test_saying_no_changes_nothing(club: Cli, command: list[str], said: str) -> None:
    status, out, err = on_terminal(*command, answer="n")
    assert (status, out) == (1, b"")
    assert err.rstrip().endswith(f"[y/N]: {said}")
    assert club("subjects", "show", "club", "ada").status == 0


def test_only_the_withdrawal_that_erases_is_asked_about(club: Cli) -> None:
    withdraw = ("consents", "withdraw", "club", "ada")
    status, _, err = on_terminal(*withdraw, "--purpose", "door", answer="n")
    assert status == 0
    assert "[y/N]" not in err
    last = (*withdraw, "--purpose", "photo-delivery")
    status, _, err = on_terminal(*last, answer="n")
    assert status == 1
    assert "erase them? [y/N]" in err
    assert club("subjects", "show", "club", "ada").status == 0
    status, _, err = on_terminal(*last, "--yes", answer="n")
    assert status == 0
    assert "[y/N]" not in err
    assert club("subjects", "show", "club", "ada").status == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["subjects", "list", "nope"], ["sayso collections list", "sayso collections create nope"]),
        (
            ["consents", "withdraw", "club", "ada", "--purpose", "ads"],
            ["'ada' in collection 'club' has no consent to 'ads'"],
        ),
        (
            [
                *["consents", "add", "club", "ada", "--purpose", "door", "--evidence", "form 1"],
                *["--until", "2020-01-01"],
            ],
            ["the consent ended at", "(--until)"],
        ),
        (["collections", "create", "café"], ["letters a-z and A-Z"]),
    ],
)
def test_refusals_say_what_to_do(club: Cli, arguments: list[str], said: list[str]) -> None:
    err = club(*arguments).err
    assert all(each in err for each in said), err


def test_subjects_are_listed_by_name(club: Cli) -> None:
    for name in ("zoe", "aaron"):
        club("consents", "add", "club", name, "--purpose", "door", "--evidence", "form 1")
    names = [each["subject"] for each in club("subjects", "list", "club", "--json").document]
    assert names == ["aaron", "ada", "zoe"]
    lines = club("subjects", "list", "club").out.splitlines()[1:]
    assert [line.split()[0] for line in lines] == names


def test_consents_are_listed_with_their_end_for_each_purpose(club: Cli) -> None:
    club("purposes", "declare", "club", "door", "--notice", "We open the door.", "--max-days", "30")
    (record,) = club("consents", "list", "club", "ada", "--json").document
    given = datetime.fromisoformat(record["given"])
    ends = {name: datetime.fromisoformat(end) for name, end in record["ends"].items()}
    assert ends == {
        "door": given + timedelta(days=30),
        "photo-delivery": given + timedelta(days=1095),
    }
    # It was given on the first version of the notice, whatever came later.
    assert record["notices"] == {"door": 1, "photo-delivery": 1}
    assert record["last_interaction"] == record["given"]
    header, door, photos = club("consents", "list", "club", "ada").out.splitlines()
    assert "ends" in header
    assert "last contact" in header
    for line, purpose in ((door, "door"), (photos, "photo-delivery")):
        assert f" {purpose} " in line
        assert ends[purpose].astimezone().strftime("%Y-%m-%d %H:%M") in line


def test_an_interaction_counts_anew(club: Cli) -> None:
    before = club("consents", "list", "club", "ada", "--json").document[0]["ends"]["door"]
    (record,) = club("consents", "interaction", "club", "ada", "--json").document
    assert record["last_interaction"] > record["given"]
    assert record["ends"]["door"] > before
    # A contact before the last one on record changes nothing.
    earlier = ("consents", "interaction", "club", "ada", "--at", iso(days=-3), "--json")
    (same,) = club(*earlier).document
    assert same["ends"] == record["ends"]
    out = club("consents", "interaction", "club", "ada").out.splitlines()
    assert out[0].startswith("the last contact with ada was 2")
    assert [line.split(":")[0] for line in out[1:]] == ["door", "photo-delivery"]


def test_who_has_nothing_left_is_swept(club: Cli) -> None:
    bob = ("consents", "add", "club", "bob", "--purpose", "door", "--evidence", "form 2")
    assert club(*bob, "--until", iso(seconds=1.5)).status == 0
    assert club("subjects", "show", "club", "bob", "--json").document["purposes"] == ["door"]
    time.sleep(1.6)
    outcome = club("subjects", "sweep", "--json")
    assert outcome.status == 0, outcome.err
    # None at all where the gallery, once open, was quicker than the command.
    assert all(each["reason"] == "expired" for each in outcome.document)
    assert club("subjects", "sweep").out == "nobody is left whose consents have all ended\n"
    assert club("subjects", "show", "club", "bob").status == 1
    (erased,) = club("audit", "tail", "--event", "subject-erased", "--json").document
    assert erased["entry"]["reason"] == "expired"
    assert club("subjects", "show", "club", "ada").status == 0


def test_the_last_consent_that_still_stands_is_what_withdrawing_erases(club: Cli) -> None:
    """What has ended by the rule of its purpose does not count as another consent."""
    club("purposes", "met", "club", "door")
    status, _, err = on_terminal(
        *("consents", "withdraw", "club", "ada", "--purpose", "photo-delivery"), answer="n"
    )
    assert status == 1
    assert "erase them? [y/N]" in err


def test_a_collection_shows_its_purposes(club: Cli) -> None:
    assert club("collections", "show", "club", "--json").document["purposes"] == [
        "door",
        "photo-delivery",
    ]
    assert club("collections", "show", "club").out.endswith("purposes: door, photo-delivery\n")
    club("collections", "create", "empty")
    assert "purposes: none yet" in club("collections", "show", "empty").out


def test_a_collection_is_limited_in_its_false_matches(club: Cli) -> None:
    assert (
        "\nexpected false matches: at most 0.01 (1 in 100) in a picture\n"
        in club("collections", "show", "club").out
    )
    limit = ("collections", "limit", "club", "--max-expected-false-matches")
    told = club(*limit, "0.5", "--per", "face").out
    assert told == "collection club: expected false matches: at most 0.5 (5 in 10) in a face\n"
    shown = club("collections", "show", "club", "--json").document
    assert (shown["max_expected_false_matches"], shown["false_matches_per"]) == (0.5, "face")
    made = club(
        *("collections", "create", "team", "--max-expected-false-matches", "2", "--json")
    ).document
    assert (made["max_expected_false_matches"], made["false_matches_per"]) == (2, "picture")
    for wrong in ("0", "-1", "1e7"):
        assert club(*limit, wrong).status == 2
    assert "max_expected_false_matches is nan" in club(*limit, "nan").err
    assert club("collections", "limit", "club").status == 2


def test_a_tombstone_says_why(club: Cli) -> None:
    assert club("subjects", "erase", "club", "ada", "--json").document["reason"] == "asked"
