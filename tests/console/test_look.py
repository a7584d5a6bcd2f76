"""Look: who is in a picture, as the page tells it."""

from __future__ import annotations

import pytest

from sayso.results import Consent
from tests.console.visiting import Console, Shown
from tests.service.rest.people import picture

PURPOSE = "photos"


@pytest.fixture
def club(console: Console) -> Console:
    app = console.app
    app.create_collection("club")
    consent = Consent([PURPOSE], "form 17")
    app.enroll("club", subject="ada-l.", pictures=[picture("ada")], consent=consent)
    return console


def look(console: Console, *people: str, expect: int = 200, **fields: str) -> Shown:
    data = {"collection": "club", "purpose": PURPOSE, "mode": "balanced", **fields}
    files = {"picture": ("party.png", picture(*people))}
    return console.script("look", do="picture", data=data, files=files, expect=expect)


def test_the_page_offers_what_the_collection_is_for(club: Console) -> None:
    page = club.get("look")
    assert [each["value"] for each in page.one("select", name="collection").all("option")] == [
        "club",
        "-",
    ]
    assert PURPOSE in page.one("select", name="purpose").text


def test_named_faces_come_first_with_how_sure_they_are(club: Console) -> None:
    part = look(club, "bob", "ada")
    named, unknown = part.one("ol", class_="face-list").all("li")
    assert "ada-l." in named.text
    assert "about 1 in" in named.text
    assert "a stranger in this collection looks this much like it" in named.text
    assert "not recognised" in unknown.text
    assert "Nobody who agreed to this purpose looks enough like this face." in unknown.text
    boxes = part.one("svg").all("g")
    assert {each["data-face"] for each in boxes} == {"1", "2"}


def test_a_name_that_is_there_twice_is_marked(club: Console) -> None:
    words = "Another face in this picture has the same name"
    twice = look(club, "ada", "ada").page.text
    assert twice.count(words) == 2
    assert words not in look(club, "ada", "bob").page.text


def test_the_limit_is_told_in_pictures(club: Console) -> None:
    assert (
        "at most one mistake in 100 pictures like this is to be expected"
        in look(club, "ada").page.text
    )


def test_for_another_purpose_nobody_is_named(club: Console) -> None:
    part = look(club, "ada", purpose="advertising")
    assert "ada" not in part.response.text
    assert "agreed to this purpose, so nobody can be named" in part.page.text


def test_after_a_withdrawal_the_name_is_gone(club: Console) -> None:
    assert "ada" in look(club, "ada").response.text
    club.app.withdraw_consent("club", "ada-l.")
    assert "ada" not in look(club, "ada").response.text


def test_without_a_collection_only_faces_are_found(club: Console) -> None:
    part = look(club, "ada", "bob", collection="")
    assert "2 faces" in part.response.text
    assert "not recognised" not in part.response.text
    entries = club.app.audit_entries(newest_first=True, limit=1)
    assert entries[0].event.kind == "faces-detected"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"mode": "slow"}, "no mode slow"),
        ({"least": "high"}, "high is no number"),
        ({"least": "101"}, "from 0 to 100"),
        ({"collection": "crowd"}, "crowd"),
        ({"purpose": ""}, "needs a purpose"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(
    club: Console, fields: dict[str, str], said: str
) -> None:
    data = {"collection": "club", "purpose": PURPOSE, "mode": "balanced", **fields}
    files = {"picture": ("party.png", picture("ada"))}
    response = club.send(
        "POST",
        "/console/look",
        data={"do": "picture", **data},
        files=files,
        headers={"X-Sayso-Csrf": club.csrf},
    )
    assert 400 <= response.status_code < 500
    assert said in response.text


def test_a_file_that_is_no_picture_is_told_so(club: Console) -> None:
    data = {"collection": "club", "purpose": PURPOSE}
    files = {"picture": ("notes.txt", b"no picture at all")}
    part = club.script("look", do="picture", data=data, files=files, expect=422)
    assert "no picture" in part.problem


def test_a_key_looks_for_its_own_purpose_only(club: Console) -> None:
    theirs = club.as_key("search", purpose=PURPOSE)
    page = theirs.get("look")
    assert page.one("input", name="purpose")["value"] == PURPOSE
    assert "readonly" in page.one("input", name="purpose").attributes
    assert "ada" in look(theirs, "ada").response.text
    refused = look(theirs, "ada", purpose="advertising", expect=403)
    assert "for the purpose 'photos'" in refused.problem


def test_who_may_only_detect_is_offered_no_names(club: Console) -> None:
    theirs = club.as_key("detect")
    page = theirs.get("look")
    assert not page.all("select", name="collection")
    assert "1 face" in look(theirs, "ada", collection="").response.text
    look(theirs, "ada", expect=403)
