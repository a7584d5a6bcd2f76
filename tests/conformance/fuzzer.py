"""Requests that nobody should send, drawn from Rekognition's model and then spoilt."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from unittest import mock

from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from sayso.service.rekognition.model import service
from tests.service.rekognition.drawn import picture_file


def signed(
    url: str,
    key: tuple[str, str],
    target: str,
    body: bytes,
    *,
    region: str = "us-east-1",
    of: str = "rekognition",
    at: datetime | None = None,
) -> dict[str, str]:
    """Return the headers of a request that is signed as botocore signs it."""
    request = AWSRequest(
        "POST",
        url + "/",
        headers={"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"},
        data=body,
    )
    now = (at or datetime.now(UTC)).replace(tzinfo=None)
    with mock.patch("botocore.auth.get_current_datetime", return_value=now):
        auth.SigV4Auth(Credentials(*key), of, region).add_auth(request)
    return {name: str(value) for name, value in request.headers.items()}


_FACE = "11111111-2222-3333-4444-555555555555"
_ARN = "arn:aws:rekognition:us-east-1:000000000000:collection/club"


def requests(image: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give requests that fit the model, one or more of each operation that is served."""
    club = {"CollectionId": "club"}
    yield from (
        ("CreateCollection", {"CollectionId": "team", "Tags": {"of": "ada"}}),
        ("DescribeCollection", club),
        ("ListCollections", {"MaxResults": 5}),
        ("DeleteCollection", {"CollectionId": "team"}),
        ("DetectFaces", {"Image": image, "Attributes": ["ALL"]}),
        ("DetectFaces", {"Image": {"S3Object": {"Bucket": "photos", "Name": "a/b.jpg"}}}),
        ("CompareFaces", {"SourceImage": image, "TargetImage": image, "SimilarityThreshold": 80}),
        ("ListFaces", {**club, "MaxResults": 5}),
        ("ListFaces", {**club, "NextToken": "abcd", "UserId": "ada", "FaceIds": [_FACE]}),
        ("DeleteFaces", {**club, "FaceIds": [_FACE]}),
        ("SearchFaces", {**club, "FaceId": _FACE, "MaxFaces": 5, "FaceMatchThreshold": 80}),
        ("SearchFacesByImage", {**club, "Image": image, "QualityFilter": "AUTO"}),
        ("CreateUser", {**club, "UserId": "ada", "ClientRequestToken": "t-1"}),
        ("ListUsers", {**club, "MaxResults": 5}),
        ("DeleteUser", {**club, "UserId": "ada", "ClientRequestToken": "t-2"}),
        ("AssociateFaces", {**club, "UserId": "ada", "FaceIds": [_FACE]}),
        ("DisassociateFaces", {**club, "UserId": "ada", "FaceIds": [_FACE]}),
        ("SearchUsers", {**club, "UserId": "ada", "UserMatchThreshold": 80}),
        ("SearchUsersByImage", {**club, "Image": image, "MaxUsers": 5}),
        ("TagResource", {"ResourceArn": _ARN, "Tags": {"of": "ada"}}),
        ("UntagResource", {"ResourceArn": _ARN, "TagKeys": ["of"]}),
        ("ListTagsForResource", {"ResourceArn": _ARN}),
        ("IndexFaces", {**club, "Image": image, "ExternalImageId": "ada", "MaxFaces": 1}),
    )


