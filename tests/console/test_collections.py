"""The pages of collections: their rules, their purposes, their tags, and their end."""

from __future__ import annotations

from typing import Any

import pytest

import sayso
from sayso.console import words
from sayso.results import FalseMatchRule
from tests.console.visiting import Console
from tests.service.rest.people import picture

NOTICE = "We look for you in our pictures."


@pytest.fixture
def club(console: Console) -> Console:
    """The console of a gallery with a collection of two people, each for another purpose."""
    app = console.app
    app.create_collection("club")
    for name, purpose in (("ada", "photos"), ("bob", "door")):
        agreed = sayso.Consent(purposes=[purpose], evidence="form 17")
        app.add_consent("club", name, agreed)
    return console


def test_collections_are_listed_with_their_size_and_rule(club: Console) -> None:
    club.app.create_collection("strict", rule=FalseMatchRule(0.0001, "face"))
    club.app.create_collection("loose", rule=FalseMatchRule(5))
    page = club.get("collections")
    rows = [each.text for each in page.one("tbody").all("tr")]
    assert [each.split()[0] for each in rows] == ["club", "loose", "strict"]
    assert rows[0].startswith("club 2 0 at most 1 in 100 searches of a picture")
    assert "up to 5.0 strangers" in rows[1]
    assert "1 in 10,000 searched faces" in rows[2]


def test_a_collection_is_made(console: Console) -> None:
    page = console.post("collections", do="create", name="club", one_in="", per="picture")
    assert page.came_to == "/console/collections/one?collection=club"
    assert console.app.collection("club").rule == FalseMatchRule()
    console.post("collections", do="create", name="other", one_in="2,000", per="face")
    assert console.app.collection("other").rule == FalseMatchRule(0.0005, "face")
    console.post("collections", do="create", name="third", one_in="", per="face")
    assert console.app.collection("third").rule == FalseMatchRule(per="face")


def test_a_collection_that_cannot_be_made_is_told_and_the_form_keeps_what_was_given(
    club: Console,
) -> None:
    page = club.post("collections", do="create", name="club", one_in="7", expect=409)
    assert "club" in page.problem
    assert page.one("input", name="name")["value"] == "club"
    assert page.one("input", name="one_in")["value"] == "7"
    page = club.post("collections", do="create", name="a b", expect=422)
    assert "'a b' is no name for a collection" in page.problem


def test_the_limit_is_told_in_words_and_changed(club: Console) -> None:
    page = club.get("collections/one", collection="club")
    assert "at most 1 in 100 searches of a picture" in page.text
    assert page.fields("limit")["one_in"] == "100"
    assert page.fields("limit")["per"] == "picture"
    page = club.post("collections/one?collection=club", do="limit", one_in="1000", per="face")
    assert "at most 1 in 1,000 searched faces" in page.text
    assert club.app.collection("club").rule == FalseMatchRule(0.001, "face")


@pytest.mark.parametrize("given", ["", "x", "0", "-5", "nan", "inf", "1e-9"])
def test_a_limit_that_cannot_be_is_refused(club: Console, given: str) -> None:
    page = club.post(
        "collections/one?collection=club", do="limit", one_in=given, per="picture", expect=422
    )
    assert page.problem
    assert club.app.collection("club").rule == FalseMatchRule()


def test_a_purpose_is_declared_with_its_notice(club: Console) -> None:
    page = club.post(
        "collections/purpose?collection=club",
        do="declare",
        purpose="yearbook",
        notice="One line.\r\nAnother.",
        max_days="400",
        idle_days="",
    )
    assert page.came_to == "/console/collections/one?collection=club"
    assert "400 days after it was given, or 1,095 days" in page.text
    (found,) = [each for each in club.app.purposes("club") if each.name == "yearbook"]
    assert (found.notice, found.max_days, found.idle_days) == ("One line.\nAnother.", 400, 1095)


def test_a_purpose_that_is_declared_anew_as_it_was_keeps_its_notice(club: Console) -> None:
    notice = "One line.\nAnother."
    club.app.declare_purpose("club", "photos", notice=notice, max_days=30, idle_days=9)
    page = club.get("collections/purpose", collection="club", purpose="photos")
    fields = page.fields("declare")
    assert (fields["max_days"], fields["idle_days"]) == ("30", "9")
    sent = fields | {"notice": fields["notice"].strip("\n").replace("\n", "\r\n")}
    club.post("collections/purpose?collection=club&purpose=photos", **without_hidden(sent))
    (found,) = [each for each in club.app.purposes("club") if each.name == "photos"]
    assert (found.notice, found.version) == (notice, 2)
    assert (found.max_days, found.idle_days) == (30, 9)


def without_hidden(fields: dict[str, str]) -> dict[str, Any]:
    """Return the fields of a form without the token, which the console gives by itself."""
    return {name: value for name, value in fields.items() if name != "csrf"}


