"""The report to a person: in words to print, and as the file that the API answers with."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from sayso.results import Consent
from tests.console.visiting import Console
from tests.service.rest.people import picture

ADA: dict[str, Any] = {"collection": "club", "subject": "ada"}


@pytest.fixture
def club(console: Console) -> Console:
    app = console.app
    app.create_collection("club")
    app.declare_purpose("club", "photos", notice="We send you <your> pictures.")
    app.declare_purpose("club", "door", notice="We open the door.")
    for name in ("ada", "bob"):
        consent = Consent(["door", "photos"], f"form of {name}")
        app.enroll("club", subject=name, pictures=[picture(name)], consent=consent)
    app.declare_purpose("club", "photos", notice="Another text, which ada was not told.")
    app.withdraw_consent("club", "ada", "door")
    return console


def test_the_report_tells_the_person_in_words(club: Console) -> None:
    club.app.recognize("club", picture("ada", "bob"), purpose="photos")
    text = club.get("people/report", **ADA).text
    assert "What the collection club holds about ada" in text
    assert "1 numerical description of your face" in text
    assert "photos: you agreed on 2026-03-01. It lasts until 2029-02-28" in text
    assert "door: you agreed on 2026-03-01. You took it back on 2026-03-01" in text
    assert "We send you <your> pictures." in text  # the text that was agreed to
    assert "Another text" not in text
    assert "How we know: the note “form of ada”. Put on record by user:test." in text
    assert "user:test searched a picture for photos, and you were found in it" in text
    assert "put on record that you took back your consent to door" in text
    assert "bob" not in text


def test_what_the_record_calls_otherwise_is_told_in_words(club: Console) -> None:
    """Every kind of event that the operations here put on record has its sentence."""
    app = club.app
    app.record_interaction("club", "ada")
    app.create_user("club", "ada")
    (face,) = app.faces("club", "ada")
    app.associate_faces("club", "ada", [face.id])
    app.disassociate_faces("club", "ada", [face.id])
    app.delete_user("club", "ada")
    app.report("club", "ada")
    text = club.get("people/report", **ADA).text
    assert "that the audit log calls" not in text
    for told in (
        "put on record that you were in touch on 2026-03-01 12:00 UTC",
        "made you somebody who can be found by several faces at once",
        "looked at the list of the descriptions of your face",
        "made a report like this one",
        "enrolled you from 1 picture",
    ):
        assert told in text


def test_the_same_done_again_is_told_once_with_how_often(club: Console) -> None:
    for _ in range(3):
        club.app.consents("club", "ada")
        club.app.recognize("club", picture("ada"), purpose="photos")
    text = club.get("people/report", **ADA).text
    assert "looked at what you agreed to (3 times)" in text
    assert text.count("searched a picture for photos") == 1
    club.clock.time += timedelta(hours=1)
    club.app.recognize("club", picture("ada"), purpose="photos")
    text = club.get("people/report", **ADA).text
    assert text.count("searched a picture for photos") == 2


def test_nobody_found_them_yet(club: Console) -> None:
    assert "Nobody: no search has found you." in club.get("people/report", **ADA).text


def test_the_file_is_the_document_of_the_api(club: Console) -> None:
    club.app.recognize("club", picture("ada"), purpose="photos")
    page = club.get("people/report", **ADA)
    (file,) = [each["href"] for each in page.all("a", download="")]
    answer = club.send("GET", file)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-disposition"] == 'attachment; filename="report-ada.json"'
    assert answer.headers["cache-control"] == "no-store"
    document = json.loads(answer.content)
    of_api = club.send("GET", "/v1/collections/club/subjects/ada/report").json()
    assert of_api["entries"].pop()["details"]["what"] == "report"  # that the file was made
    assert document == of_api


def test_a_name_with_a_colon_is_a_name_for_a_file(club: Console) -> None:
    club.app.add_consent("club", "ada:2", Consent(["photos"], "form 18"))
    answer = club.send(
        "GET", "/console/people/report/file", params={"collection": "club", "subject": "ada:2"}
    )
    assert answer.headers["content-disposition"] == 'attachment; filename="report-ada_2.json"'


@pytest.mark.parametrize("path", ["people/report", "people/report/file"])
def test_who_may_not_audit_is_refused(club: Console, path: str) -> None:
    page = club.as_key("enrol", "search", "erase").get(path, **ADA, expect=403)
    assert "it takes the right to audit or admin" in page.problem
