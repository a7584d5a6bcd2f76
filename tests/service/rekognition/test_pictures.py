"""The pictures of requests: sent along or in a bucket, and what they may be."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from sayso.audit.events import CallRefused
from sayso.errors import AccessDenied, PictureTooLarge, UnsupportedPicture
from sayso.service import s3
from sayso.service.rekognition.faults import Fault
from sayso.service.rekognition.pictures import QUALITY
from sayso.settings import EndpointBucket, FolderBucket
from tests.service.rekognition.conftest import HANDLERS, Wire
from tests.service.rekognition.drawn import Studio, picture_file
from tests.service.rekognition.shapes import model

MIB = 1024 * 1024
IN_BUCKET = {"Bucket": "photos", "Name": "club/ada.png"}


@pytest.fixture
def bucket(wire: Wire, tmp_path: Path, studio: Studio) -> Path:
    """A bucket with a picture of Ada's; returns its folder."""
    folder = tmp_path / "photos"
    (folder / "club").mkdir(parents=True)
    (folder / "club" / "ada.png").write_bytes(studio.draw(0))
    wire.buckets["photos"] = FolderBucket(folder=folder)
    return folder


def detect(wire: Wire, **image: Any) -> int:
    return len(wire("DetectFaces", Image=image)["FaceDetails"])


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_png_and_jpeg_are_taken(wire: Wire, studio: Studio, form: str) -> None:
    assert detect(wire, Bytes=studio.draw(0, form=form)) == 1
    assert detect(wire, Bytes=bytearray(studio.draw(0, form=form))) == 1