@pytest.mark.parametrize(
    ("field", "value"),
    [("max_days", "a"), ("max_days", "0"), ("idle_days", "2000"), ("purpose", "A"), ("notice", "")],
)
def test_a_purpose_that_cannot_be_is_refused_with_what_was_given(
    club: Console, field: str, value: str
) -> None:
    given: dict[str, Any] = {
        "purpose": "new",
        "notice": NOTICE,
        "max_days": "",
        "idle_days": "",
    } | {field: value}
    page = club.post("collections/purpose?collection=club", do="declare", expect=422, **given)
    assert page.problem
    assert page.fields("declare")["purpose"] == given["purpose"]
    assert [each.name for each in club.app.purposes("club")] == ["door", "photos"]


def test_a_purpose_is_met_after_asking_and_erases_who_agreed_to_nothing_else(
    club: Console,
) -> None:
    asked = club.get("collections/met", collection="club", purpose="photos")
    assert "cannot be undone" in asked.problem
    assert len(club.app.subjects("club")) == 2
    page = club.post("collections/met?collection=club&purpose=photos", do="met")
    assert any("1 person was erased" in note for note in page.notes)
    assert [each.name for each in club.app.subjects("club")] == ["bob"]
    assert "Finished on" in page.text
    gone = club.get("collections/met", collection="club", purpose="none")
    assert gone.deeds == set()


def test_who_was_erased_is_counted(club: Console) -> None:
    club.app.erase_subject("club", "ada")
    page = club.get("collections/one", collection="club")
    (stone,) = club.app.tombstones("club")
    assert "Erased so far 1" in page.text
    assert stone.id in page.text
    assert "ada" not in page.text


def test_tags_are_set_and_removed(club: Console) -> None:
    where = "collections/one?collection=club"
    page = club.post(where, do="tag", key="owner", value="the office")
    assert "the office" in page.text
    assert club.app.collection_tags("club") == {"owner": "the office"}
    page = club.post(where, do="untag", key="owner")
    assert club.app.collection_tags("club") == {}
    assert words.say("collections.tags.none") in page.text


def test_a_collection_is_deleted_only_by_its_name(club: Console) -> None:
    asked = club.get("collections/delete", collection="club")
    assert "2 people are erased" in asked.problem
    where = "collections/delete?collection=club"
    page = club.post(where, do="delete", typed="Club", expect=422)
    assert "Nothing was deleted" in page.problem
    assert club.app.collection("club").subjects == 2
    page = club.post(where, do="delete", typed="club")
    assert page.came_to == "/console/collections"
    assert any("2 people were erased" in note for note in page.notes)
    assert club.app.collections() == ()


def test_a_key_that_may_not_admin_is_offered_no_change(club: Console) -> None:
    reader = club.as_key("search")
    page = reader.get("collections/one", collection="club")
    assert page.deeds == set()
    assert "2" not in [each.text for each in page.all("dd")]  # who agreed to its purpose: one
    assert not [each for each in page.links if "delete" in each or "purpose" in each]
    assert "create" not in reader.get("collections").deeds
    reader.post("collections", do="create", name="mine", expect=403)
    reader.post("collections/one?collection=club", do="limit", one_in="5", per="face", expect=403)
    reader.post("collections/delete?collection=club", do="delete", typed="club", expect=403)
    assert club.app.collection("club").rule == FalseMatchRule()


@pytest.mark.parametrize("page", ["one", "delete", "purpose", "met"])
def test_there_is_nothing_to_see_of_what_is_not_there(club: Console, page: str) -> None:
    assert "none" in club.get(f"collections/{page}", collection="none", expect=404).problem


def enrolled(console: Console) -> None:
    """Enrol two people of the collection, each in one picture."""
    for name in ("ada", "bob"):
        agreed = sayso.Consent(purposes=["photos"], evidence="form 17")
        console.app.enroll("club", subject=name, pictures=[picture(name)], consent=agreed)


def test_what_the_rule_means_today_is_what_a_search_would_have_to_reach(club: Console) -> None:
    page = club.get("collections/one", collection="club")
    assert words.say("collections.today.nobody") in page.text
    enrolled(club)
    club.app.set_false_match_rule("club", FalseMatchRule(1e-3))
    one, group = (club.app.threshold("club", faces=n) for n in (1, 30))
    assert one.score is not None
    assert group.score is not None
    assert group.score > one.score
    page = club.get("collections/one", collection="club")
    assert "At 2 people, with 2 faces enrolled" in page.text
    assert f"{one.score:.3f}" in page.text
    assert f"{group.score:.3f}" in page.text
    # What is promised is what would be expected at the most, and so within the rule.
    assert one.expected_false_matches is not None
    assert one.expected_false_matches <= 1e-3 * (1 + 1e-9)
    assert f"At most 1 in {words.one_in(one.expected_false_matches)} such searches" in page.text


def test_that_nothing_keeps_so_strict_a_rule_is_told(club: Console) -> None:
    enrolled(club)
    club.app.set_false_match_rule("club", FalseMatchRule(1e-12))
    page = club.get("collections/one", collection="club")
    assert page.text.count("no face is named") == 2
    assert words.say("collections.today.none") in page.text


def test_who_may_not_know_of_anybody_is_told_no_more_than_the_rule(club: Console) -> None:
    enrolled(club)
    page = club.as_key("detect").get("collections/one", collection="club")
    assert words.say("collections.today.details") not in page.text
