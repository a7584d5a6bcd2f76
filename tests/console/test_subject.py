"""One person: what is held, what they agreed to, and what they take back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sayso.errors import SubjectNotFound
from sayso.results import Consent, EvidenceFile
from tests.console.visiting import Console, Shown
from tests.gallery.clock import START
from tests.service.rest.people import picture

ADA: dict[str, Any] = {"collection": "club", "subject": "ada"}
DAY = timedelta(days=1)


@pytest.fixture
def club(console: Console) -> Console:
    """A club of which ada is a member, with a face, for two purposes."""
    app = console.app
    app.create_collection("club")
    app.enroll(
        "club",
        subject="ada",
        pictures=[picture("ada")],
        consent=Consent(["door", "photos"], "signed form 17"),
    )
    return console


def sent(page: Shown, deed: str) -> dict[str, Any]:
    """Return what the form of a page sends beside what every form does."""
    return {k: v for k, v in page.fields(deed).items() if k not in {"csrf", "do"}}


# --- what is shown ---------------------------------------------------------------------------


def test_a_person_is_shown_with_what_is_held(club: Console) -> None:
    page = club.get("people/subject", **ADA)
    assert page.title.startswith("ada")
    facts = page.all("dl", class_="facts")[0].text
    assert facts.startswith("Agreed to, right now door photos Faces 1 Collection club")
    assert club.app.subject("club", "ada").id in facts
    assert "No pictures are kept" in page.text
    assert "a picture of 64" in page.text
    assert not page.one("main").all("img")


def test_consents_are_a_timeline_with_the_latest_first(club: Console) -> None:
    club.clock.time += 10 * DAY
    file = EvidenceFile("form.pdf", "ab" * 32)
    later = Consent(["yearbook"], file, valid_from=club.clock.time + DAY, policy_version="v2")
    club.app.add_consent("club", "ada", later)
    club.app.withdraw_consent("club", "ada", "door")
    first, second = club.get("people/subject", **ADA).one("ol", class_="timeline").all("h3")
    assert first.one("time")["datetime"] == (START + 10 * DAY).isoformat()
    assert second.text == "Agreed on 2026-03-01"
    text = club.get("people/subject", **ADA).one("ol", class_="timeline").text
    assert "not yet yearbook: begins on 2026-03-12, until 2029-03-10 at the latest" in text
    assert "withdrawn door: from 2026-03-01, withdrawn on 2026-03-11" in text
    assert "agreed photos: from 2026-03-01 until 2029-02-28 at the latest" in text
    assert "signed form 17" in text
    assert "the document form.pdf, which is kept elsewhere" in text
    assert "ab" * 32 in text
    assert "v2" in text
    assert "2026-03-01 12:00 UTC by user:test" in text


def test_a_consent_that_ended_is_told_as_ended(club: Console) -> None:
    club.app.add_consent("club", "ada", Consent(["one-day"], "form 18", until=START + DAY))
    club.clock.time += 2 * DAY
    text = club.get("people/subject", **ADA).one("ol", class_="timeline").text
    assert "ended one-day: from 2026-03-01, ended on 2026-03-02" in text
    links = club.get("people/subject", **ADA).links
    assert not [each for each in links if "purpose=one-day" in each]  # nothing to withdraw


def test_a_key_to_search_is_shown_the_least(club: Console) -> None:
    page = club.as_key("search").get("people/subject", **ADA)
    assert page.deeds == set()
    assert page.links == ["/console/people?collection=club"]
    assert "signed form 17" not in page.text
    assert "door" not in page.text


def test_a_key_to_enrol_sees_its_own_purpose(club: Console) -> None:
    page = club.as_key("enrol").get("people/subject", **ADA)
    assert page.deeds == {"consent", "contact"}
    assert "door" not in page.text
    assert [each["value"] for each in page.all("input", name="purposes")] == ["photos"]
    assert not page.all("input", name="other_purpose")


def test_who_is_not_there_is_told_as_who_may_not_be_seen(club: Console) -> None:
    club.app.add_consent("club", "bob", Consent(["door"], "form 18"))
    key = club.as_key("search", "enrol", "erase")
    hidden = key.get("people/subject", collection="club", subject="bob", expect=404)
    missing = key.get("people/subject", collection="club", subject="eve", expect=404)
    assert hidden.problem.replace("bob", "eve") == missing.problem


# --- recorded --------------------------------------------------------------------------------


def test_another_consent_is_recorded(club: Console) -> None:
    page = club.post(
        "people/subject",
        do="consent",
        **ADA,
        purposes=["photos"],
        other_purpose="yearbook",
        evidence="form 18",
        given="2026-02-01",
        until="2026-08-01",
    )
    assert page.came_to == "/console/people/subject?collection=club&subject=ada"
    assert page.notes == ["The consent to photos, yearbook was recorded."]
    record = club.app.consents("club", "ada")[-1]
    assert record.purposes == ("photos", "yearbook")
    assert record.evidence == "form 18"
    assert f"{record.given:%Y-%m-%d %H:%M}" == "2026-02-01 00:00"
    assert record.until is not None
    assert f"{record.until:%Y-%m-%d %H:%M}" == "2026-08-01 00:00"
    assert record.recorded_by == "user:test"


def test_what_is_refused_is_told_and_stays_in_the_form(club: Console) -> None:
    fields: dict[str, Any] = {"purposes": "photos", "evidence": "form 18", "until": "2026-01-01"}
    page = club.post("people/subject", do="consent", **ADA, **fields, expect=403)
    assert "2026-01-01" in page.problem
    again = page.fields("consent")
    assert {name: again[name] for name in fields} == fields
    assert len(club.app.consents("club", "ada")) == 1


@pytest.mark.parametrize(
    ("fields", "status", "told"),
    [
        ({"purposes": ""}, 422, "at least one purpose"),
        ({"evidence": " "}, 403, "needs evidence"),
        ({"until": "tomorrow"}, 422, "tomorrow is no date"),
        ({"given": "2026-04-01"}, 403, "given only at 2026-04-01"),
        ({"from": "2026-05-01", "until": "2026-04-01"}, 403, "is never live"),
    ],
)
def test_what_is_no_consent_is_refused(
    club: Console, fields: dict[str, Any], status: int, told: str
) -> None:
    form = {"purposes": "photos", "evidence": "form 18"} | fields
    page = club.post("people/subject", do="consent", **ADA, **form, expect=status)
    assert told in page.problem
    assert len(club.app.consents("club", "ada")) == 1


def test_a_day_that_is_today_somewhere_counts_as_now(club: Console) -> None:
    club.clock.time = START.replace(hour=11)  # where it is the 2nd already, forms are signed
    page = club.post(
        "people/subject",
        do="consent",
        **ADA,
        purposes="photos",
        evidence="form 18",
        given="2026-03-02",
    )
    assert page.problem == ""
    assert club.app.consents("club", "ada")[-1].given == club.clock.time


def test_a_contact_begins_the_idle_time_anew(club: Console) -> None:
    club.clock.time += 100 * DAY
    page = club.post("people/subject", do="contact", **ADA, at="2026-05-01")
    assert page.notes == ["The contact was recorded; the last one is of 2026-05-01."]
    assert "until 2029-04-30 at the latest" in page.text
    page = club.post("people/subject", do="contact", **ADA, at="")
    assert page.notes == ["The contact was recorded; the last one is of 2026-06-09."]


# --- withdrawn -------------------------------------------------------------------------------


def test_a_withdrawal_says_what_goes_and_what_stays(club: Console) -> None:
    page = club.get("people/withdraw", **ADA, purpose="door")
    assert "From this moment nobody finds ada for: door." in page.text
    assert "ada stays here for: photos." in page.text
    assert "face description" not in page.text  # it rests on photos, too
    assert "cannot be undone" not in page.text
    assert len(club.app.consents("club", "ada")[0].withdrawn) == 0
    page = club.post("people/withdraw", do="withdraw", **sent(page, "withdraw"))
    assert page.notes == ["The consent of ada was withdrawn: door."]
    assert page.came_to == "/console/people/subject?collection=club&subject=ada"
    assert set(club.app.consents("club", "ada")[0].withdrawn) == {"door"}


def test_faces_that_go_with_their_consent_are_counted(club: Console) -> None:
    club.app.add_consent("club", "ada", Consent(["yearbook"], "form 18"))
    club.app.withdraw_consent("club", "ada", "door")
    page = club.get("people/withdraw", **ADA, purpose="photos")
    assert "1 face description goes" in page.text
    assert "ada stays here for: yearbook." in page.text
    club.post("people/withdraw", do="withdraw", **ADA, purpose="photos")
    assert club.app.faces("club", "ada") == ()  # as it was said


@pytest.mark.parametrize("purpose", ["", "photos"])
def test_the_last_withdrawal_erases_and_says_so_before(club: Console, purpose: str) -> None:
    if purpose:
        club.app.withdraw_consent("club", "ada", "door")
    page = club.get("people/withdraw", **ADA, purpose=purpose)
    assert "this person is erased" in page.text
    assert page.one("button", class_="danger").text == "Withdraw, and erase this person"
    page = club.post("people/withdraw", do="withdraw", **ADA, purpose=purpose)
    assert page.came_to == "/console/people?collection=club"
    (stone,) = club.app.tombstones("club")
    assert stone.id in page.notes[0]
    with pytest.raises(SubjectNotFound):
        club.app.subject("club", "ada")


def test_a_key_withdraws_its_purpose_and_is_not_told_of_others(club: Console) -> None:
    key = club.as_key("enrol")
    page = key.get("people/withdraw", **ADA)
    assert "If ada agreed to nothing else, this person is erased" in page.text
    assert "door" not in page.text
    page = key.post("people/withdraw", do="withdraw", **ADA, purpose="photos")
    assert page.came_to == "/console/people?collection=club"
    assert page.notes == ["The consent of ada was withdrawn: photos."]
    assert club.app.subject("club", "ada").purposes == ("door",)


# --- erased ----------------------------------------------------------------------------------


def test_what_will_be_removed_is_shown_first(club: Console) -> None:
    club.app.create_user("club", "ada")
    (face,) = club.app.faces("club", "ada")
    club.app.associate_faces("club", "ada", [face.id])
    page = club.get("people/erase", **ADA)
    goes, stays = (each.text for each in page.all("section", class_="card"))
    assert "1 description of their face" in goes
    assert "1 consent, with the evidence of it" in goes
    assert "That faces were said to belong to: ada." in goes
    assert club.app.subject("club", "ada").id in stays
    assert "This cannot be undone" in page.text
    assert club.app.subject("club", "ada").faces == 1  # nothing happened yet


def test_an_erasure_leaves_a_tombstone(club: Console) -> None:
    page = club.post("people/erase", do="erase", **ADA)
    assert page.came_to == "/console/people?collection=club"
    (stone,) = club.app.tombstones("club")
    assert page.notes == [f"ada was erased. Their number {stone.id} is all that is left."]
    assert club.get("people/subject", **ADA, expect=404).problem
    assert club.get("people", collection="club").notes == []  # told once


def test_a_key_that_may_not_erase_sees_no_button_and_is_refused(club: Console) -> None:
    for rights in (["search"], ["enrol", "search"], ["audit"]):
        key = club.as_key(*rights)  # type: ignore[arg-type]
        shown = key.get("people/subject", **ADA)
        assert not [each for each in shown.links if "people/erase" in each]
        assert not shown.all(class_="danger")
        page = key.post("people/erase", do="erase", **ADA, expect=403)  # a forged call
        assert "it takes the right to" in page.problem
        (refused,) = club.app.audit_entries(kind="call-refused", newest_first=True, limit=1)
        assert refused.actor == shown.one("div", class_="who").one("strong").text
    assert club.app.subject("club", "ada").faces == 1
    assert club.app.tombstones("club") == ()


def test_the_page_of_an_erasure_has_no_button_for_who_may_not(club: Console) -> None:
    page = club.as_key("enrol").get("people/erase", **ADA)
    assert page.deeds == set()
    assert "Your key may not erase anybody." in page.text
