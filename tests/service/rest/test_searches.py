"""Recognition and searches; and users, who are searched for."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.rest.conftest import Api
from tests.service.rest.people import NOBODY, consent, picture, shade


def enrol(api: Api, name: str, *extra: int, purpose: str = "photos") -> list[str]:
    headers = api.key("enrol", purpose=purpose)
    path = f"/collections/club/subjects/{name}"
    api.post(f"{path}/consents", consent(purpose), 201, headers=headers)
    files = [("pictures", (f"{each}.png", picture(name, extra=each))) for each in (extra or (0,))]
    done = api("POST", f"{path}/faces", 201, files=files, headers=headers).json()
    return [str(each["face_id"]) for each in done["pictures"]]


def sent(data: bytes) -> dict[str, Any]:
    return {"files": {"picture": ("party.png", data)}}


def test_everybody_is_named_whom_the_purpose_covers(club: Api) -> None:
    enrol(club, "ada")
    enrol(club, "bob", purpose="door")
    found = club(
        "POST", "/collections/club/recognize", 200, **sent(picture("ada", "bob", extra=4))
    ).json()
    assert (found["picture"], found["width"]) == ("party.png", 64)
    ada, bob = found["faces"]
    assert ada["subject"] == "ada"
    assert ada["similarity"] > 90
    assert 0 < ada["expected_false_matches"] < 0.01
    assert [bob[name] for name in ("subject", "similarity", "expected_false_matches")] == [None] * 3
    assert set(ada) == {
        *("box", "score", "landmarks", "quality", "turn"),
        *("subject", "similarity", "expected_false_matches", "duplicate"),
    }
    assert [each["duplicate"] for each in found["faces"]] == [False, False]
    twice = club("POST", "/collections/club/recognize", 200, **sent(picture("ada", "ada"))).json()
    assert [each["duplicate"] for each in twice["faces"]] == [True, True]


def test_a_key_searches_for_its_own_purpose_only(club: Api) -> None:
    enrol(club, "ada")
    club.problem(
        "access-denied",
        "POST",
        "/collections/club/recognize",
        params={"purpose": "door"},
        **sent(picture("ada")),
    )
    headers = club.key("search", purpose="door")
    found = club(
        "POST", "/collections/club/recognize", 200, headers=headers, **sent(picture("ada"))
    )
    assert found.json()["faces"][0]["subject"] is None


@pytest.mark.parametrize(
    "params",
    [
        {"min_similarity": "nan"},
        {"min_similarity": "inf"},
        {"min_similarity": -1},
        {"min_similarity": 101},
        {"min_similarity": ""},
        {"min_similarty": 95},
        {"purpose": ""},
        {"purpose": "A b"},
        {"purpose": ["photos", "photos"]},
    ],
)
def test_what_a_search_cannot_ask_is_refused(club: Api, params: dict[str, Any]) -> None:
    found = club.problem(
        "invalid-request",
        "POST",
        "/collections/club/recognize",
        params=params,
        **sent(picture("ada")),
    )
    assert [each["where"] for each in found["errors"]] == ["query"]


def test_a_picture_is_searched_for_among_faces(club: Api) -> None:
    faces = enrol(club, "ada", 0, 1)
    found = club("POST", "/collections/club/search", 200, **sent(picture("ada", "bob"))).json()
    assert {each["face"]["face_id"] for each in found["candidates"]} == set(faces)
    assert [each["reasons"] for each in found["left"]] == [["FACE_NOT_LARGEST"]]
    best = club(
        "POST", "/collections/club/search", 200, params={"top": 1}, **sent(picture("ada"))
    ).json()
    assert len(best["candidates"]) == 1
    assert best["candidates"][0]["face"]["subject"] == "ada"
    club.problem("no-face-found", "POST", "/collections/club/search", **sent(shade(NOBODY)))


def test_an_enrolled_face_is_searched_for_among_the_others(club: Api) -> None:
    one, two = enrol(club, "ada", 0, 1)
    enrol(club, "bob")
    found = club("POST", f"/collections/club/faces/{one}/search", 200).json()["candidates"]
    assert [each["face"]["face_id"] for each in found] == [two]
    missing = "0" * 8 + one[8:]
    club.problem("face-not-found", "POST", f"/collections/club/faces/{missing}/search")


def test_users_are_made_found_and_deleted(club: Api) -> None:
    one, two = enrol(club, "ada", 0, 1)
    (three,) = enrol(club, "bob")
    path = "/collections/club/users"
    made = club("POST", path, 201, json={"user": "ada"})
    assert made.headers["location"] == f"/v1{path}/ada"
    assert (made.json()["status"], made.json()["faces"]) == ("CREATED", 0)
    club.problem("user-exists", "POST", path, json={"user": "ada"})
    linked = club("PUT", f"{path}/ada/faces", 200, json={"faces": [one, two, three]}).json()
    assert set(linked["faces"]) == {one, two}
    assert linked["failed"][0]["reason"] == "LOW_MATCH_CONFIDENCE"
    assert linked["failed"][0]["similarity"] < 75
    assert club.get(f"{path}/ada") == linked["user"]
    assert club.get(path)["items"] == [linked["user"]]
    of_picture = club("POST", "/collections/club/search-users", 200, **sent(picture("ada"))).json()
    assert [each["user"]["user"] for each in of_picture["candidates"]] == ["ada"]
    nobody = club("POST", "/collections/club/search-users", 200, **sent(shade(NOBODY))).json()
    assert (nobody["face"], nobody["candidates"]) == (None, [])
    of_face = club("POST", f"/collections/club/faces/{two}/search-users", 200).json()
    assert of_face["candidates"][0]["user"]["status"] == "ACTIVE"
    assert club("POST", f"{path}/ada/search-users", 200).json()["candidates"] == []
    club.problem("user-not-found", "POST", f"{path}/bob/search-users")
    taken = club("DELETE", f"{path}/ada/faces", 200, params={"face": one}).json()
    assert (taken["faces"], taken["user"]["faces"]) == ([one], 1)
    assert club("DELETE", f"{path}/ada", 200).json() == {"user": "ada", "collection": "club"}
    club.problem("user-not-found", "DELETE", f"{path}/ada")


def test_a_user_takes_a_consent(club: Api) -> None:
    path = "/collections/club/users"
    club.problem("consent-required", "POST", path, json={"user": "eve"})
    club.post(path, {"user": "eve", "consent": consent()}, 201)
    wrong = {
        "user": "eve",
        "consent": consent(until="2020-01-01T00:00:00Z", **{"from": "2021-01-01T00:00:00Z"}),
    }
    found = club.problem("invalid-request", "POST", path, json=wrong)
    assert found["errors"][0]["pointer"] == "/consent"


def test_the_rule_of_a_collection_holds_and_every_search_tells(club: Api) -> None:
    first, _ = enrol(club, "ada", 0, 1)
    club.post("/collections/club/users", {"user": "ada"}, 201)
    club("PUT", "/collections/club/users/ada/faces", 200, json={"faces": [first]})
    searches: list[tuple[str, dict[str, Any]]] = [
        ("/collections/club/recognize", sent(picture("ada"))),
        ("/collections/club/search", sent(picture("ada"))),
        ("/collections/club/search-users", sent(picture("ada"))),
        (f"/collections/club/faces/{first}/search", {}),
        (f"/collections/club/faces/{first}/search-users", {}),
        ("/collections/club/users/ada/search-users", {}),
    ]

    def told() -> list[dict[str, Any]]:
        return [club("POST", path, 200, **more).json()["threshold"] for path, more in searches]

    # The rule alone decides: of nobody who could be found nothing is asked.
    assert [each["asked"] for each in told()] == [0] * len(searches)
    assert all(0 < each["similarity"] < 50 for each in told()[:-1])
    assert told()[-1]["similarity"] == 0
    assert [each["population"] for each in told()] == [2, 2, 1, 1, 1, 0]
    path = "/collections/club/false-matches"
    limit = {"max_expected_false_matches": 1e-9, "per": "face"}
    found = club("PUT", path, 200, json=limit).json()
    assert found == club.get("/collections/club")
    assert (found["max_expected_false_matches"], found["false_matches_per"]) == (1e-9, "face")
    for each in told():
        # Of nobody who could be found, no false match is to be expected.
        assert (each["similarity"] is None) == (each["population"] > 0)
        assert (each["asked"], each["probes"], each["per"]) == (0, 1, "face")
        assert each["max_expected_false_matches"] == 1e-9
    for wrong in (0, -1, 2e6, "much"):
        club.problem("invalid-request", "PUT", path, json={"max_expected_false_matches": wrong})
    club.problem("access-denied", "PUT", path, json=limit, headers=club.key("search"))


def test_what_a_search_must_reach_is_told_without_one(club: Api) -> None:
    enrol(club, "ada", 0, 1)
    path = "/collections/club/threshold"
    told = club.get(path, params={"faces": 2})
    found = club("POST", "/collections/club/recognize", 200, **sent(picture("ada", "bob"))).json()
    assert {name: told[name] for name in found["threshold"]} == found["threshold"]
    assert (told["asked"], told["population"], told["scale"]) == (0, 2, "normalised")
    assert 0 < told["similarity"] < 80
    assert told["expected_false_matches"] == pytest.approx(4 * told["false_match_rate"], rel=0.01)
    limit = {"max_expected_false_matches": 1e-9}
    club("PUT", "/collections/club/false-matches", 200, json=limit)
    told = club.get(path)
    assert (told["similarity"], told["score"], told["expected_false_matches"]) == (None, None, None)
    for query in ("faces=0", "faces=x", "min_similarity=101", "purpose=", "top=1"):
        club.problem("invalid-request", "GET", f"{path}?{query}")
    club.problem("access-denied", "GET", f"{path}?purpose=door")
    club.problem("access-denied", "GET", path, headers=club.key("detect"))
    club.problem("collection-not-found", "GET", "/collections/team/threshold")


def test_a_collection_begins_with_the_rule_that_is_asked_for(club: Api) -> None:
    asked = {"collection": "team", "max_expected_false_matches": 1, "false_matches_per": "face"}
    made = club.post("/collections", asked, 201)
    assert (made["max_expected_false_matches"], made["false_matches_per"]) == (1, "face")
    plain = club.get("/collections/club")
    assert (plain["max_expected_false_matches"], plain["false_matches_per"]) == (0.01, "picture")
