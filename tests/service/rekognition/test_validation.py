"""Requests against the model: what is let through fits it, and what does not is told."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest
from botocore.model import (
    DenormalizedStructureBuilder,
    ListShape,
    MapShape,
    Shape,
    StringShape,
    StructureShape,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sayso.service.rekognition.faults import Fault
from sayso.service.rekognition.model import operation_of, service
from sayso.service.rekognition.policy import REFUSED
from sayso.service.rekognition.registry import handlers
from sayso.service.rekognition.validation import parse, validate


def checked(operation: str, request: Any) -> dict[str, Any]:
    model = service().operation_model(operation)
    return validate(model.input_shape, parse(json.dumps(request).encode()))


def fault(operation: str, request: Any) -> Fault:
    with pytest.raises(Fault) as found:
        checked(operation, request)
    return found.value


IMAGE = {"Bytes": base64.b64encode(b"a picture").decode()}


def test_what_fits_comes_through_with_bytes_and_without_what_is_not_modelled() -> None:
    found = checked("DetectFaces", {"Image": IMAGE, "Attributes": ["ALL"], "Surprise": 1})
    assert found == {"Image": {"Bytes": b"a picture"}, "Attributes": ["ALL"]}
    assert checked("ListCollections", {"MaxResults": None}) == {}


def test_lines_of_base64_may_be_broken() -> None:
    content = bytes(range(200))
    for text in (base64.encodebytes(content), base64.encodebytes(content).replace(b"\n", b"\r\n")):
        found = checked("DetectFaces", {"Image": {"Bytes": text.decode()}})
        assert found == {"Image": {"Bytes": content}}


@pytest.mark.parametrize(
    ("operation", "request_", "told"),
    [
        ("DetectFaces", {}, "Value null at 'image' failed to satisfy constraint: Member must not"),
        ("CreateCollection", {"CollectionId": "a b"}, "regular expression pattern"),
        ("CreateCollection", {"CollectionId": "a\n"}, "regular expression pattern"),
        ("CreateCollection", {"CollectionId": ""}, "length greater than or equal to 1"),
        ("CreateCollection", {"CollectionId": "a" * 256}, "length less than or equal to 255"),
        ("DetectFaces", {"Image": IMAGE, "Attributes": ["HAIR"]}, "'attributes.1.member'"),
        ("ListFaces", {"CollectionId": "c", "MaxResults": 5000}, "less than or equal to 4096"),
        ("ListFaces", {"CollectionId": "c", "MaxResults": -1}, "greater than or equal to 0"),
        ("DeleteFaces", {"CollectionId": "c", "FaceIds": []}, "length greater than or equal to 1"),
        ("DetectFaces", {"Image": {"S3Object": {"Bucket": "?"}}}, "'image.s3Object.bucket'"),
    ],
)
def test_every_constraint_of_the_model_holds(
    operation: str, request_: dict[str, Any], told: str
) -> None:
    found = fault(operation, request_)
    assert found.code == "InvalidParameterException"
    assert found.message.startswith("1 validation error detected: Value ")
    assert told in found.message


def test_several_problems_are_told_at_once() -> None:
    found = fault("SearchFacesByImage", {"CollectionId": "?", "MaxFaces": 0})
    assert found.message.startswith("3 validation errors detected: ")


@pytest.mark.parametrize(
    "request_",
    [
        {"Image": []},
        {"Image": {"Bytes": 5}},
        {"Image": {"Bytes": "not base64!"}},
        {"Image": IMAGE, "Attributes": "ALL"},
        {"Image": IMAGE, "Attributes": [1]},
    ],
)
def test_other_types_are_no_request(request_: dict[str, Any]) -> None:
    assert fault("DetectFaces", request_).code == "SerializationException"


@pytest.mark.parametrize(
    "body", [b"[]", b"{", b"\xff", b"null", b'{"a": NaN}', b'{"a": 1e999}x', b"[" * 100_000]
)
def test_what_is_no_object_is_no_request(body: bytes) -> None:
    with pytest.raises(Fault) as found:
        parse(body)
    assert found.value.code == "SerializationException"


def test_numbers_are_numbers() -> None:
    of = {"CollectionId": "c", "FaceId": "11111111-2222-3333-4444-555555555555"}
    for wrong in (True, "80", 1.5):
        assert fault("SearchFaces", {**of, "MaxFaces": wrong}).code == "SerializationException"
    assert checked("SearchFaces", {**of, "FaceMatchThreshold": 80})["FaceMatchThreshold"] == 80.0
    huge = b'{"CollectionId": "c", "FaceId": "x", "FaceMatchThreshold": 1e999}'
    with pytest.raises(Fault):
        validate(service().operation_model("SearchFaces").input_shape, parse(huge))


def test_a_picture_over_the_limit_is_too_large_and_is_not_told() -> None:
    content = base64.b64encode(bytes(5 * 1024 * 1024 + 1)).decode()
    found = fault("DetectFaces", {"Image": {"Bytes": content}})
    assert found.code == "ImageTooLargeException"
    assert len(found.message) < 200


def test_no_more_than_sixty_characters_of_a_value_are_told() -> None:
    found = fault("CreateCollection", {"CollectionId": "?" * 200})
    assert "?" * 60 in found.message
    assert "?" * 61 not in found.message


def test_no_blob_is_told_even_where_it_is_wrong() -> None:
    shape = (
        DenormalizedStructureBuilder()
        .with_members({"Content": {"type": "blob", "max": 4, "shape_name": "Content"}})
        .build_model()
    )
    secret = base64.b64encode(b"a face of somebody").decode()
    for content in (secret, secret + "!"):
        with pytest.raises(Fault) as found:
            validate(shape, {"Content": content})
        assert secret not in found.value.message
        assert "somebody" not in found.value.message
    assert validate(shape, {"Content": "AP8="}) == {"Content": b"\x00\xff"}


def test_what_is_nested_too_deeply_is_no_request() -> None:
    deep: Any = 1
    for _ in range(100):
        deep = {"a": [deep]}
    assert checked("DetectFaces", {"Image": IMAGE, "Unknown": deep}) == {
        "Image": {"Bytes": b"a picture"}
    }
    assert fault("DetectFaces", {"Image": {"Bytes": deep}}).code == "SerializationException"
    shape: dict[str, Any] = {"type": "string"}
    value: Any = "x"
    for _ in range(40):
        shape, value = {"type": "structure", "members": {"A": shape}}, {"A": value}
    model = DenormalizedStructureBuilder().with_members({"A": shape}).build_model()
    with pytest.raises(Fault) as found:
        validate(model, {"A": value})
    assert found.value.code == "SerializationException"


@pytest.mark.parametrize("text", ["\ud800", "a\udfff"])
def test_text_that_is_no_unicode_is_no_request(text: str) -> None:
    assert fault("CreateCollection", {"CollectionId": text}).code == "SerializationException"


@pytest.mark.parametrize(
    "text",
    [
        *("NaN", "Infinity", "-Infinity", "1e999", "-1e999", '"80"', "true"),
        # Whole numbers that no float reaches.
        *("1" + "0" * 400, "-1" + "0" * 400),
    ],
)
def test_what_is_no_finite_number_is_none(text: str) -> None:
    body = '{"CollectionId": "c", "FaceId": "%s", "FaceMatchThreshold": %s}'
    face = "11111111-2222-3333-4444-555555555555"
    with pytest.raises(Fault) as found:
        validate(
            service().operation_model("SearchFaces").input_shape,
            parse((body % (face, text)).encode()),
        )
    assert found.value.code == "SerializationException"


@pytest.mark.parametrize("part", [b"{}", b"[]", b"0", b'""', b'"ALL"'])
@pytest.mark.parametrize("name", [b"Attributes", b"Unknown"])
def test_what_has_too_many_parts_is_no_request(name: bytes, part: bytes) -> None:
    body = b'{"Image": {"Bytes": "AAAA"}, "%s": [%s]}'
    with pytest.raises(Fault) as found:
        parse(body % (name, b",".join([part] * 10_000)))
    assert found.value.code == "SerializationException"
    assert "10,000" in found.value.message
    assert len(parse(body % (name, b",".join([part] * 9_999)))[name.decode()]) == 9_999


def test_the_longest_lists_of_the_model_are_not_too_many_parts() -> None:
    face = "11111111-2222-3333-4444-555555555555"
    found = checked("DeleteFaces", {"CollectionId": "c", "FaceIds": [face] * 4096})
    assert len(found["FaceIds"]) == 4096
    tags = {str(number): "x" for number in range(200)}
    arn = "arn:aws:rekognition:eu-central-1:000000000000:collection/c"
    assert checked("TagResource", {"ResourceArn": arn, "Tags": tags})["Tags"] == tags


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


_OPERATIONS = sorted(service().operation_names)
_SHAPES = [service().operation_model(name).input_shape for name in _OPERATIONS]


def like(shape: Shape, depth: int = 0) -> st.SearchStrategy[Any]:
    """Draw what a shape might be, or in some places anything at all."""
    if depth > 3:
        return _JSON
    if isinstance(shape, StructureShape):
        members = {name: like(each, depth + 1) for name, each in shape.members.items()}
        fitting: st.SearchStrategy[Any] = st.fixed_dictionaries({}, optional=members)
    elif isinstance(shape, ListShape):
        fitting = st.lists(like(shape.member, depth + 1), max_size=3)
    elif isinstance(shape, MapShape):
        fitting = st.dictionaries(st.text(max_size=3), like(shape.value, depth + 1), max_size=2)
    elif shape.type_name == "blob":
        fitting = st.binary(max_size=9).map(lambda content: base64.b64encode(content).decode())
    elif isinstance(shape, StringShape):
        fitting = st.sampled_from([*shape.enum, "club", "a" * 61, "?" * 61]) | st.text()
    else:
        fitting = st.integers() | st.floats(allow_nan=False) | st.booleans()
    return fitting if depth == 0 else st.one_of(fitting, fitting, fitting, _JSON)


@pytest.mark.parametrize(
    "shape", [shape for shape in _SHAPES if shape is not None], ids=lambda shape: str(shape.name)
)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_whatever_comes_fits_or_is_a_fault(shape: Shape, data: st.DataObject) -> None:
    assert isinstance(shape, StructureShape)
    request = data.draw(like(shape) | st.dictionaries(st.text(), _JSON, max_size=3))
    try:
        found = validate(shape, parse(json.dumps(request).encode()))
    except Fault as fault:
        assert fault.status == 400  # noqa: PT017 - either is right
        for told in re.findall(r"Value '(.*?)' at '", fault.message):
            assert len(told) <= 60 + len("...")
    else:
        assert set(found) <= set(shape.members)
        assert set(shape.required_members) <= set(found)


def test_every_operation_is_asked() -> None:
    assert len(_OPERATIONS) == 75
    assert all(isinstance(shape, StructureShape) for shape in _SHAPES)


def test_every_operation_is_served_or_refused_and_none_is_both() -> None:
    assert set(handlers()) | set(REFUSED) == set(service().operation_names)
    assert not set(handlers()) & set(REFUSED)
    assert len(service().operation_names) == 75
    for operation in REFUSED:
        errors = {shape.name for shape in service().operation_model(operation).error_shapes}
        assert "AccessDeniedException" in errors, operation


@pytest.mark.parametrize(
    "target", [None, "", "ListFaces", "RekognitionService.", "Other.ListFaces"]
)
def test_a_target_that_names_no_operation_is_none(target: str | None) -> None:
    assert operation_of(target) is None