class Fuzzer:
    """Draws requests from the model, and then spoils some of them."""

    def __init__(self, seed: int, portraits: list[bytes]) -> None:
        self.random = random.Random(seed)
        self.portraits = [base64.b64encode(each).decode() for each in portraits]
        #: Faces that the server told of.
        self.faces = [_FACE]
        self.picture = base64.b64encode(picture_file((100, 100), form="JPEG")).decode()
        self.valid = list(requests({"Bytes": self.picture}))

    def request(self) -> tuple[str, bytes]:
        if self.random.random() < 0.6:
            operation, document = self.random.choice(self.valid)
            if "Image" in document and self.random.random() < 0.25:
                document = {**document, "Image": {"Bytes": self.random.choice(self.portraits)}}
            document = self.mutated(document, self.random.choice([0.0, 0.05, 0.3]))
        else:
            operation = self.random.choice(service().operation_names)
            if operation == "DeleteCollection":  # so that there is something to ask about
                operation = "DescribeCollection"
            shape = service().operation_model(operation).input_shape
            document = {} if shape is None else self.value(shape, 0)
        body = json.dumps(document).encode()
        if self.random.random() < 0.15:
            body = self.spoilt(body)
        return f"RekognitionService.{operation}", body

    def mutated(self, value: Any, rate: float) -> Any:
        """Return a value with some of what is in it replaced, left out or sent twice."""
        if self.random.random() < rate / 4:
            return self.odd()
        if isinstance(value, dict):
            kept = {n: v for n, v in value.items() if self.random.random() >= rate / 4}
            return {name: self.mutated(each, rate) for name, each in kept.items()}
        if isinstance(value, list):
            items = [self.mutated(each, rate) for each in value]
            return items * self.random.choice([0, 2, 200]) if self.random.random() < rate else items
        if value == _FACE:
            value = self.random.choice(self.faces)
        if isinstance(value, str) and self.random.random() < rate:
            at = self.random.randrange(len(value) + 1)
            return (
                value[:at] + self.random.choice(["", "\n", "/", "%", "\0", "é"]) + value[at + 1 :]
            )
        if isinstance(value, int) and self.random.random() < rate:
            return self.random.choice([-value, value * 1000, value + 0.5, str(value)])
        return value

    def learn(self, answer: Any) -> None:
        """Take up what can be asked about."""
        for record in answer.get("FaceRecords", ()):
            self.faces = [*self.faces[-20:], record["Face"]["FaceId"]]

    def odd(self) -> Any:
        """Return what has no place in a request, or hardly any."""
        return self.random.choice(
            [None, 0, -1, 1e308, True, "", "x" * 5000, "\ud800", "\x00", [], {}, [[]], "é" * 9]
        )

    def headers(self, url: str, key: tuple[str, str], name: str, body: bytes) -> dict[str, str]:
        """Return headers of a good signature, or in one of ten cases of another or of none."""
        headers = signed(url, key, name, body)
        kind = self.random.randrange(40)
        if kind == 0:
            headers["Authorization"] = self.random.choice(
                ["", "Bearer x", "AWS4-HMAC-SHA256", headers["Authorization"][:-3]]
            )
        elif kind == 1:
            del headers[self.random.choice(sorted(headers))]
        elif kind == 2:
            text = headers["Authorization"]
            at = self.random.randrange(len(text))
            headers["Authorization"] = text[:at] + self.text(3) + text[at + 1 :]
        elif kind == 3:
            headers = {
                name: self.text(self.random.randrange(200))
                for name in ("Authorization", "X-Amz-Date", "X-Amz-Target", "Content-Type")
                if self.random.random() < 0.7
            }
        return headers

    def text(self, length: int) -> str:
        """Return random text as it may stand in a header."""
        return "".join(chr(self.random.randrange(33, 127)) for _ in range(length))

    def spoilt(self, body: bytes) -> bytes:
        kind = self.random.randrange(4)
        if kind == 0:
            return self.random.randbytes(self.random.randrange(300))
        at = self.random.randrange(len(body) + 1)
        if kind == 1:
            return body[:at]
        if kind == 2:
            return body[:at] + self.random.randbytes(3) + body[at:]
        return b'{"a":' * self.random.randrange(2000) + body

    def value(self, shape: Any, depth: int) -> Any:  # noqa: PLR0911
        if self.random.random() < 0.06 or depth > 6:
            return self.odd()
        kind = shape.type_name
        if kind == "structure":
            kept = [name for name in shape.members if self.random.random() < 0.7]
            return {name: self.value(shape.members[name], depth + 1) for name in kept}
        if kind == "list":
            return [self.value(shape.member, depth + 1) for _ in range(self.random.randrange(3))]
        if kind == "map":
            return {"k": self.value(shape.value, depth + 1)}
        if kind == "blob":
            return self.random.choice([self.picture, "", "AAAA", "?"])
        if kind == "string":
            return self.random.choice(
                [
                    *shape.enum,
                    "club",
                    "club",
                    "ada",
                    "photos",
                    _FACE,
                ]
            )
        return self.random.choice([0, 1, 2, 50, 80, 101, 5000, -3, 1 << 70])
