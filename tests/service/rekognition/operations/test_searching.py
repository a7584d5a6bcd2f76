"""Searches on the wire."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sayso.errors import AccessDenied, FaceNotFound, NoFaceFound, UserNotFound
from sayso.results import FalseMatchRule
from sayso.service.rekognition.faults import Fault
from sayso.service.rekognition.operations import searching
from tests.gallery.synthetic import ANYBODY, VERSION
from tests.service.rekognition.conftest import HANDLERS, Wire
from tests.service.rekognition.drawn import Drawn, Studio

NOBODY = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def crowd(club: Wire, studio: Studio) -> dict[str, list[str]]:
    """The ids of three faces of Ada, the last the least alike, and of one of Bob."""
    ada = [club.index("ada", studio.draw(Drawn(0, cosine=c))) for c in (0.99, 0.97, 0.9)]
    return {"ada": ada, "bob": [club.index("bob", studio.draw(1))]}


def by_image(wire: Wire, picture: bytes, operation: str = "SearchFacesByImage", **more: Any) -> Any:
    return wire(operation, CollectionId="club", Image={"Bytes": picture}, **more)


def ids(answer: dict[str, Any]) -> list[str]:
    return [each["Face"]["FaceId"] for each in answer["FaceMatches"]]


def users(answer: dict[str, Any]) -> list[str]:
    return [each["User"]["UserId"] for each in answer["UserMatches"]]


# --- SearchFacesByImage -----------------------------------------------------------------------


def test_the_largest_face_of_a_picture_is_searched_for(
    club: Wire, studio: Studio, crowd: dict[str, list[str]]
) -> None:
    picture = studio.draw(Drawn(0, side=60, left=20, top=10), Drawn(1, side=30, score=1.0))
    found = by_image(club, picture)
    assert found["SearchedFaceBoundingBox"] == pytest.approx(
        {"Left": 0.1, "Top": 0.1, "Width": 0.3, "Height": 0.6}
    )
    assert found["SearchedFaceConfidence"] == pytest.approx(99)
    assert found["FaceModelVersion"] == VERSION.template_version
    assert sorted(ids(found)) == sorted(crowd["ada"])
    similarities = [each["Similarity"] for each in found["FaceMatches"]]
    assert similarities == sorted(similarities, reverse=True)
    assert found["FaceMatches"][0]["Face"].keys() == {
        *("FaceId", "ImageId", "ExternalImageId", "Confidence", "BoundingBox")
    }


def test_most_faces_and_least_similarity_are_as_asked(
    club: Wire, studio: Studio, crowd: dict[str, list[str]]
) -> None:
    picture = studio.draw(0)
    assert len(ids(by_image(club, picture, MaxFaces=2))) == 2
    # The collection's rule stands, whatever is asked.
    assert len(ids(by_image(club, picture, FaceMatchThreshold=0))) == 3
    club.app.set_false_match_rule("club", ANYBODY)
    assert len(ids(by_image(club, picture, FaceMatchThreshold=0))) == 4
    stranger = studio.draw(5)
    assert by_image(club, stranger)["FaceMatches"] == []


def test_a_picture_without_a_face_cannot_be_searched_for(club: Wire, studio: Studio) -> None:
    with pytest.raises(NoFaceFound):
        by_image(club, studio.draw())
    with pytest.raises(NoFaceFound):
        by_image(club, studio.draw(Drawn(0, overall=10)), QualityFilter="AUTO")


def test_a_search_takes_its_right(club: Wire, studio: Studio) -> None:
    with pytest.raises(AccessDenied):
        by_image(club.with_key("detect"), studio.draw(0))


def test_nobody_is_found_for_another_purpose(
    club: Wire, studio: Studio, crowd: dict[str, list[str]]
) -> None:
    other = club.with_key("search", purpose="security")
    assert by_image(other, studio.draw(0))["FaceMatches"] == []
    with pytest.raises(FaceNotFound):
        other("SearchFaces", CollectionId="club", FaceId=crowd["ada"][0])


# --- SearchFaces ------------------------------------------------------------------------------


def test_an_enrolled_face_finds_the_others_and_not_itself(
    club: Wire, crowd: dict[str, list[str]]
) -> None:
    first, *others = crowd["ada"]
    found = club("SearchFaces", CollectionId="club", FaceId=first)
    assert found["SearchedFaceId"] == first
    assert sorted(ids(found)) == sorted(others)
    club.app.set_false_match_rule("club", ANYBODY)
    everybody = club("SearchFaces", CollectionId="club", FaceId=first, FaceMatchThreshold=0)
    assert sorted(ids(everybody)) == sorted(others + crowd["bob"])
    one = club("SearchFaces", CollectionId="club", FaceId=first, MaxFaces=1)
    assert len(ids(one)) == 1


def test_a_face_that_is_not_there_cannot_be_searched_for(club: Wire) -> None:
    with pytest.raises(FaceNotFound):
        club("SearchFaces", CollectionId="club", FaceId=NOBODY)


# --- users ------------------------------------------------------------------------------------


@pytest.fixture
def people(club: Wire, crowd: dict[str, list[str]]) -> dict[str, list[str]]:
    """The same, who are users now; and Eve, who has no face."""
    for name, faces in crowd.items():
        club("CreateUser", CollectionId="club", UserId=name)
        club("AssociateFaces", CollectionId="club", UserId=name, FaceIds=faces)
    club("CreateUser", CollectionId="club", UserId="eve")
    return crowd


def test_users_are_found_by_a_picture(
    club: Wire, studio: Studio, people: dict[str, list[str]]
) -> None:
    picture = studio.draw(
        Drawn(0, side=60, left=20, top=10), Drawn(1, side=50), Drawn(2, side=26, overall=30)
    )
    found = by_image(club, picture, "SearchUsersByImage", QualityFilter="MEDIUM")
    assert found["UserMatches"][0]["User"] == {"UserId": "ada", "UserStatus": "ACTIVE"}
    assert users(found) == ["ada"]
    assert found["SearchedFace"]["FaceDetail"]["BoundingBox"]["Width"] == pytest.approx(0.3)
    assert [left["Reasons"] for left in found["UnsearchedFaces"]] == [
        ["FACE_NOT_LARGEST"],
        ["SMALL_BOUNDING_BOX", "LOW_FACE_QUALITY"],
    ]
    assert found["UnsearchedFaces"][0]["FaceDetails"]["BoundingBox"]["Width"] == pytest.approx(0.25)
    club.app.set_false_match_rule("club", ANYBODY)
    everybody = by_image(club, picture, "SearchUsersByImage", UserMatchThreshold=0)
    assert users(everybody) == ["ada", "bob"]
    one = by_image(club, picture, "SearchUsersByImage", UserMatchThreshold=0, MaxUsers=1)
    assert users(one) == ["ada"]


def test_a_picture_without_a_face_finds_no_user_and_is_no_error(
    club: Wire, studio: Studio, people: dict[str, list[str]]
) -> None:
    assert by_image(club, studio.draw(), "SearchUsersByImage") == {
        "UserMatches": [],
        "FaceModelVersion": VERSION.template_version,
        "UnsearchedFaces": [],
    }
    poor = studio.draw(Drawn(0, overall=30))
    found = by_image(club, poor, "SearchUsersByImage", QualityFilter="HIGH")
    assert "SearchedFace" not in found
    assert found["UnsearchedFaces"][0]["Reasons"] == ["LOW_FACE_QUALITY"]


def test_users_are_found_by_a_face_or_by_another_user(
    club: Wire, people: dict[str, list[str]]
) -> None:
    by_face = club("SearchUsers", CollectionId="club", FaceId=people["ada"][0])
    assert users(by_face) == ["ada"]
    assert by_face["SearchedFace"] == {"FaceId": people["ada"][0]}
    assert "SearchedUser" not in by_face
    club.app.set_false_match_rule("club", ANYBODY)
    by_user = club("SearchUsers", CollectionId="club", UserId="ada", UserMatchThreshold=0)
    assert users(by_user) == ["bob"]
    assert by_user["SearchedUser"] == {"UserId": "ada"}
    assert "SearchedFace" not in by_user
    assert club("SearchUsers", CollectionId="club", UserId="eve")["UserMatches"] == []


def test_either_a_face_or_a_user_is_searched_for(club: Wire, people: dict[str, list[str]]) -> None:
    for named in ({}, {"UserId": "ada", "FaceId": people["ada"][0]}):
        with pytest.raises(Fault) as refused:
            club("SearchUsers", CollectionId="club", **named)
        assert refused.value.code == "InvalidParameterException"
    with pytest.raises(UserNotFound):
        club("SearchUsers", CollectionId="club", UserId="zoe")
    with pytest.raises(FaceNotFound):
        club("SearchUsers", CollectionId="club", FaceId=NOBODY)


# --- the collection's rule --------------------------------------------------------------------


def test_every_search_tells_in_a_header_what_matches_had_to_reach(
    club: Wire, studio: Studio, people: dict[str, list[str]]
) -> None:
    """The modelled answers have no room for it."""
    face, picture = people["ada"][0], {"Bytes": studio.draw(0)}
    searches: list[tuple[str, dict[str, Any]]] = [
        ("SearchFaces", {"FaceId": face, "FaceMatchThreshold": 0}),
        ("SearchFacesByImage", {"Image": picture, "FaceMatchThreshold": 0}),
        ("SearchUsers", {"UserId": "ada", "UserMatchThreshold": 0}),
        ("SearchUsersByImage", {"Image": picture, "UserMatchThreshold": 0}),
    ]

    def told(operation: str, request: dict[str, Any]) -> str:
        async def run() -> str:
            async with club.serving() as context:
                await HANDLERS[operation](context, {"CollectionId": "club", **request})
                return context.headers[searching.THRESHOLD]

        return asyncio.run(run())

    similarities = [float(told(*each)) for each in searches]
    assert all(20 < each < 80 for each in similarities)
    club.app.set_false_match_rule("club", FalseMatchRule(1e-9))
    assert [told(*each) for each in searches] == ["not measured"] * 4
    assert club("SearchFaces", CollectionId="club", FaceId=face)["FaceMatches"] == []
