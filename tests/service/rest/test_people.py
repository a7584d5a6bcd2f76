"""Purposes, subjects, consents, and their end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.service.rest.conftest import Api
from tests.service.rest.people import consent, picture

ADA = "/collections/club/subjects/ada"


def enrol(api: Api, name: str, **offer: Any) -> Any:
    pictures = {"pictures": (f"{name}.png", picture(name), "image/png")}
    offered = consent(**offer) if offer else consent()
    api.post(f"/collections/club/subjects/{name}/consents", offered, 201)
    return api("POST", f"/collections/club/subjects/{name}/faces", 201, files=pictures).json()


# --- purposes -------------------------------------------------------------------------------------


def test_a_purpose_is_declared_and_declared_anew(club: Api) -> None:
    path = "/collections/club/purposes/photos"
    club.problem("purpose-not-found", "GET", path)
    first = club("PUT", path, 200, json={"notice": "We look.", "max_days": 30}).json()
    assert (first["purpose"], first["notice_version"], first["max_days"]) == ("photos", 1, 30)
    assert first["idle_days"] == 1095
    again = club("PUT", path, 200, json={"notice": "We look at you.", "idle_days": 9}).json()
    assert (again["notice_version"], again["max_days"], again["idle_days"]) == (2, None, 9)
    assert club.get(path) == again
    assert club.get("/collections/club/purposes") == {"items": [again]}


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"notice": ""},
        {"notice": "a\0b"},
        {"notice": "x", "max_days": 0},
        {"notice": "x", "max_days": 10**30},
        {"notice": "x", "idle_days": 1096},
        {"notice": "x", "max_days": 1.5},
        {"notice": "x", "max_days": "1"},
        {"notice": "x", "days": 1},
    ],
)
def test_a_declaration_that_cannot_be_is_refused(club: Api, wrong: dict[str, Any]) -> None:
    club.problem("invalid-request", "PUT", "/collections/club/purposes/photos", json=wrong)


def test_a_notice_of_spaces_is_refused_by_the_core(club: Api) -> None:
    club.problem(
        "request-refused", "PUT", "/collections/club/purposes/photos", json={"notice": " "}
    )


def test_when_a_purpose_is_met_whoever_agreed_to_nothing_else_is_erased(club: Api) -> None:
    enrol(club, "ada")
    enrol(club, "bob", purposes=["photos", "door"])
    met = club.post("/collections/club/purposes/photos/met")
    assert [each["reason"] for each in met["erased"]] == ["expired"]
    club.problem("subject-not-found", "GET", ADA)
    assert club.get("/collections/club/subjects/bob")["purposes"] == ["door"]
    club.problem("purpose-not-found", "POST", "/collections/club/purposes/none/met")
    again = consent()
    found = club.problem("purpose-not-declared", "POST", f"{ADA}/consents", json=again)
    assert found["status"] == 403


# --- consents -------------------------------------------------------------------------------------


def test_a_consent_is_recorded_and_listed_as_it_was_given(club: Api) -> None:
    given = consent(
        "photos",
        "door",
        evidence={"file": "form-17.pdf", "sha256": "9f" * 32},
        given="2026-02-01T09:00:00+01:00",
        until="2027-01-01T00:00:00Z",
        policy_version="v2",
    )
    given["from"] = "2026-02-02T00:00:00Z"
    made = club("POST", f"{ADA}/consents", 201, json=given)
    assert made.headers["location"] == f"/v1{ADA}/consents"
    record = made.json()
    assert record["purposes"] == ["door", "photos"]
    assert record["given"] == "2026-02-01T08:00:00Z"
    assert (record["from"], record["until"]) == ("2026-02-02T00:00:00Z", "2027-01-01T00:00:00Z")
    assert record["evidence"] == given["evidence"]
    assert record["ends"] == {"door": record["until"], "photos": record["until"]}
    assert record["recorded_by"] == "tester"
    assert club.get(f"{ADA}/consents") == {"items": [record]}


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"purposes": []}, "/purposes"),
        ({"purposes": ["A"]}, "/purposes/0"),
        ({"purposes": "photos"}, "/purposes"),
        ({"evidence": 7}, "/evidence"),
        ({"evidence": ""}, "/evidence"),
        ({"evidence": {"file": "a"}}, "/evidence/sha256"),
        ({"evidence": {"file": "a", "sha256": "x" * 64}}, "/evidence/sha256"),
        ({"evidence": {"file": "a", "sha256": "0" * 64, "size": 1}}, "/evidence/size"),
        ({"until": "2027-01-01"}, "/until"),
        ({"until": "2027-01-01T00:00:00"}, "/until"),
        ({"until": 1_800_000_000}, "/until"),
        ({"until": "1800000000"}, "/until"),
        ({"until": "2027-13-01T00:00:00Z"}, "/until"),
        ({"until": "9999-12-31T23:59:59-23:59"}, "/until"),
        ({"given": "0001-01-01T00:00:00+23:59"}, "/given"),
        ({"until": "2026-01-01T00:00:00Z", "from": "2026-02-01T00:00:00Z"}, ""),
        ({"policy_version": ""}, "/policy_version"),
        ({"colour": "red"}, "/colour"),
    ],
)
def test_what_is_wrong_with_a_consent_is_told_by_its_place(
    club: Api, change: dict[str, Any], pointer: str
) -> None:
    found = club.problem("invalid-request", "POST", f"{ADA}/consents", json=consent() | change)
    assert [each["pointer"] for each in found["errors"]] == [pointer]
    assert all(each["where"] == "body" for each in found["errors"])


def test_a_consent_that_has_ended_is_refused(club: Api) -> None:
    late = consent(until="2026-02-01T00:00:00Z")
    late["from"] = "2026-01-01T00:00:00Z"
    club.problem("consent-required", "POST", f"{ADA}/consents", json=late)


def test_a_withdrawal_of_the_last_purpose_erases(club: Api) -> None:
    enrol(club, "ada", purposes=["photos", "door"])
    done = club.post(f"{ADA}/consents/withdraw", {"purpose": "door"})
    assert (done["withdrawn"], done["tombstone"]) == (["door"], None)
    club.problem("consent-not-found", "POST", f"{ADA}/consents/withdraw", json={"purpose": "door"})
    done = club("POST", f"{ADA}/consents/withdraw", 200).json()
    assert done["withdrawn"] == ["photos"]
    assert done["tombstone"]["reason"] == "withdrawn"
    club.problem("subject-not-found", "GET", f"{ADA}/consents")


def test_an_interaction_starts_the_idle_days_anew(club: Api) -> None:
    enrol(club, "ada")
    before = club.get(f"{ADA}/consents")["items"][0]["ends"]["photos"]
    club.clock.time += timedelta(days=10)
    found = club("POST", f"{ADA}/interactions", 200).json()["items"][0]
    assert found["last_interaction"] == "2026-03-11T12:00:00Z"
    assert found["ends"]["photos"] > before
    ahead = {"at": "2030-01-01T00:00:00Z"}
    club.problem("consent-required", "POST", f"{ADA}/interactions", json=ahead)


# --- subjects -------------------------------------------------------------------------------------


def test_a_subject_is_told_reported_and_erased(club: Api) -> None:
    enrol(club, "ada")
    subject = club.get(ADA)
    assert (subject["subject"], subject["faces"], subject["purposes"]) == ("ada", 1, ["photos"])
    (face,) = club.get(f"{ADA}/faces")["items"]
    assert (face["subject"], face["picture_size"], face["user"]) == ("ada", [64, 64], None)
    assert club.get("/collections/club/subjects")["items"] == [subject]
    report = club.get(f"{ADA}/report")
    assert report["subject"] == subject
    assert report["faces"] == [face]
    assert [each["event"] for each in report["entries"]][-2:] == ["subject-read", "subject-read"]
    assert {name: report["notices"][0][name] for name in ("purpose", "version")} == {
        "purpose": "photos",
        "version": 1,
    }
    stone = club("DELETE", ADA, 200).json()
    assert (stone["id"], stone["faces"], stone["reason"]) == (subject["id"], 1, "asked")
    club.problem("subject-not-found", "DELETE", ADA)
    assert club.get("/collections/club/tombstones")["items"] == [stone]


def test_a_report_tells_of_searches_and_names_nobody_else(club: Api) -> None:
    enrol(club, "ada")
    enrol(club, "bob")
    files = {"picture": ("x.png", picture("ada", "bob"))}
    club("POST", "/collections/club/recognize", 200, files=files)
    report = club.get(f"{ADA}/report")
    (search,) = [each for each in report["entries"] if each["event"] == "picture-searched"]
    assert [each["subject"] for each in search["details"]["found"]] == [report["subject"]["id"]]
    assert "bob" not in str(report)


def test_a_key_of_another_purpose_does_not_know_them(club: Api) -> None:
    enrol(club, "ada")
    headers = club.key("search", "enrol", "erase", purpose="door")
    club.problem("subject-not-found", "GET", ADA, headers=headers)
    assert club.get("/collections/club/subjects", headers=headers)["items"] == []
    assert club.get("/collections/club", headers=headers)["subjects"] == 0
