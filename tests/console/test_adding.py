"""Somebody is added: on a consent, from pictures, and what became of each is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sayso.console.visits import address
from sayso.results import Consent
from tests.console.visiting import Console
from tests.service.rest.people import BLURRED, NOBODY, picture, shade

FORM: dict[str, Any] = {
    "collection": "club",
    "subject": "ada",
    "purposes": "photos",
    "evidence": "form 17",
}
PLACE = "/console/people/subject?collection=club&subject=ada"


@pytest.fixture
def club(console: Console) -> Console:
    console.app.create_collection("club")
    console.app.declare_purpose("club", "photos", notice="We send you your <pictures>.")
    return console


def test_the_consent_form_comes_before_the_pictures(club: Console) -> None:
    page = club.get("people/add", collection="club")
    form = page.form("add")
    fields = [each["name"] for each in form.walk() if each.get("name")]
    assert fields.index("subject") < fields.index("purposes") < fields.index("evidence")
    assert fields.index("evidence") < fields.index("pictures")
    required = [each["name"] for each in form.all("input") if "required" in each.attributes]
    assert required == ["subject", "evidence", "pictures"]
    assert "We send you your <pictures>." in page.text
    assert form["enctype"] == "multipart/form-data"


def test_without_declared_purposes_one_is_named(console: Console) -> None:
    console.app.create_collection("club")
    page = console.get("people/add", collection="club")
    assert "required" in page.one("input", name="other_purpose").attributes
    page = console.post(
        "people/add",
        do="add",
        files=[("pictures", picture("ada"))],
        **FORM | {"purposes": "", "other_purpose": "door"},
    )
    assert console.app.subject("club", "ada").purposes == ("door",)
    page = console.get("people/add", collection="club")  # now it is one of them, and others may be
    assert [each["value"] for each in page.all("input", name="purposes")] == ["door"]
    assert "required" not in page.one("input", name="other_purpose").attributes


def test_once_purposes_are_declared_no_other_can_be_named(club: Console) -> None:
    assert not club.get("people/add", collection="club").all("input", name="other_purpose")
    fields = FORM | {"purposes": "", "other_purpose": "door"}
    page = club.post(
        "people/add", do="add", files=[("pictures", picture("ada"))], expect=403, **fields
    )
    assert "door" in page.problem
    assert club.app.subjects("club") == ()


def test_a_purpose_that_was_met_is_not_offered(club: Console) -> None:
    club.app.declare_purpose("club", "party", notice="Once")
    club.app.purpose_met("club", "party")
    page = club.get("people/add", collection="club")
    assert [each["value"] for each in page.all("input", name="purposes")] == ["photos"]


def test_a_key_is_offered_its_own_purpose_only(club: Console) -> None:
    club.app.declare_purpose("club", "door", notice="To open doors")
    page = club.as_key("enrol", purpose="door").get("people/add", collection="club")
    assert [each["value"] for each in page.all("input", name="purposes")] == ["door"]
    none = club.as_key("enrol", purpose="other").get("people/add", collection="club")
    assert "No purpose can be agreed to here" in none.text


def test_somebody_is_added_on_the_consent(club: Console) -> None:
    page = club.post(
        "people/add",
        do="add",
        files=[("pictures", picture("ada")), ("pictures", picture("ada", extra=1))],
        **FORM,
        until="2027-03-01",
    )
    assert page.came_to == PLACE
    assert page.notes == ["2 pictures of ada were enrolled."]
    (record,) = club.app.consents("club", "ada")
    assert record.evidence == "form 17"
    assert record.ends["photos"].isoformat() == "2027-03-01T00:00:00+00:00"
    assert len(club.app.faces("club", "ada")) == 2
    assert [each.subject for each in club.app.recognize("club", picture("ada"), purpose="photos")]


def test_what_became_of_each_picture_is_told(club: Console) -> None:
    files = [picture("ada"), shade(NOBODY), shade(BLURRED), picture("ada"), b"no picture at all"]
    page = club.post("people/add", do="add", files=[("pictures", each) for each in files], **FORM)
    taken, nobody, blurred, again, broken = page.notes
    assert taken == "1 picture of ada was enrolled."
    assert nobody.startswith("Picture 2 (pictures.png) was not taken: no face was found")
    assert blurred.startswith("Picture 3 (pictures.png) was not taken: the largest face is")
    assert again.startswith("Picture 4 (pictures.png) had been enrolled before")
    assert broken.startswith("Picture 5 (pictures.png) was not taken: the bytes are no picture")
    assert len(club.app.faces("club", "ada")) == 1


def test_a_picture_that_came_before_adds_nothing(club: Console) -> None:
    for _ in range(2):
        files = [("pictures", picture("ada"))]
        page = club.post("people/add", do="add", files=files, **FORM | {"same": "yes"})
    assert page.notes[0] == "No new picture of ada was enrolled."
    assert "had been enrolled before" in page.notes[1]
    assert len(club.app.faces("club", "ada")) == 1


def test_under_a_name_that_is_taken_nobody_is_enrolled_without_a_word(club: Console) -> None:
    for who in ("ada", "bob"):  # what is wrong is whose face it is, which nobody can see by a name
        files = [("pictures", picture(who))]
        page = club.post(
            "people/add", do="add", files=files, expect=200 if who == "ada" else 422, **FORM
        )
    assert "Somebody called ada is enrolled here already" in page.problem
    assert "hidden" not in page.one("div", id="same").attributes
    assert len(club.app.faces("club", "ada")) == 1
    assert len(club.app.consents("club", "ada")) == 1
    response = club.send(
        "POST",
        "/console/people/add",
        data={"do": "add", **FORM},
        files={"pictures": ("bob.png", picture("bob"))},
        headers={"X-Sayso-Csrf": club.csrf},
    )
    assert response.headers["x-sayso-problem"] == "name-taken"


def test_without_a_usable_picture_nothing_is_recorded(club: Console) -> None:
    page = club.post(
        "people/add", do="add", files=[("pictures", shade(NOBODY))], expect=422, **FORM
    )
    assert "no face was found" in page.problem
    assert "Choose the pictures again" in page.text
    again = page.fields("add")
    assert {name: again[name] for name in FORM} == FORM  # nobody has to write it twice
    assert club.app.subjects("club") == ()


@pytest.mark.parametrize("missing", ["purposes", "evidence"])
def test_without_a_consent_form_nobody_is_added(club: Console, missing: str) -> None:
    page = club.post(
        "people/add",
        do="add",
        files=[("pictures", picture("ada"))],
        expect=422 if missing == "purposes" else 403,
        **FORM | {missing: ""},
    )
    assert page.problem
    assert club.app.subjects("club") == ()


def test_without_a_picture_it_says_so(club: Console) -> None:
    page = club.post("people/add", do="add", files=[("pictures", b"")], expect=422, **FORM)
    assert "Choose at least one picture" in page.problem


def test_a_face_like_another_persons_needs_a_word(club: Console) -> None:
    photos = Consent(["photos"], "form 18")
    club.app.enroll("club", subject="bob", pictures=[picture("ada")], consent=photos)
    shown = club.get("people/add", collection="club")
    assert "hidden" in shown.one("div", id="lookalike").attributes
    files = [("pictures", picture("ada", extra=1))]
    page = club.post("people/add", do="add", files=files, expect=422, **FORM)
    assert "more like another enrolled subject" in page.problem
    assert "bob" not in page.text  # whose it is like is nobody's business
    assert "hidden" not in page.one("div", id="lookalike").attributes
    page = club.post("people/add", do="add", files=files, lookalike="yes", **FORM)
    assert page.notes == ["1 picture of ada was enrolled."]


def test_other_refusals_do_not_ask_about_a_likeness(club: Console) -> None:
    page = club.post(
        "people/add", do="add", files=[("pictures", shade(NOBODY))], expect=422, **FORM
    )
    assert "hidden" in page.one("div", id="lookalike").attributes


def test_a_script_is_told_where_to_go_and_the_notes_wait_there(club: Console) -> None:
    files = {"pictures": ("ada.jpg", picture("ada"))}
    answer = club.script("people/add", do="add", data=FORM, files=files)
    assert (
        answer.response.text
        == PLACE
        == address("people/subject", {"collection": "club", "subject": "ada"})
    )
    assert club.get(PLACE).notes == ["1 picture of ada was enrolled."]


def test_what_a_script_sends_one_by_one_is_told_together(club: Console) -> None:
    club.app.add_consent("club", "ada", Consent(["photos"], "form 17"))
    page = club.get("people/add", collection="club", subject="ada")
    assert page.all("progress", id="sent")
    again = picture("ada")
    for place, each in enumerate([again, again, picture("ada", extra=1), picture("ada", extra=2)]):
        club.script(
            "people/add",
            do="pictures",
            data={"collection": "club", "subject": "ada", "place": str(place + 1)},
            files={"pictures": ("ada.jpg", each)},
        )
    assert club.get(PLACE).notes == [
        "3 pictures of ada were enrolled.",
        "Picture 2 (ada.jpg) had been enrolled before, and was not taken twice.",
    ]
    assert len(club.app.faces("club", "ada")) == 3


def test_a_script_that_brings_nothing_new_first_takes_that_back(club: Console) -> None:
    consent = Consent(["photos"], "form 17")
    club.app.enroll("club", subject="ada", pictures=[picture("ada")], consent=consent)
    data = {"collection": "club", "subject": "ada"}
    for each in (picture("ada"), picture("ada", extra=1)):
        club.script("people/add", do="pictures", data=data, files={"pictures": ("ada.jpg", each)})
    notes = club.get(PLACE).notes
    assert notes[0] == "1 picture of ada was enrolled."
    assert "No new picture of ada was enrolled." not in notes


def test_a_script_is_told_what_kind_of_refusal_it_is(club: Console) -> None:
    photos = Consent(["photos"], "form 18")
    club.app.enroll("club", subject="bob", pictures=[picture("ada")], consent=photos)
    files = {"pictures": ("ada.jpg", picture("ada", extra=1))}
    answer = club.script("people/add", do="add", data=FORM, files=files, expect=422)
    assert answer.response.headers["x-sayso-problem"] == "looks-like-another"
    nothing = {"pictures": ("ada.jpg", b"")}
    answer = club.script("people/add", do="add", data=FORM, files=nothing, expect=422)
    assert answer.response.headers["x-sayso-problem"] == "invalid-request"


def test_pictures_are_added_on_the_consent_on_record(club: Console) -> None:
    club.app.add_consent("club", "ada", Consent(["photos"], "form 17"))
    page = club.get("people/add", collection="club", subject="ada")
    assert page.deeds == {"pictures"}
    assert "ada agreed to photos." in page.text
    fields: dict[str, Any] = page.fields("pictures")
    del fields["do"], fields["csrf"]
    page = club.post("people/add", do="pictures", files=[("pictures", picture("ada"))], **fields)
    assert page.notes == ["1 picture of ada was enrolled."]
    assert len(club.app.consents("club", "ada")) == 1


def test_who_agrees_to_nothing_now_needs_a_form_again(club: Console) -> None:
    later = club.clock.time + timedelta(days=30)
    club.app.add_consent("club", "ada", Consent(["photos"], "form 17", valid_from=later))
    page = club.get("people/add", collection="club", subject="ada")
    assert page.deeds == {"add"}
    assert page.fields("add")["subject"] == "ada"
    refused = club.post(
        "people/add",
        do="pictures",
        files=[("pictures", picture("ada"))],
        expect=403,
        collection="club",
        subject="ada",
    )
    assert refused.problem
    assert club.app.faces("club", "ada") == ()


def test_a_key_that_may_not_enrol_is_refused_by_the_core(club: Console) -> None:
    page = club.as_key("search").post(
        "people/add", do="add", files=[("pictures", picture("ada"))], expect=403, **FORM
    )
    assert "it takes the right to enrol" in page.problem
    assert club.app.subjects("club") == ()
