"""Collections on the wire."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sayso.errors import AccessDenied, CollectionExists, CollectionNotFound, InvalidPageToken
from tests.gallery.synthetic import VERSION
from tests.service.rekognition.conftest import ACCOUNT, REGION, Wire
from tests.service.rekognition.drawn import Studio

ARN = f"arn:aws:rekognition:{REGION}:{ACCOUNT}:collection/club"


def test_a_collection_is_made_described_and_deleted(wire: Wire, studio: Studio) -> None:
    made = wire("CreateCollection", CollectionId="club", Tags={"team": "photo desk"})
    assert made == {
        "StatusCode": 200,
        "CollectionArn": ARN,
        "FaceModelVersion": VERSION.template_version,
    }
    wire.index("ada", studio.draw(0))
    wire.index("ada", studio.draw(0))
    wire("CreateUser", CollectionId="club", UserId="ada")
    assert wire("DescribeCollection", CollectionId="club") == {
        "FaceCount": 2,
        "UserCount": 1,
        "FaceModelVersion": VERSION.template_version,
        "CollectionARN": ARN,
        "CreationTimestamp": wire.clock.time,
    }
    assert wire("ListTagsForResource", ResourceArn=ARN) == {"Tags": {"team": "photo desk"}}
    assert wire("DeleteCollection", CollectionId="club") == {"StatusCode": 200}
    with pytest.raises(CollectionNotFound):
        wire("DescribeCollection", CollectionId="club")


def test_a_collection_cannot_be_made_twice(club: Wire) -> None:
    with pytest.raises(CollectionExists):
        club("CreateCollection", CollectionId="club")


def test_collections_are_listed_in_pages_the_oldest_first(wire: Wire) -> None:
    names = ["z" * 255, "b" * 255, *"yxac"]
    for name in names:
        wire("CreateCollection", CollectionId=name)
        wire.clock.time += timedelta(seconds=1)
    seen: list[str] = []
    answer = wire("ListCollections", MaxResults=2)
    while "NextToken" in answer:
        assert len(answer["CollectionIds"]) == len(answer["FaceModelVersions"]) == 2
        assert len(answer["NextToken"]) <= 255
        seen += answer["CollectionIds"]
        if len(seen) == 2:  # what comes and goes meanwhile moves nobody else
            wire("DeleteCollection", CollectionId=names[1])
            wire("CreateCollection", CollectionId="new")
        answer = wire("ListCollections", MaxResults=2, NextToken=answer["NextToken"])
    assert seen + answer["CollectionIds"] == [*names, "new"]


@pytest.mark.parametrize("size", [0, 4096])
def test_every_size_of_page_that_the_model_allows_is_taken(club: Wire, size: int) -> None:
    assert club("ListCollections", MaxResults=size)["CollectionIds"] == ["club"]


def test_collections_made_in_the_same_moment_are_all_listed(wire: Wire) -> None:
    for name in "abcdef":
        wire("CreateCollection", CollectionId=name)
    seen: list[str] = []
    answer = wire("ListCollections", MaxResults=1)
    seen += answer["CollectionIds"]
    while "NextToken" in answer:
        answer = wire("ListCollections", MaxResults=1, NextToken=answer["NextToken"])
        seen += answer["CollectionIds"]
    assert sorted(seen) == list("abcdef")


def test_a_page_token_is_good_for_its_list_and_its_key_and_an_hour(club: Wire) -> None:
    club("CreateCollection", CollectionId="team")
    token = club("ListCollections", MaxResults=1)["NextToken"]
    for other, operation, more in (
        (club, "ListUsers", {"CollectionId": "club"}),
        (club, "ListFaces", {"CollectionId": "club"}),
        (club.with_key(), "ListCollections", {}),
    ):
        with pytest.raises(InvalidPageToken):
            other(operation, NextToken=token, **more)
    with pytest.raises(InvalidPageToken):
        club("ListCollections", NextToken=f"{token[:-1]}{'A' if token[-1] != 'A' else 'B'}")
    club.clock.time += timedelta(hours=1, seconds=2)
    with pytest.raises(InvalidPageToken, match="expired"):
        club("ListCollections", NextToken=token)


def test_only_who_may_admin_makes_and_deletes_them(club: Wire) -> None:
    reader = club.with_key("search")
    assert reader("ListCollections")["CollectionIds"] == ["club"]
    with pytest.raises(AccessDenied):
        reader("CreateCollection", CollectionId="team")
    with pytest.raises(AccessDenied):
        reader("DeleteCollection", CollectionId="club")
