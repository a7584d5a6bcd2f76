"""``sayso subjects report``: what a person is told about themselves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SECTIONS = [
    "WHAT WE HOLD",
    "WHAT YOU AGREED TO",
    "WHO SEARCHED AND FOUND YOU",
    "WHAT ELSE WAS DONE",
    "YOUR RIGHTS",
]


def told(cli: Cli, subject: str = "ada") -> str:
    """The report as one line, however it is wrapped."""
    outcome = cli("subjects", "report", "club", subject)
    assert (outcome.status, outcome.err) == (0, "")
    return " ".join(outcome.out.split())


def sections(text: str) -> list[str]:
    pattern = "|".join(SECTIONS)
    return re.split(f"(?:{pattern})", text)


def test_a_report_has_all_there_is_to_tell(club: Cli) -> None:
    club("consents", "interaction", "club", "ada")
    club("consents", "withdraw", "club", "ada", "--purpose", "door")
    club("subjects", "show", "club", "ada")
    text = told(club)
    assert [each for each in SECTIONS if each in text] == SECTIONS
    head, held, agreed, found, done, rights = sections(text)
    assert head.startswith("What the collection club holds about ada As of ")
    assert "No description of your face" in held
    assert "door: you agreed on " in agreed
    assert "You took it back on " in agreed
    assert "photo-delivery: you agreed on " in agreed
    assert "at the latest, unless you take it back before." in agreed
    assert "You were told: A numerical description of your face" in agreed
    assert 'How we know: "form 17". Put on record by ' in agreed
    assert found == " Nobody: no search has found you. "
    for line in (
        "put on record that you agree to door and photo-delivery.",
        "put on record that you were in touch on ",
        "put on record that you took back your consent to door.",
        "looked at your entry: your name, your number, and what you agree to.",
    ):
        assert line in done
    assert "sayso consents withdraw club ada" in rights
    assert "data protection authority" in rights


def test_the_notice_is_the_one_that_was_agreed_to(club: Cli) -> None:
    club("purposes", "declare", "club", "door", "--notice", "Other words, which came later.")
    text = told(club)
    assert "Other words" not in text
    assert text.count("You were told: A numerical description") == 2


def test_a_report_names_no_id_but_the_subjects_own(club: Cli) -> None:
    club("consents", "add", "club", "bob", "--purpose", "door", "--evidence", "form 2")
    own = club("subjects", "show", "club", "ada", "--json").document["id"]
    for options in ((), ("--json",)):
        outcome = club("subjects", "report", "club", "ada", *options)
        assert set(ID.findall(outcome.out)) == {own}
        assert "bob" not in outcome.out
        assert "form 2" not in outcome.out


def test_what_happens_often_is_told_once_with_its_number(club: Cli) -> None:
    for _ in range(3):
        club("consents", "list", "club", "ada")
    numbers = [
        int(n) for n in re.findall(r"looked at what you agreed to\. \((\d) times\)", told(club))
    ]
    # A minute may end between two of them.
    assert sum(numbers) in (2, 3)
    assert len(numbers) == 1
    history = club("subjects", "report", "club", "ada", "--json").document["history"]
    assert sum(each["event"] == "subject-read" for each in history) == 4


def test_a_document_for_programs(club: Cli) -> None:
    document = club("subjects", "report", "club", "ada", "--json").document
    assert (document["collection"], document["subject"]) == ("club", "ada")
    assert document["faces"] == document["searches"] == []
    assert [each["purpose"] for each in document["consents"]] == ["door", "photo-delivery"]
    door = document["consents"][0]
    assert (door["evidence"], door["notice_version"], door["withdrawn"]) == ("form 17", 1, None)
    assert door["notice"].startswith("A numerical description of your face")
    (entry,) = document["history"]
    assert (entry["event"], entry["similarities"]) == ("consent-recorded", [])


@pytest.fixture
def searched(recognising: Cli, portrait: Path) -> Cli:
    recognising("collections", "create", "club")
    consent = ("--purpose", "photo-delivery", "--evidence", "form 17")
    assert recognising("enroll", "club", "eileen", portrait, *consent).status == 0
    for purpose in ("photo-delivery", "advertising"):
        search = ("recognize", "club", portrait, "--purpose", purpose)
        assert recognising(*search).status == 0
    return recognising


def test_every_search_that_found_them_is_told_and_no_other(searched: Cli) -> None:
    _, held, _, found, done, _ = sections(told(searched, "eileen"))
    assert "1 numerical description of your face" in held
    assert "- made from a picture on " in held
    sentences = re.findall(
        r"- On \d+ \w+ \d{4} at \d\d:\d\d .+? searched a picture for (\S+) and you were found "
        r"in it \(similarity (\d+\.\d)\)\.",
        found,
    )
    assert [purpose for purpose, _ in sentences] == ["photo-delivery"]
    assert float(sentences[0][1]) > 95
    assert "advertising" not in found + done
    assert "enrolled you from a picture." in done
    (search,) = searched("subjects", "report", "club", "eileen", "--json").document["searches"]
    assert search["purpose"] == "photo-delivery"
    assert [f"{each:.1f}" for each in search["similarities"]] == [sentences[0][1]]
