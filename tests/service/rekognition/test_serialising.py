"""Answers against the model: what does not fit it never leaves."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.model import DenormalizedStructureBuilder, Shape, StructureShape

from sayso.service.rekognition.model import service
from sayso.service.rekognition.serialising import AnswerUnfit, serialise


def output(operation: str) -> Shape | None:
    return service().operation_model(operation).output_shape


def built(**members: dict[str, Any]) -> StructureShape:
    """Return a shape with these members, as botocore builds it."""
    return DenormalizedStructureBuilder().with_members(members).build_model()


def written(operation: str, answer: dict[str, Any]) -> Any:
    return json.loads(serialise(output(operation), answer))


@pytest.mark.parametrize(
    ("operation", "answer"),
    [
        ("ListCollections", {"Unknown": 1}),
        ("ListCollections", {"collectionIds": []}),
        ("ListCollections", {"CollectionIds": "club"}),
        ("ListCollections", {"CollectionIds": {"a": 1}}),
        ("ListCollections", {"CollectionIds": [1]}),
        ("ListCollections", {"CollectionIds": [b"club"]}),
        ("ListCollections", {"FaceModelVersions": [None]}),
        ("DetectFaces", {"FaceDetails": [{"Surprise": 1}]}),
        ("DetectFaces", {"FaceDetails": [{"BoundingBox": {"Left": "0.5"}}]}),
        ("DetectFaces", {"FaceDetails": [{"BoundingBox": [0, 0, 1, 1]}]}),
        ("DetectFaces", {"FaceDetails": [{"Landmarks": [{"Type": "leftEar"}]}]}),
        ("DetectFaces", {"FaceDetails": [{"Smile": {"Value": 1}}]}),
        ("DetectFaces", {"OrientationCorrection": "ROTATE_45"}),
        ("CreateCollection", {"StatusCode": True}),
        ("CreateCollection", {"StatusCode": 200.0}),
        ("DescribeCollection", {"FaceCount": 1.5}),
        ("ListTagsForResource", {"Tags": {"a": 1}}),
        ("ListTagsForResource", {"Tags": {1: "a"}}),
        ("ListTagsForResource", {"Tags": ["a"]}),
        ("DeleteUser", {"Unknown": 1}),
        ("DescribeCollection", {"CreationTimestamp": "yesterday"}),
        ("DescribeCollection", {"CreationTimestamp": True}),
    ],
)
def test_what_is_not_modelled_does_not_leave(operation: str, answer: dict[str, Any]) -> None:
    with pytest.raises(AnswerUnfit):
        serialise(output(operation), answer)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf"), True, "1", 1j])
def test_what_is_no_number_does_not_leave_at_any_depth(wrong: Any) -> None:
    for operation, answer in (
        ("SearchFacesByImage", {"SearchedFaceConfidence": wrong}),
        ("DetectFaces", {"FaceDetails": [{"BoundingBox": {"Left": wrong}}]}),
        ("CompareFaces", {"FaceMatches": [{"Similarity": wrong}]}),
        ("CreateCollection", {"StatusCode": wrong}),
    ):
        with pytest.raises(AnswerUnfit):
            serialise(output(operation), answer)


def test_a_required_member_is_not_left_out() -> None:
    # GetFaceLivenessSessionResults is not served; it is one of the few answers that require some.
    whole = {"SessionId": "00000000-0000-0000-0000-000000000000", "Status": "CREATED"}
    assert written("GetFaceLivenessSessionResults", whole) == whole
    for missing in whole:
        part = {name: value for name, value in whole.items() if name != missing}
        with pytest.raises(AnswerUnfit, match=missing):
            serialise(output("GetFaceLivenessSessionResults"), part)
        with pytest.raises(AnswerUnfit, match=missing):
            serialise(output("GetFaceLivenessSessionResults"), {**part, missing: None})


def test_what_is_unfit_is_told_by_name_and_not_by_value() -> None:
    with pytest.raises(AnswerUnfit) as unfit:
        serialise(output("CreateUser"), {"Unknown": "Ada Lovelace"})
    assert "Ada" not in str(unfit.value)
    with pytest.raises(AnswerUnfit) as unfit:
        serialise(output("ListUsers"), {"Users": [{"UserStatus": "Ada Lovelace"}]})
    assert "Ada" not in str(unfit.value)


def test_kinds_are_written_as_aws_json_has_them() -> None:
    at = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
    found = written("DescribeCollection", {"CreationTimestamp": at, "FaceCount": 3})
    assert found == {"CreationTimestamp": at.timestamp(), "FaceCount": 3}
    assert serialise(output("SearchFacesByImage"), {"SearchedFaceConfidence": 1}) == (
        b'{"SearchedFaceConfidence": 1.0}'
    )
    assert serialise(output("CreateCollection"), {"StatusCode": 200}) == b'{"StatusCode": 200}'
    assert written("DetectFaces", {"FaceDetails": ()}) == {"FaceDetails": []}
    assert written("ListTagsForResource", {"Tags": {"a": "é"}}) == {"Tags": {"a": "é"}}
    assert serialise(built(Picture={"type": "blob"}), {"Picture": b"\x00\xff"}) == (
        b'{"Picture": "AP8="}'
    )


def test_what_is_none_is_left_out_and_what_is_empty_is_not() -> None:
    answer: dict[str, Any] = {"FaceDetails": [], "OrientationCorrection": None}
    assert written("DetectFaces", answer) == {"FaceDetails": []}
    assert serialise(output("CreateUser"), {}) == b"{}"


def test_an_operation_without_an_answer_has_an_empty_one() -> None:
    assert serialise(None, {}) == b"{}"
    with pytest.raises(AnswerUnfit):
        serialise(None, {"StatusCode": 200})
