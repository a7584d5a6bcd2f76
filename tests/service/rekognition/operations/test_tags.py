"""Tags by ARN."""

from __future__ import annotations

import pytest

from sayso.errors import CollectionNotFound, TooManyTags
from sayso.service.rekognition.faults import Fault
from tests.service.rekognition.conftest import ACCOUNT, REGION, Wire

ARN = f"arn:aws:rekognition:{REGION}:{ACCOUNT}:collection/club"


def test_tags_are_put_replaced_and_taken(club: Wire) -> None:
    assert club("ListTagsForResource", ResourceArn=ARN) == {"Tags": {}}
    assert club("TagResource", ResourceArn=ARN, Tags={"team": "a", "for": "press"}) == {}
    club("TagResource", ResourceArn=ARN, Tags={"team": "b"})
    assert club("ListTagsForResource", ResourceArn=ARN) == {"Tags": {"for": "press", "team": "b"}}
    assert club("UntagResource", ResourceArn=ARN, TagKeys=["team", "not there"]) == {}
    assert club("ListTagsForResource", ResourceArn=ARN) == {"Tags": {"for": "press"}}


def test_a_collection_has_fifty_tags_at_most(club: Wire) -> None:
    club("TagResource", ResourceArn=ARN, Tags={f"key {i}": "" for i in range(50)})
    with pytest.raises(TooManyTags):
        club("TagResource", ResourceArn=ARN, Tags={"one more": ""})


@pytest.mark.parametrize(
    ("arn", "code"),
    [
        (ARN.replace("collection/club", "streamprocessor/club"), "ResourceNotFoundException"),
        (ARN.replace("collection/club", "project/p/version/v/1"), "ResourceNotFoundException"),
        (ARN.replace(ACCOUNT, "0" * 12), "ResourceNotFoundException"),
        (ARN.replace(REGION, "us-east-1"), "ResourceNotFoundException"),
        (f"{ARN}/more", "ResourceNotFoundException"),
        (f"{ARN}\n", "ResourceNotFoundException"),
        (ARN.removeprefix("arn:"), "InvalidParameterException"),
        (ARN.replace(":aws:", ":aws-cn:"), "InvalidParameterException"),
        (ARN.replace("rekognition", "s3"), "InvalidParameterException"),
        ("club" * 5, "InvalidParameterException"),
    ],
)
@pytest.mark.parametrize("operation", ["TagResource", "UntagResource", "ListTagsForResource"])
def test_other_arns_are_refused(club: Wire, operation: str, arn: str, code: str) -> None:
    with pytest.raises(Fault) as refused:
        club(operation, ResourceArn=arn, Tags={"a": "b"}, TagKeys=["a"])
    assert refused.value.code == code


def test_a_collection_that_is_not_there_has_no_tags(wire: Wire) -> None:
    with pytest.raises(CollectionNotFound):
        wire("ListTagsForResource", ResourceArn=ARN)