@pytest.mark.parametrize("form", ["WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_other_formats_are_not(wire: Wire, form: str) -> None:
    with pytest.raises(UnsupportedPicture, match="JPEG, PNG"):
        detect(wire, Bytes=picture_file((100, 100), form=form))


@pytest.mark.parametrize("size", [(79, 200), (200, 79)])
def test_a_side_has_eighty_pixels_at_least(wire: Wire, bucket: Path, size: tuple[int, int]) -> None:
    small = picture_file(size)
    (bucket / "small.png").write_bytes(small)
    for image in ({"Bytes": small}, {"S3Object": {"Bucket": "photos", "Name": "small.png"}}):
        with pytest.raises(UnsupportedPicture, match="80"):
            detect(wire, **image)
    assert detect(wire, Bytes=picture_file((80, 80))) == 1


def test_a_picture_sent_along_has_five_mebibytes_at_most_and_a_stored_one_fifteen(
    wire: Wire, bucket: Path
) -> None:
    picture = (bucket / "club" / "ada.png").read_bytes()

    def stored(size: int) -> int:
        # What follows a picture's end is no part of it.
        (bucket / "big.png").write_bytes(picture + bytes(size - len(picture)))
        return detect(wire, S3Object={"Bucket": "photos", "Name": "big.png"})

    assert detect(wire, Bytes=picture + bytes(5 * MIB - len(picture))) == 1
    with pytest.raises(PictureTooLarge, match="limit of 5,242,880"):
        detect(wire, Bytes=picture + bytes(5 * MIB + 1 - len(picture)))
    assert stored(15 * MIB) == 1
    with pytest.raises(PictureTooLarge, match="limit of 15,728,640"):
        stored(15 * MIB + 1)


@pytest.mark.parametrize(
    "image",
    [
        {},
        {"Bytes": b"x", "S3Object": IN_BUCKET},
        {"S3Object": {}},
        {"S3Object": {"Bucket": "photos"}},
        {"S3Object": {"Name": "club/ada.png"}},
    ],
)
def test_an_image_is_in_exactly_one_place(wire: Wire, bucket: Path, image: dict[str, Any]) -> None:
    with pytest.raises(Fault) as refused:
        detect(wire, **image)
    assert refused.value.code == "InvalidParameterException"


def test_an_object_of_a_bucket_is_a_picture(wire: Wire, bucket: Path, studio: Studio) -> None:
    wire("CreateCollection", CollectionId="club")
    stored = {"S3Object": IN_BUCKET}
    who = {"CollectionId": "club", "ExternalImageId": "ada"}
    done = wire("IndexFaces", **who, Image=stored)
    assert len(done["FaceRecords"]) == 1
    sent = {"Bytes": (bucket / "club" / "ada.png").read_bytes()}
    assert wire("IndexFaces", **who, Image=sent)["FaceRecords"] == done["FaceRecords"]
    for operation in ("SearchFacesByImage", "SearchUsersByImage"):
        wire(operation, CollectionId="club", Image=stored)
    compared = wire("CompareFaces", SourceImage=stored, TargetImage={"Bytes": studio.draw(0)})
    assert len(compared["FaceMatches"]) == 1


@pytest.mark.parametrize(
    "place",
    [
        {"Bucket": "photos", "Name": "nobody.png"},
        {"Bucket": "photos", "Name": "../secret.png"},
        {"Bucket": "other", "Name": "club/ada.png"},
        {**IN_BUCKET, "Version": "3"},
    ],
)
def test_what_is_no_object_is_refused(
    wire: Wire, bucket: Path, tmp_path: Path, place: dict[str, str]
) -> None:
    (tmp_path / "secret.png").write_bytes(picture_file((100, 100)))
    with pytest.raises(Fault) as refused:
        detect(wire, S3Object=place)
    assert refused.value.code == "InvalidS3ObjectException"
    assert str(tmp_path) not in str(refused.value)


@pytest.mark.parametrize("name", ["club/ada.png", "nobody.png"])
def test_nothing_is_read_for_who_may_not(wire: Wire, bucket: Path, name: str) -> None:
    """Nor can they find out what there is; and that they tried is on record."""
    other = wire.with_key("audit")
    other.buckets.update(wire.buckets)
    for operation, image in (
        ("DetectFaces", {"Image": {"S3Object": {"Bucket": "photos", "Name": name}}}),
        (
            "SearchFacesByImage",
            {"Image": {"S3Object": {"Bucket": "photos", "Name": name}}, "CollectionId": "club"},
        ),
    ):
        with pytest.raises(AccessDenied):
            other(operation, **image)
    told = [entry.event for entry in wire.app.audit_entries(kind="call-refused")]
    assert [event.action for event in told if isinstance(event, CallRefused)] == [
        "detect",
        "search",
    ]


def test_a_slow_endpoint_holds_nothing_else_up(
    wire: Wire, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "SILENCE", 2.0)
    picture = studio.draw(0)

    async def run(place: dict[str, str]) -> list[Any]:
        async with wire.serving() as context:
            slow = [
                asyncio.create_task(
                    HANDLERS["DetectFaces"](context, {"Image": {"S3Object": place}})
                )
                for _ in range(4)
            ]
            await asyncio.sleep(0.1)
            await HANDLERS["DetectFaces"](context, {"Image": {"Bytes": picture}})
            await HANDLERS["ListCollections"](context, {})
            assert not any(task.done() for task in slow)
            return await asyncio.gather(*slow, return_exceptions=True)

    with socket.create_server(("127.0.0.1", 0)) as silent:  # connects, and that is all
        wire.buckets["slow"] = EndpointBucket(
            endpoint=f"http://127.0.0.1:{silent.getsockname()[1]}",
            access_key="a",
            secret_key=SecretStr("b"),
        )
        ended = asyncio.run(run({"Bucket": "slow", "Name": "ada.png"}))
    assert [error.code for error in ended] == ["InvalidS3ObjectException"] * 4


def test_every_level_of_the_filter_has_its_quality() -> None:
    assert set(QUALITY) == set(model().shape_for("QualityFilter").metadata["enum"])
    levels = [QUALITY[level] for level in ("NONE", "LOW", "MEDIUM", "HIGH")]
    assert levels == sorted(set(levels))
