"""Enrolment from pictures, and the faces that are enrolled."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.service.rest.conftest import Api
from tests.service.rest.people import BLURRED, NOBODY, consent, picture, shade

PATH = "/collections/club/subjects/ada/faces"


def form(*pictures: bytes, offer: Any = None) -> dict[str, Any]:
    files: list[tuple[str, Any]] = [
        ("pictures", (f"{place}.png", each, "image/png")) for place, each in enumerate(pictures)
    ]
    if offer is not None:
        files.append(("consent", (None, json.dumps(offer), "application/json")))
    return {"files": files}


def coded(*pictures: bytes, **more: Any) -> dict[str, Any]:
    return {"json": {"pictures": [base64.b64encode(each).decode() for each in pictures], **more}}


def test_a_form_and_json_enrol_alike(club: Api) -> None:
    done = club("POST", PATH, 201, **form(picture("ada"), offer=consent()))
    assert done.headers["location"] == f"/v1{PATH}"
    enrolment = done.json()
    assert (enrolment["enrolled"], enrolment["subject"]) == (1, "ada")
    (first,) = enrolment["pictures"]
    assert (first["picture"], first["faces"], first["error"]) == ("0.png", 1, None)
    other = club("POST", PATH, 201, **coded(picture("ada", extra=9), consent=consent())).json()
    assert other["pictures"][0]["picture"] == "picture 1"
    assert other["consent"] == enrolment["consent"]
    faces = club.get(PATH)["items"]
    assert [each["face_id"] for each in faces] == [
        first["face_id"],
        other["pictures"][0]["face_id"],
    ]


def test_the_same_picture_enrols_once(club: Api) -> None:
    first = club("POST", PATH, 201, **form(picture("ada"), offer=consent())).json()
    again = club("POST", PATH, 200, **form(picture("ada"))).json()
    assert again["enrolled"] == 0
    assert again["pictures"][0]["repeated"]
    assert again["pictures"][0]["face_id"] == first["pictures"][0]["face_id"]


def test_what_became_of_each_picture_is_told(club: Api) -> None:
    done = club(
        "POST", PATH, 201, **form(shade(NOBODY), b"junk", picture("ada"), offer=consent())
    ).json()
    assert [each["error_type"] for each in done["pictures"]] == [
        "/v1/problems/no-face-found",
        "/v1/problems/unreadable-picture",
        None,
    ]


def test_nobody_is_enrolled_without_consent(club: Api) -> None:
    found = club.problem("consent-required", "POST", PATH, **form(picture("ada")))
    assert found["status"] == 403
    assert club.get("/collections/club")["subjects"] == 0
    attested = club.key("enrol", attestation="our shop asks everybody")
    club("POST", PATH, 201, headers=attested, **form(picture("ada")))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("no-face-found", shade(NOBODY)),
        ("face-too-poor", shade(BLURRED)),
        ("ambiguous-face", picture("ada", "bob", alike=True)),
        ("unreadable-picture", b"x"),
    ],
)
def test_a_picture_that_cannot_enrol_is_told(club: Api, name: str, data: bytes) -> None:
    club.problem(name, "POST", PATH, **form(data, offer=consent()))


def test_who_looks_like_another_is_refused_unless_it_is_said(club: Api) -> None:
    club("POST", PATH, 201, **form(picture("ada"), offer=consent()))
    twin = "/collections/club/subjects/twin/faces"
    pictures = form(picture("ada", extra=3), offer=consent())
    club.problem("looks-like-another", "POST", twin, **pictures)
    club("POST", twin, 201, params={"allow_lookalike": "true"}, **pictures)


@pytest.mark.parametrize(
    ("asked", "box"),
    [
        ({"face": "2"}, 40),
        ({"face": "largest"}, 60),
        ({"face": "central"}, 60),
        ({"box": "2,2,41,43"}, 40),
        ({"box": "1,1,63,63"}, 60),
    ],
)
def test_which_face_is_enrolled_may_be_said(club: Api, asked: dict[str, str], box: int) -> None:
    pictures = form(picture("ada", "bob"), offer=consent())
    (done,) = club("POST", PATH, 201, params=asked, **pictures).json()["pictures"]
    assert (done["faces"], done["box"][2] - done["box"][0]) == (2, box)


@pytest.mark.parametrize(
    "asked",
    [
        {"face": "0"},
        {"face": "first"},
        {"face": "1", "box": "1,2,3,4"},
        {"box": "1,2,3"},
        {"box": "a,b,c,d"},
    ],
)
def test_a_face_that_is_asked_for_in_no_way_is_refused(club: Api, asked: dict[str, str]) -> None:
    pictures = form(picture("ada"), offer=consent())
    found = club.problem("invalid-request", "POST", PATH, params=asked, **pictures)
    assert found["status"] in (400, 422)
    assert club.get("/collections/club")["subjects"] == 0


@pytest.mark.parametrize("asked", [{"face": "3"}, {"box": "0,0,5,5"}])
def test_a_face_that_is_not_there_enrols_nobody(club: Api, asked: dict[str, str]) -> None:
    pictures = form(picture("ada", "bob"), offer=consent())
    club.problem("no-face-found", "POST", PATH, params=asked, **pictures)


@pytest.mark.parametrize("box", ["4,4,2,2", "nan,0,1,1", "inf,0,1,1"])
def test_a_box_that_holds_nothing_is_refused(club: Api, box: str) -> None:
    pictures = form(picture("ada"), offer=consent())
    club.problem("enrolment-refused", "POST", PATH, params={"box": box}, **pictures)


@pytest.mark.parametrize(
    ("options", "pointers"),
    [
        (coded(), {"/pictures"}),
        (coded(*[b"x"] * 21), {"/pictures"}),
        ({"json": {"pictures": "x"}}, {"/pictures"}),
        ({"json": {"pictures": ["YQ==", 7]}}, {"/pictures/1"}),
        (coded(b"x", consent={"purposes": ["photos"]}), {"/consent/evidence"}),
        (form(b"x", offer={"purposes": ["photos"]}), {"/consent/evidence"}),
        (form(b"x", offer=consent() | {"more": 1}), {"/consent/more"}),
        ({"files": {"consent": (None, "{}")}}, {"/consent/purposes", "/consent/evidence"}),
        ({"files": {"photos": ("a.png", b"x")}}, {"/photos", "/pictures"}),
    ],
)
def test_what_is_wrong_with_a_body_is_told(
    club: Api, options: dict[str, Any], pointers: set[str]
) -> None:
    found = club.problem("invalid-request", "POST", PATH, **options)
    assert {each["pointer"] for each in found["errors"]} == pointers


def test_json_in_a_form_is_read_strictly(club: Api) -> None:
    for text in ("", "x", "[" * 1000, '"\\ud800"'):
        files = [("pictures", ("a.png", b"x")), ("consent", (None, text))]
        found = club.problem("malformed-body", "POST", PATH, files=files)
        assert found["detail"].startswith("consent: ")


def test_faces_are_listed_told_and_deleted(club: Api) -> None:
    club("POST", PATH, 201, **form(picture("ada"), picture("ada", extra=5), offer=consent()))
    listed = club.get("/collections/club/faces")["items"]
    one, two = (each["face_id"] for each in listed)
    assert one < two
    assert club.get(f"/collections/club/faces/{one}") == listed[0]
    some = club.get("/collections/club/faces", params={"face": [two, "0" * 8 + two[8:]]})
    assert [each["face_id"] for each in some["items"]] == [two]
    gone = club("DELETE", f"/collections/club/faces/{one}", 200).json()
    assert gone == {"deleted": [one], "failed": []}
    club.problem("face-not-found", "GET", f"/collections/club/faces/{one}")
    club.problem("face-not-found", "DELETE", f"/collections/club/faces/{one}")
    both = club("DELETE", "/collections/club/faces", 200, params={"face": [one, two, two]}).json()
    assert both["deleted"] == [two]
    assert both["failed"] == [{"face_id": one, "reason": "FACE_NOT_FOUND", "user": None}]
    club.problem("invalid-request", "GET", "/collections/club/faces/1")
    club.problem("invalid-request", "DELETE", "/collections/club/faces")


def test_a_face_of_a_user_is_not_deleted(club: Api) -> None:
    done = club("POST", PATH, 201, **form(picture("ada"), offer=consent())).json()
    face = done["pictures"][0]["face_id"]
    club.post("/collections/club/users", {"user": "ada"}, 201)
    club("PUT", "/collections/club/users/ada/faces", 200, json={"faces": [face]})
    club.problem("face-of-a-user", "DELETE", f"/collections/club/faces/{face}")
    left = club("DELETE", "/collections/club/faces", 200, params={"face": face}).json()
    assert left["failed"][0]["user"] == "ada"
    listed = club.get("/collections/club/faces", params={"user": "ada"})["items"]
    assert [each["user"] for each in listed] == ["ada"]
    club.problem("user-not-found", "GET", "/collections/club/faces", params={"user": "bob"})
