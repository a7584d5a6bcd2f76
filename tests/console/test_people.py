"""People: who is in a collection, looked for by name, a page at a time; and who was erased."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sayso.console.views import people
from sayso.results import Consent
from tests.console.visiting import Console, Shown

FORM = "form 17"


@pytest.fixture
def club(console: Console) -> Console:
    """A club with four members, of whom only dan does not agree to photos."""
    console.app.create_collection("club")
    for name in ("ada", "Bob-17", "eve", "dan"):
        purposes = ["door"] if name == "dan" else ["door", "photos"]
        join(console, name, *purposes)
    return console


def join(console: Console, name: str, *purposes: str) -> None:
    """Add somebody, a second after whoever came before."""
    console.clock.time += timedelta(seconds=1)
    console.app.add_consent("club", name, Consent(purposes, FORM))


def names(page: Shown) -> list[str]:
    return [each.text for each in page.all("th", scope="row")]


def test_without_a_collection_the_page_says_what_comes_first(console: Console) -> None:
    page = console.get("people")
    assert "There is no collection yet" in page.text
    assert "/console/collections" in page.links


def test_everybody_is_listed_with_what_they_agreed_to(club: Console) -> None:
    page = club.get("people", collection="club")
    assert names(page) == ["ada", "Bob-17", "dan", "eve"]
    assert "4 people in club" in page.text
    assert "/console/people/subject?collection=club&subject=Bob-17" in page.links
    rows = [each.text for each in page.one("tbody").all("tr")]
    assert rows[0] == "ada 0 door photos 2026-03-01"
    assert rows[2] == "dan 0 door 2026-03-01"


def test_the_first_collection_is_shown_unless_one_is_chosen(club: Console) -> None:
    club.app.create_collection("a-first")
    assert "Nobody is in this collection yet" in club.get("people").text
    chosen = club.get("people", collection="club").one("select", name="collection")
    assert [each["value"] for each in chosen.all("option", selected="")] == ["club"]


@pytest.mark.parametrize(("find", "found"), [("bob", ["Bob-17"]), ("A", ["ada", "dan"])])
def test_a_name_is_found_by_a_part_of_it(club: Console, find: str, found: list[str]) -> None:
    page = club.get("people", collection="club", find=find)
    assert names(page) == found
    assert page.one("input", name="find")["value"] == find


def test_a_name_that_nobody_has(club: Console) -> None:
    page = club.get("people", collection="club", find="<nobody>")
    assert "name contains “<nobody>”" in page.text


@pytest.mark.parametrize("find", ["", "member"])
def test_many_come_a_page_at_a_time(
    club: Console, find: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "PER_PAGE", 4)
    monkeypatch.setattr(people, "_AT_ONCE", 3)
    expected = [f"member-{number}" for number in range(10)]
    for name in expected:
        join(club, name, "photos")
    page = club.get("people", collection="club", find=find)
    seen = names(page)
    while page.all("a", rel="next"):
        assert len(names(page)) == 4
        page = club.get(page.one("a", rel="next")["href"])
        assert "First page" in page.text
        seen += names(page)
    assert seen == ([] if find else ["ada", "Bob-17", "eve", "dan"]) + expected


def test_a_name_is_looked_for_a_part_of_a_large_collection_at_a_time(
    club: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "_AT_ONCE", 2)
    monkeypatch.setattr(people, "_MOST_READ", 4)
    for number in range(5):
        join(club, f"member-{number}", "photos")
    before = len(reads(club))
    page = club.get("people", collection="club", find="member-4")
    assert len(reads(club)) == before + 2
    assert "name contains “member-4” among the 4 people read so far" in page.text
    page = club.get(page.one("a", rel="next")["href"])
    assert names(page) == []
    (link,) = page.all("a", rel="next")
    assert link.text == "Search on"
    page = club.get(link["href"])
    assert names(page) == ["member-4"]
    assert not page.all("a", rel="next")
    some = club.get("people", collection="club", find="a")
    assert names(some) == ["ada", "dan"]
    assert "2 names contain “a” among the 4 people read so far" in some.text


def reads(console: Console) -> list[Any]:
    return [each for each in console.app.audit_entries() if each.event.kind == "subjects-read"]


def test_a_key_sees_those_who_agreed_to_its_purpose(club: Console) -> None:
    page = club.as_key("search").get("people", collection="club")
    assert names(page) == ["ada", "Bob-17", "eve"]
    assert "3 people in club" in page.text
    assert "door" not in page.text
    assert "You see the people who agreed to “photos”" in page.text


def test_a_key_that_knows_of_nobody_is_told_so(club: Console) -> None:
    page = club.as_key("detect").get("people", collection="club", expect=403)
    assert "it takes the right to" in page.problem
    assert "ada" not in page.text


def test_only_who_may_is_offered_to_add_or_to_see_the_erased(club: Console) -> None:
    everything = club.get("people", collection="club").links
    assert "/console/people/add?collection=club" in everything
    assert "/console/people/erased?collection=club" in everything
    little = club.as_key("search").get("people", collection="club").links
    assert not [each for each in little if "/add" in each or "/erased" in each]


def test_the_erased_are_a_number_and_dates(club: Console) -> None:
    assert "Nobody was erased" in club.get("people/erased", collection="club").text
    asked = club.app.erase_subject("club", "eve")
    withdrawn = club.app.withdraw_consent("club", "dan").tombstone
    assert withdrawn is not None
    page = club.get("people/erased", collection="club")
    assert asked.id in page.text
    assert withdrawn.id in page.text
    assert "they withdrew their last consent" in page.text
    assert "eve" not in page.response.text
    assert "dan" not in page.text.split()


def test_the_erased_are_told_to_who_may_audit_only(club: Console) -> None:
    club.app.erase_subject("club", "eve")
    page = club.as_key("search").get("people/erased", collection="club", expect=403)
    assert "it takes the right to audit or admin" in page.problem
    assert (
        "somebody erased them" in club.as_key("audit").get("people/erased", collection="club").text
    )
