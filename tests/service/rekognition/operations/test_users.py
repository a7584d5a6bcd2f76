"""Users on the wire."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from sayso.errors import (
    ConsentRequired,
    TokenReused,
    TooManyFacesOfUser,
    UserExists,
    UserNotFound,
)
from tests.service.rekognition.conftest import Wire
from tests.service.rekognition.drawn import Drawn, Studio

NOBODY = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def ada(club: Wire) -> dict[str, str]:
    """A user without faces, as the requests about her name her."""
    who = {"CollectionId": "club", "UserId": "ada"}
    club("CreateUser", **who)
    return who


def listed(wire: Wire) -> dict[str, str]:
    answer = wire("ListUsers", CollectionId="club")
    return {user["UserId"]: user["UserStatus"] for user in answer["Users"]}


def test_a_user_is_active_with_a_face(club: Wire, studio: Studio, ada: dict[str, str]) -> None:
    face = club.index("ada", studio.draw(0))
    assert listed(club) == {"ada": "CREATED"}
    done = club("AssociateFaces", **ada, FaceIds=[face])
    assert done == {
        "AssociatedFaces": [{"FaceId": face}],
        "UnsuccessfulFaceAssociations": [],
        "UserStatus": "ACTIVE",
    }
    assert listed(club) == {"ada": "ACTIVE"}
    done = club("DisassociateFaces", **ada, FaceIds=[face])
    assert done == {
        "DisassociatedFaces": [{"FaceId": face}],
        "UnsuccessfulFaceDisassociations": [],
        "UserStatus": "CREATED",
    }
    assert listed(club) == {"ada": "CREATED"}


def test_a_deleted_user_leaves_the_faces(club: Wire, studio: Studio, ada: dict[str, str]) -> None:
    face = club.index("ada", studio.draw(0))
    club("AssociateFaces", **ada, FaceIds=[face])
    assert club("DeleteUser", **ada) == {}
    assert listed(club) == {}
    assert club("DeleteFaces", CollectionId="club", FaceIds=[face])["DeletedFaces"] == [face]
    with pytest.raises(UserNotFound):
        club("DeleteUser", **ada)


def test_a_user_is_made_once(club: Wire, ada: dict[str, str]) -> None:
    with pytest.raises(UserExists):
        club("CreateUser", **ada)


def test_a_user_must_have_agreed(club: Wire, agreed: Callable[..., None]) -> None:
    plain = club.with_key("enrol")
    with pytest.raises(ConsentRequired, match="POST /v1/collections/club/subjects/bob/consents"):
        plain("CreateUser", CollectionId="club", UserId="bob")
    agreed("bob")
    plain("CreateUser", CollectionId="club", UserId="bob")
    assert listed(club) == {"bob": "CREATED"}


def test_why_faces_are_not_associated_is_told(
    club: Wire, studio: Studio, ada: dict[str, str]
) -> None:
    own, own_too = (club.index("ada", studio.draw(0)) for _ in range(2))
    theirs, other = club.index("bob", studio.draw(1)), club.index("eve", studio.draw(2))
    club("CreateUser", CollectionId="club", UserId="bob")
    club("AssociateFaces", CollectionId="club", UserId="bob", FaceIds=[theirs])
    club("AssociateFaces", **ada, FaceIds=[own])
    done = club("AssociateFaces", **ada, FaceIds=[own_too, theirs, other, NOBODY])
    assert done["AssociatedFaces"] == [{"FaceId": own_too}]
    failed = {each["FaceId"]: each for each in done["UnsuccessfulFaceAssociations"]}
    confidence = failed[other].pop("Confidence")
    assert 0 <= confidence < 75
    assert failed == {
        theirs: {
            "FaceId": theirs,
            "UserId": "bob",
            "Reasons": ["ASSOCIATED_TO_A_DIFFERENT_USER"],
        },
        other: {"FaceId": other, "Reasons": ["LOW_MATCH_CONFIDENCE"]},
        NOBODY: {"FaceId": NOBODY, "Reasons": ["FACE_NOT_FOUND"]},
    }
    anyway = club("AssociateFaces", **ada, FaceIds=[other], UserMatchThreshold=0)
    assert anyway["AssociatedFaces"] == [{"FaceId": other}]


def test_why_faces_are_not_taken_from_a_user_is_told(
    club: Wire, studio: Studio, ada: dict[str, str]
) -> None:
    theirs = club.index("bob", studio.draw(1))
    club("CreateUser", CollectionId="club", UserId="bob")
    club("AssociateFaces", CollectionId="club", UserId="bob", FaceIds=[theirs])
    done = club("DisassociateFaces", **ada, FaceIds=[theirs, NOBODY])
    assert done["DisassociatedFaces"] == []
    assert done["UnsuccessfulFaceDisassociations"] == [
        {"FaceId": theirs, "UserId": "bob", "Reasons": ["ASSOCIATED_TO_A_DIFFERENT_USER"]},
        {"FaceId": NOBODY, "Reasons": ["FACE_NOT_FOUND"]},
    ]


def test_what_is_so_already_is_passed_over(club: Wire, studio: Studio, ada: dict[str, str]) -> None:
    """As documented: ignored, and not returned in the response."""
    face = club.index("ada", studio.draw(0))
    done = club("DisassociateFaces", **ada, FaceIds=[face])
    assert done["DisassociatedFaces"] == done["UnsuccessfulFaceDisassociations"] == []
    club("AssociateFaces", **ada, FaceIds=[face])
    done = club("AssociateFaces", **ada, FaceIds=[face])
    assert done["AssociatedFaces"] == done["UnsuccessfulFaceAssociations"] == []
    assert done["UserStatus"] == "ACTIVE"


def test_a_user_has_a_hundred_faces_at_most(
    club: Wire, studio: Studio, ada: dict[str, str]
) -> None:
    faces = [club.index("ada", studio.draw(Drawn(0, cosine=0.99))) for _ in range(101)]
    club("AssociateFaces", **ada, FaceIds=faces[:100])
    with pytest.raises(TooManyFacesOfUser):
        club("AssociateFaces", **ada, FaceIds=faces[100:])


def test_only_users_have_faces(club: Wire, studio: Studio) -> None:
    face = club.index("ada", studio.draw(0))
    for operation in ("AssociateFaces", "DisassociateFaces"):
        with pytest.raises(UserNotFound):
            club(operation, CollectionId="club", UserId="ada", FaceIds=[face])


def test_users_are_listed_in_pages(club: Wire) -> None:
    names = {"a" * 128, "b", "c", "d", "e"}
    for name in names:
        club("CreateUser", CollectionId="club", UserId=name)
    seen: list[str] = []
    more: dict[str, Any] = {}
    while True:
        answer = club("ListUsers", CollectionId="club", MaxResults=2, **more)
        seen += [user["UserId"] for user in answer["Users"]]
        if "NextToken" not in answer:
            break
        assert len(answer["NextToken"]) <= 255
        more = {"NextToken": answer["NextToken"]}
    assert set(seen) == names
    assert len(seen) == len(names)


# --- tokens -----------------------------------------------------------------------------------


def test_a_request_that_comes_again_is_not_done_again(club: Wire, studio: Studio) -> None:
    who = {"CollectionId": "club", "UserId": "ada"}
    face = club.index("ada", studio.draw(0))
    assert club("CreateUser", **who, ClientRequestToken="1") == {}
    assert club("CreateUser", **who, ClientRequestToken="1") == {}
    with pytest.raises(UserExists):
        club("CreateUser", **who, ClientRequestToken="2")
    first = club("AssociateFaces", **who, FaceIds=[face], ClientRequestToken="1")
    assert first["AssociatedFaces"] == [{"FaceId": face}]
    assert club("AssociateFaces", **who, FaceIds=[face], ClientRequestToken="1") == first
    first = club("DisassociateFaces", **who, FaceIds=[face], ClientRequestToken="1")
    assert first["DisassociatedFaces"] == [{"FaceId": face}]
    assert club("DisassociateFaces", **who, FaceIds=[face], ClientRequestToken="1") == first
    assert club("DeleteUser", **who, ClientRequestToken="1") == {}
    assert club("DeleteUser", **who, ClientRequestToken="1") == {}
    assert listed(club) == {}


def test_a_token_with_another_request_is_refused(club: Wire) -> None:
    club("CreateUser", CollectionId="club", UserId="ada", ClientRequestToken="1")
    with pytest.raises(TokenReused):
        club("CreateUser", CollectionId="club", UserId="bob", ClientRequestToken="1")
    assert listed(club) == {"ada": "CREATED"}


def test_a_token_is_of_its_key_and_ends_after_a_day(club: Wire) -> None:
    who = {"CollectionId": "club", "UserId": "ada"}
    club("CreateUser", **who, ClientRequestToken="1")
    with pytest.raises(UserExists):
        club.with_key(attestation="x")("CreateUser", **who, ClientRequestToken="1")
    club.clock.time += timedelta(days=1, seconds=1)
    with pytest.raises(UserExists):
        club("CreateUser", **who, ClientRequestToken="1")


def test_what_failed_may_be_tried_again_with_its_token(
    club: Wire, agreed: Callable[..., None]
) -> None:
    plain = club.with_key("enrol")
    who = {"CollectionId": "club", "UserId": "ada", "ClientRequestToken": "1"}
    with pytest.raises(ConsentRequired):
        plain("CreateUser", **who)
    agreed("ada")
    assert plain("CreateUser", **who) == {}
