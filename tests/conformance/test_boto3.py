"""boto3 against a real server: every operation, every answer by the model, every kind of error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.conformance.conftest import KNOWN, OTHER, Client, Picture, Served
from tests.service.process import serving
from tests.service.rekognition.shapes import check_answer, model

_NUMBERS = count()
#: What is promised to be served, said here once more and not read from what is tested.
SERVED = {
    "DetectFaces",
    "CompareFaces",
    "CreateCollection",
    "DescribeCollection",
    "DeleteCollection",
    "ListCollections",
    "IndexFaces",
    "ListFaces",
    "DeleteFaces",
    "SearchFaces",
    "SearchFacesByImage",
    "CreateUser",
    "DeleteUser",
    "ListUsers",
    "AssociateFaces",
    "DisassociateFaces",
    "SearchUsers",
    "SearchUsersByImage",
    "TagResource",
    "UntagResource",
    "ListTagsForResource",
}


def client(served: Served, key: tuple[str, str], **config: Any) -> Client:
    return boto3.client(
        "rekognition",
        endpoint_url=served.server.url,
        region_name="eu-central-1",
        aws_access_key_id=key[0],
        aws_secret_access_key=key[1],
        config=Config(retries={"total_max_attempts": 1}, **config),
    )


@pytest.fixture(scope="module")
def rekognition(served: Served) -> Client:
    return client(served, served.attested)


@pytest.fixture
def club(rekognition: Client) -> Iterator[str]:
    name = f"club-{next(_NUMBERS)}"
    rekognition.create_collection(CollectionId=name)
    yield name
    rekognition.delete_collection(CollectionId=name)


def checked(rekognition: Client, operation: str, **request: Any) -> dict[str, Any]:
    """Call an operation, and hold its answer against the model."""
    method = "".join("_" + c.lower() if c.isupper() else c for c in operation).lstrip("_")
    answer: dict[str, Any] = getattr(rekognition, method)(**request)
    metadata = answer.pop("ResponseMetadata")
    assert metadata["HTTPStatusCode"] == 200
    assert len(metadata["RequestId"]) == 36
    check_answer(operation, answer)
    return answer


def test_every_served_operation_answers_as_the_model_has_it(  # noqa: PLR0915
    rekognition: Client, person: Picture
) -> None:
    called: set[str] = set()

    def call(operation: str, **request: Any) -> dict[str, Any]:
        called.add(operation)
        return checked(rekognition, operation, **request)

    first, second = {"Bytes": person(KNOWN, 3)}, {"Bytes": person(KNOWN, 2)}
    stranger = {"Bytes": person(OTHER, 1)}
    of = {"CollectionId": "all"}
    made = call("CreateCollection", **of, Tags={"team": "red"})
    arn = made["CollectionArn"]
    assert arn == "arn:aws:rekognition:eu-central-1:000000000000:collection/all"
    faces = []
    for name, image in ((f"{KNOWN}-3", first), (f"{KNOWN}-2", second)):
        done = call("IndexFaces", **of, Image=image, ExternalImageId=name, MaxFaces=1)
        faces.append(done["FaceRecords"][0]["Face"]["FaceId"])
        assert done["FaceModelVersion"] == made["FaceModelVersion"]
    again = call("IndexFaces", **of, Image=first, ExternalImageId=f"{KNOWN}-3")
    assert again["FaceRecords"][0]["Face"]["FaceId"] == faces[0]
    detail = call("DetectFaces", Image=first, Attributes=["ALL"])["FaceDetails"][0]
    assert {"Gender", "AgeRange", "Emotions"}.isdisjoint(detail)
    assert len(call("DetectFaces", Image=first)["FaceDetails"][0]["Landmarks"]) == 5
    alike = call("CompareFaces", SourceImage=first, TargetImage=second)
    assert alike["FaceMatches"][0]["Similarity"] > 80
    unlike = call("CompareFaces", SourceImage=first, TargetImage=stranger)
    assert (len(unlike["FaceMatches"]), len(unlike["UnmatchedFaces"])) == (0, 1)
    assert call("ListCollections")["CollectionIds"] == ["all"]
    described = call("DescribeCollection", **of)
    assert (described["FaceCount"], described["CollectionARN"]) == (2, arn)
    assert {each["FaceId"] for each in call("ListFaces", **of)["Faces"]} == set(faces)
    found = call("SearchFacesByImage", **of, Image=second)
    assert found["FaceMatches"][0]["Face"]["ExternalImageId"] == f"{KNOWN}-2"
    assert found["SearchedFaceConfidence"] > 50
    assert call("SearchFacesByImage", **of, Image=stranger)["FaceMatches"] == []
    others = call("SearchFaces", **of, FaceId=faces[0])
    assert [each["Face"]["FaceId"] for each in others["FaceMatches"]] == [faces[1]]
    call("CreateUser", **of, UserId=KNOWN, ClientRequestToken="one")
    call("CreateUser", **of, UserId=KNOWN, ClientRequestToken="one")
    linked = call("AssociateFaces", **of, UserId=KNOWN, FaceIds=faces)
    assert (len(linked["AssociatedFaces"]), linked["UserStatus"]) == (2, "ACTIVE")
    assert call("ListUsers", **of)["Users"] == [{"UserId": KNOWN, "UserStatus": "ACTIVE"}]
    users = call("SearchUsersByImage", **of, Image=second)
    assert [each["User"]["UserId"] for each in users["UserMatches"]] == [KNOWN]
    call("SearchUsers", **of, UserId=KNOWN)
    by_face = call("SearchUsers", **of, FaceId=faces[1])
    assert [each["User"]["UserId"] for each in by_face["UserMatches"]] == [KNOWN]
    kept = call("DeleteFaces", **of, FaceIds=faces)["UnsuccessfulFaceDeletions"]
    assert {each["Reasons"][0] for each in kept} == {"ASSOCIATED_TO_AN_EXISTING_USER"}
    call("DisassociateFaces", **of, UserId=KNOWN, FaceIds=faces)
    call("DeleteUser", **of, UserId=KNOWN)
    assert set(call("DeleteFaces", **of, FaceIds=faces)["DeletedFaces"]) == set(faces)
    call("TagResource", ResourceArn=arn, Tags={"room": "4"})
    call("UntagResource", ResourceArn=arn, TagKeys=["team"])
    assert call("ListTagsForResource", ResourceArn=arn)["Tags"] == {"room": "4"}
    call("DeleteCollection", **of)
    assert called == SERVED


def policy_of(operation: str) -> str:
    """Return the policy that an operation must be refused by."""
    for part, policy in (
        ("StreamProcessor", "live-watchlists"),
        ("Celebrit", "no-celebrities"),
        ("PersonTracking", "no-person-tracking"),
        ("FaceLiveness", "not-yet-available"),
        ("FaceDetection", "not-yet-available"),
        ("FaceSearch", "not-yet-available"),
    ):
        if part in operation:
            return policy
    return "not-about-faces"


@pytest.mark.parametrize("body", [b"{}", b'{"Name": [null], "Image": 1, "JobId": {}}'])
def test_all_operations_of_the_model_are_served_or_refused_and_none_is_forgotten(
    served: Served, body: bytes
) -> None:
    careless = client(served, served.attested, parameter_validation=False)
    careless.meta.events.register(
        "before-call.rekognition", lambda params, **_: params.update(body=body)
    )
    methods = {wire: name for name, wire in careless.meta.method_to_api_mapping.items()}
    assert len(methods) == 75
    assert methods.keys() == set(model().operation_names)
    for operation, name in methods.items():
        try:
            getattr(careless, name)()
        except ClientError as error:
            code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        else:
            code, message = "", ""
        if operation in SERVED:
            allowed = {"", "InvalidParameterException", "SerializationException"}
            assert code in allowed, operation
        else:
            assert code == "AccessDeniedException", operation
            assert f"policy {policy_of(operation)};" in message, operation


def provoked(
    rekognition: Client, club: str, person: Picture, bucket: Path
) -> dict[str, list[Callable[[], Any]]]:
    """Return calls that are refused, by the error that they must be refused with."""
    picture = {"Bytes": person(KNOWN, 3)}
    large = b"\xff\xd8\xff" + bytes(6 * 1024 * 1024)
    (bucket / "text.txt").write_text("no picture")
    c = rekognition
    face = "11111111-2222-3333-4444-555555555555"

    def user_made_twice() -> None:
        for _ in range(2):
            c.create_user(CollectionId=club, UserId="twice")

    def token_reused() -> None:
        for name in ("a", "b"):
            c.create_user(CollectionId=club, UserId=name, ClientRequestToken="t")

    def many_tags() -> None:
        arn = c.describe_collection(CollectionId=club)["CollectionARN"]
        c.tag_resource(ResourceArn=arn, Tags={f"k{n}": "" for n in range(51)})

    return {
        "InvalidParameterException": [
            lambda: c.create_collection(CollectionId="not a name"),
            lambda: c.create_collection(CollectionId="a" * 256),
            lambda: c.detect_faces(Image={}),
            lambda: c.detect_faces(Image=picture, Attributes=["GENDER"]),
            lambda: c.detect_faces(Image=picture, Attributes=["HAIR"]),
            lambda: c.index_faces(CollectionId=club, Image=picture),
            lambda: c.search_faces_by_image(
                CollectionId=club, Image=picture, FaceMatchThreshold=101.0
            ),
            lambda: c.list_faces(CollectionId=club, MaxResults=4097),
            lambda: c.search_users(CollectionId=club),
            lambda: c.search_faces(CollectionId=club, FaceId=face),
        ],
        "ResourceNotFoundException": [
            lambda: c.describe_collection(CollectionId="nowhere"),
            lambda: c.delete_collection(CollectionId="nowhere"),
            lambda: c.search_faces(CollectionId="nowhere", FaceId=face),
            lambda: c.delete_user(CollectionId=club, UserId="nobody"),
        ],
        "ResourceAlreadyExistsException": [lambda: c.create_collection(CollectionId=club)],
        "ConflictException": [user_made_twice],
        "IdempotentParameterMismatchException": [token_reused],
        "ServiceQuotaExceededException": [many_tags],
        "InvalidPaginationTokenException": [
            lambda: c.list_faces(CollectionId=club, NextToken="forged")
        ],
        "ImageTooLargeException": [lambda: c.detect_faces(Image={"Bytes": large})],
        "InvalidImageFormatException": [
            lambda: c.detect_faces(Image={"Bytes": b"no picture"}),
            lambda: c.detect_faces(Image={"S3Object": {"Bucket": "photos", "Name": "text.txt"}}),
        ],
        "InvalidS3ObjectException": [
            lambda: c.detect_faces(Image={"S3Object": {"Bucket": "photos", "Name": "none.jpg"}}),
            lambda: c.detect_faces(Image={"S3Object": {"Bucket": "photos", "Name": "../data/x"}}),
            lambda: c.detect_faces(Image={"S3Object": {"Bucket": "others", "Name": "a.jpg"}}),
        ],
        "AccessDeniedException": [lambda: c.recognize_celebrities(Image=picture)],
    }


def test_every_kind_of_error_is_the_one_that_the_model_has(
    served: Served, rekognition: Client, club: str, person: Picture
) -> None:
    calls = provoked(rekognition, club, person, served.bucket)
    for kind, refused in calls.items():
        for call in refused:
            with pytest.raises(getattr(rekognition.exceptions, kind)) as error:
                call()
            assert error.value.response["Error"]["Message"]
            assert error.value.response["ResponseMetadata"]["RequestId"]
            modelled = model().operation_model(error.value.operation_name).error_shapes
            assert kind in {shape.name for shape in modelled}, error.value.operation_name


def test_a_key_that_asks_too_much_is_throttled(served: Served, tmp_path: Path) -> None:
    from sayso.core import Sayso

    with Sayso(tmp_path / "data") as app:
        made = app.create_key("eager", purpose="photos", actions=["search"])
    with serving(tmp_path / "data", key_rate=1) as server:
        eager = server.rekognition((made.key.id, made.secret))

        def hurry() -> None:
            for _ in range(10):
                eager.list_collections()

        with pytest.raises(eager.exceptions.ThrottlingException) as error:
            hurry()
        headers = error.value.response["ResponseMetadata"]["HTTPHeaders"]
        assert int(headers["retry-after"]) >= 1


def test_a_picture_in_a_bucket_is_as_good_as_one_that_is_sent(
    served: Served, rekognition: Client, club: str, person: Picture
) -> None:
    (served.bucket / "sub").mkdir(exist_ok=True)
    (served.bucket / "sub" / "a b.jpg").write_bytes(person(KNOWN, 3))
    image = {"S3Object": {"Bucket": "photos", "Name": "sub/a b.jpg"}}
    done = checked(rekognition, "IndexFaces", CollectionId=club, Image=image, ExternalImageId=KNOWN)
    assert len(done["FaceRecords"]) == 1


def test_pages_are_walked_by_botocores_own_paginators(
    rekognition: Client, club: str, person: Picture
) -> None:
    for number, name in ((3, KNOWN), (1, OTHER), (2, f"{KNOWN}-2")):
        picture = {"Bytes": person(KNOWN if name.startswith(KNOWN) else name, number)}
        rekognition.index_faces(CollectionId=club, Image=picture, ExternalImageId=name)
    pages = rekognition.get_paginator("list_faces").paginate(
        CollectionId=club, PaginationConfig={"PageSize": 1}
    )
    seen = [face["ExternalImageId"] for page in pages for face in page["Faces"]]
    assert sorted(seen) == sorted([KNOWN, OTHER, f"{KNOWN}-2"])
    listed = rekognition.get_paginator("list_collections").paginate(
        PaginationConfig={"PageSize": 1}
    )
    assert club in [name for page in listed for name in page["CollectionIds"]]


# --- as it is published ------------------------------------------------------------------------


def test_a_folder_is_indexed_searched_compared_and_deleted(
    served: Served, person: Picture, tmp_path: Path
) -> None:
    for name, number in ((KNOWN, 3), (OTHER, 1)):
        (tmp_path / f"{name}.jpg").write_bytes(person(name, number))
    rekognition = client(served, served.attested)

    rekognition.create_collection(CollectionId="my-collection")
    for path in sorted(tmp_path.iterdir()):
        with path.open("rb") as image:
            response = rekognition.index_faces(
                CollectionId="my-collection",
                Image={"Bytes": image.read()},
                ExternalImageId=path.name,
                MaxFaces=1,
                QualityFilter="AUTO",
                DetectionAttributes=["ALL"],
            )
        assert len(response["FaceRecords"]) == 1
    response = rekognition.search_faces_by_image(
        CollectionId="my-collection",
        Image={"Bytes": person(KNOWN, 2)},
        FaceMatchThreshold=80,
        MaxFaces=5,
    )
    matches = [match["Face"]["ExternalImageId"] for match in response["FaceMatches"]]
    assert matches == [f"{KNOWN}.jpg"]
    response = rekognition.compare_faces(
        SourceImage={"Bytes": person(KNOWN, 2)},
        TargetImage={"Bytes": person(KNOWN, 3)},
        SimilarityThreshold=80,
    )
    assert len(response["FaceMatches"]) == 1
    assert rekognition.delete_collection(CollectionId="my-collection")["StatusCode"] == 200


def test_users_are_created_associated_and_found(served: Served, person: Picture) -> None:
    rekognition = client(served, served.attested)

    rekognition.create_collection(CollectionId="user-collection")
    rekognition.create_user(CollectionId="user-collection", UserId="demo-user")
    face_ids = []
    for number in (2, 3):
        response = rekognition.index_faces(
            CollectionId="user-collection",
            Image={"Bytes": person(KNOWN, number)},
            ExternalImageId=f"photo-{number}.jpg",
            MaxFaces=1,
        )
        face_ids += [record["Face"]["FaceId"] for record in response["FaceRecords"]]
    response = rekognition.associate_faces(
        CollectionId="user-collection", UserId="demo-user", FaceIds=face_ids
    )
    assert len(response["AssociatedFaces"]) == 2
    response = rekognition.search_users_by_image(
        CollectionId="user-collection", Image={"Bytes": person(KNOWN, 3)}
    )
    assert response["UserMatches"][0]["User"]["UserId"] == "demo-user"
    rekognition.delete_collection(CollectionId="user-collection")


def test_without_an_attestation_it_is_told_what_to_record(served: Served, person: Picture) -> None:
    rekognition = client(served, served.plain)
    rekognition.create_collection(CollectionId="unattested")
    with pytest.raises(rekognition.exceptions.AccessDeniedException) as refused:
        rekognition.index_faces(
            CollectionId="unattested",
            Image={"Bytes": person(KNOWN, 3)},
            ExternalImageId="somebody",
        )
    message = refused.value.response["Error"]["Message"]
    assert "has no live consent to 'photo-delivery'" in message
    assert "POST /v1/collections/unattested/subjects/somebody/consents" in message
    assert rekognition.list_faces(CollectionId="unattested")["Faces"] == []
    rekognition.delete_collection(CollectionId="unattested")


# --- whoever signs otherwise ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"aws_secret_access_key": "wrong"}, "UnrecognizedClientException"),
        ({"aws_access_key_id": "SAYSNOBODY"}, "UnrecognizedClientException"),
        ({"aws_session_token": "token"}, "UnrecognizedClientException"),
    ],
)
def test_who_is_not_known_is_refused(served: Served, change: dict[str, str], kind: str) -> None:
    keys = {"aws_access_key_id": served.attested[0], "aws_secret_access_key": served.attested[1]}
    other = boto3.client(
        "rekognition",
        endpoint_url=served.server.url,
        region_name="eu-central-1",
        config=Config(retries={"total_max_attempts": 1}),
        **(keys | change),
    )
    with pytest.raises(ClientError) as refused:
        other.list_collections()
    assert refused.value.response["Error"]["Code"] == kind
