"""Faces on the wire: detected, enrolled, listed and deleted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from sayso.callers import Caller
from sayso.errors import (
    AccessDenied,
    CollectionNotFound,
    ConsentRequired,
    InvalidPageToken,
    UserNotFound,
)
from sayso.service.rekognition.faults import Fault
from sayso.service.rekognition.pictures import QUALITY
from tests.gallery.synthetic import CONSENT, VERSION, templates
from tests.service.rekognition.conftest import ATTESTATION, Wire
from tests.service.rekognition.drawn import Drawn, Studio
from tests.service.rekognition.shapes import model

TRAITS = ("AGE_RANGE", "EMOTIONS", "GENDER")
ATTRIBUTES = model().shape_for("Attribute").metadata["enum"]


def detect(wire: Wire, picture: bytes, **more: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = wire("DetectFaces", Image={"Bytes": picture}, **more)[
        "FaceDetails"
    ]
    return found


def index(wire: Wire, picture: bytes, name: str = "ada", **more: Any) -> dict[str, Any]:
    return wire(
        "IndexFaces",
        CollectionId="club",
        ExternalImageId=name,
        Image={"Bytes": picture},
        **more,
    )


# --- DetectFaces ------------------------------------------------------------------------------


def test_a_face_is_told_in_ratios_of_the_picture(wire: Wire, studio: Studio) -> None:
    (found,) = detect(wire, studio.draw(Drawn(0, side=50, left=20, top=10)))
    assert found["BoundingBox"] == pytest.approx(
        {"Left": 0.1, "Top": 0.1, "Width": 0.25, "Height": 0.5}
    )
    assert found["Confidence"] == pytest.approx(99)
    assert found["Pose"] == {"Roll": 2, "Yaw": 5, "Pitch": -3}
    assert found["Quality"] == {"Brightness": 80, "Sharpness": 70}
    landmarks = {each["Type"]: (each["X"], each["Y"]) for each in found["Landmarks"]}
    assert landmarks == {
        "eyeLeft": pytest.approx((0.175, 0.25)),
        "eyeRight": pytest.approx((0.275, 0.25)),
        "nose": pytest.approx((0.225, 0.35)),
        "mouthLeft": pytest.approx((0.175, 0.45)),
        "mouthRight": pytest.approx((0.275, 0.45)),
    }


def test_a_box_may_leave_the_picture(wire: Wire, studio: Studio) -> None:
    (found,) = detect(wire, studio.draw(Drawn(0, side=150, left=-20, top=-10)))
    box = found["BoundingBox"]
    assert box == pytest.approx({"Left": -0.1, "Top": -0.1, "Width": 0.75, "Height": 1.5})


def test_what_is_measured_is_held_to_what_the_model_allows(wire: Wire, studio: Studio) -> None:
    wild = Drawn(0, yaw=200, pitch=-181, roll=400, brightness=101, sharpness=-1, score=1.00001)
    (found,) = detect(wire, studio.draw(wild))
    assert found["Pose"] == {"Yaw": 180, "Pitch": -180, "Roll": 180}
    assert found["Quality"] == {"Brightness": 100, "Sharpness": 0}
    assert found["Confidence"] == 100


def test_the_hundred_largest_faces_come_the_largest_first(wire: Wire, studio: Studio) -> None:
    sides = [20 + i / 10 for i in range(120)]
    crowd = [Drawn(i % 20, side=side, score=0.9 - i / 1000) for i, side in enumerate(sides)]
    widths = [face["BoundingBox"]["Width"] for face in detect(wire, studio.draw(*crowd))]
    assert widths == pytest.approx([side / 200 for side in reversed(sides)][:100])


def test_a_picture_without_faces_is_no_error(wire: Wire, studio: Studio) -> None:
    assert detect(wire, studio.draw()) == []


@pytest.mark.parametrize("asked", [[], ["DEFAULT"], ["ALL"], ["ALL", "DEFAULT"]])
def test_all_and_default_are_what_is_measured(wire: Wire, studio: Studio, asked: list[str]) -> None:
    (found,) = detect(wire, studio.draw(0), Attributes=asked)
    assert found.keys() == {"BoundingBox", "Confidence", "Landmarks", "Pose", "Quality"}


@pytest.mark.parametrize("attribute", sorted(set(ATTRIBUTES) - {"ALL", "DEFAULT"}))
def test_attributes_that_nothing_measures_are_refused_by_name(
    club: Wire, studio: Studio, attribute: str
) -> None:
    said = "no-inference-of-traits" if attribute in TRAITS else "there is no model"
    picture = studio.draw(0)
    for asked in ([attribute], ["ALL", attribute]):
        with pytest.raises(Fault, match=f"{attribute} cannot be asked for.*{said}") as refused:
            detect(club, picture, Attributes=asked)
        assert refused.value.code == "InvalidParameterException"
        with pytest.raises(Fault, match=said):
            index(club, picture, DetectionAttributes=asked)
    assert club("DescribeCollection", CollectionId="club")["FaceCount"] == 0


# --- IndexFaces -------------------------------------------------------------------------------


def test_a_face_is_enrolled_as_that_of_whom_the_id_names(club: Wire, studio: Studio) -> None:
    done = index(club, studio.draw(Drawn(0, side=50, left=20, top=10)), "ada", MaxFaces=1)
    assert done["FaceModelVersion"] == VERSION.template_version
    assert done["UnindexedFaces"] == []
    (record,) = done["FaceRecords"]
    face = record["Face"]
    assert face["ExternalImageId"] == "ada"
    assert face["Confidence"] == pytest.approx(99)
    assert face["BoundingBox"] == pytest.approx(record["FaceDetail"]["BoundingBox"])
    assert face.keys() == {"FaceId", "ImageId", "ExternalImageId", "Confidence", "BoundingBox"}
    assert record["FaceDetail"]["Pose"]["Yaw"] == 5
    assert club("ListFaces", CollectionId="club")["Faces"] == [face]
    assert [s.name for s in club.app.subjects("club")] == ["ada"]


def test_an_attested_key_records_a_consent_with_its_statement(club: Wire, studio: Studio) -> None:
    index(club, studio.draw(0), "ada")
    (consent,) = club.app.consents("club", "ada")
    assert consent.evidence == ATTESTATION


def test_only_the_largest_face_is_enrolled(club: Wire, studio: Studio) -> None:
    group = studio.draw(Drawn(0, side=80), Drawn(1, side=40), Drawn(2, side=26, overall=5))
    done = index(club, group, MaxFaces=1)
    assert len(done["FaceRecords"]) == 1
    assert done["FaceRecords"][0]["FaceDetail"]["BoundingBox"]["Width"] == pytest.approx(0.4)
    assert [left["Reasons"] for left in done["UnindexedFaces"]] == [
        ["EXCEEDS_MAX_FACES"],
        ["SMALL_BOUNDING_BOX", "LOW_FACE_QUALITY"],
    ]
    assert done["UnindexedFaces"][0]["FaceDetail"]["BoundingBox"]["Width"] == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("most", "reasons"),
    [(None, [[], []]), (3, [[], []]), (2, [[], ["EXCEEDS_MAX_FACES"]])],
)
def test_nothing_is_said_to_exceed_what_was_not_exceeded(
    club: Wire, studio: Studio, most: int | None, reasons: list[list[str]]
) -> None:
    group = studio.draw(Drawn(0, side=80), Drawn(1, side=60), Drawn(2, side=50))
    options: dict[str, Any] = {} if most is None else {"MaxFaces": most}
    done = index(club, group, **options)
    assert [left["Reasons"] for left in done["UnindexedFaces"]] == reasons


@pytest.mark.parametrize(
    ("poor", "reasons"),
    [
        (Drawn(0, side=20), {"SMALL_BOUNDING_BOX"}),
        (Drawn(0, overall=9, yaw=50), {"EXTREME_POSE", "LOW_FACE_QUALITY"}),
        (Drawn(0, overall=9, brightness=3), {"LOW_BRIGHTNESS", "LOW_FACE_QUALITY"}),
        (Drawn(0, overall=9, sharpness=3), {"LOW_SHARPNESS", "LOW_FACE_QUALITY"}),
        (Drawn(0, overall=9, score=0.3), {"LOW_CONFIDENCE", "LOW_FACE_QUALITY"}),
        (Drawn(0, overall=9), {"LOW_FACE_QUALITY"}),
    ],
)
def test_a_poor_face_is_not_enrolled_even_without_a_filter(
    club: Wire, studio: Studio, poor: Drawn, reasons: set[str]
) -> None:
    done = index(club, studio.draw(poor), QualityFilter="NONE")
    assert done["FaceRecords"] == []
    assert [set(left["Reasons"]) for left in done["UnindexedFaces"]] == [reasons]
    assert not club.app.subjects("club")


def test_a_picture_without_faces_enrols_nobody(club: Wire, studio: Studio) -> None:
    done = index(club, studio.draw())
    assert done["FaceRecords"] == done["UnindexedFaces"] == []


@pytest.mark.parametrize("level", ["AUTO", "LOW", "MEDIUM", "HIGH", None])
def test_each_level_of_the_filter_asks_for_more(
    club: Wire, studio: Studio, level: str | None
) -> None:
    least = QUALITY[level or "AUTO"]
    chosen = {"QualityFilter": level} if level else {}
    below = index(club, studio.draw(Drawn(0, overall=least - 1)), **chosen)
    assert below["UnindexedFaces"][0]["Reasons"] == ["LOW_FACE_QUALITY"]
    assert len(index(club, studio.draw(Drawn(0, overall=least)), **chosen)["FaceRecords"]) == 1


def test_without_a_filter_what_every_enrolment_asks_will_do(club: Wire, studio: Studio) -> None:
    done = index(club, studio.draw(Drawn(0, overall=11)), QualityFilter="NONE")
    assert len(done["FaceRecords"]) == 1


def test_nobody_is_enrolled_without_a_name(club: Wire, studio: Studio) -> None:
    with pytest.raises(Fault, match=r"ExternalImageId.*consent-first") as refused:
        club("IndexFaces", CollectionId="club", Image={"Bytes": studio.draw(0)})
    assert refused.value.code == "InvalidParameterException"


def test_the_same_picture_of_the_same_person_is_enrolled_once(club: Wire, studio: Studio) -> None:
    picture = studio.draw(0)
    first, again = index(club, picture), index(club, picture)
    assert first["FaceRecords"] == again["FaceRecords"]
    assert club("DescribeCollection", CollectionId="club")["FaceCount"] == 1
    other = index(club, picture, "ada.2")
    assert other["FaceRecords"][0]["Face"]["FaceId"] != first["FaceRecords"][0]["Face"]["FaceId"]


def test_without_consent_it_is_told_what_to_record(
    club: Wire, studio: Studio, agreed: Callable[..., None]
) -> None:
    plain = club.with_key()
    picture = studio.draw(0)
    with pytest.raises(ConsentRequired) as refused:
        index(plain, picture, "ada")
    said = str(refused.value)
    assert "POST /v1/collections/club/subjects/ada/consents" in said
    assert "consent-first" in said
    assert "attests" in said
    assert not club.app.subjects("club")
    agreed("ada")
    assert len(index(plain, picture, "ada")["FaceRecords"]) == 1


def test_somebody_who_looks_like_another_is_enrolled_and_the_log_tells(
    club: Wire, studio: Studio
) -> None:
    index(club, studio.draw(0), "ada")
    done = index(club, studio.draw(0), "ada.twin")
    assert len(done["FaceRecords"]) == 1
    event: Any = [entry.event for entry in club.app.audit_entries(kind="faces-enrolled")][-1]
    assert event.lookalikes == (club.app.subject("club", "ada").id,)


def test_enrolment_needs_its_right_and_a_collection(club: Wire, studio: Studio) -> None:
    with pytest.raises(AccessDenied):
        index(club.with_key("search"), studio.draw(0))
    with pytest.raises(CollectionNotFound):
        club(
            "IndexFaces",
            CollectionId="none",
            ExternalImageId="ada",
            Image={"Bytes": studio.draw(0)},
        )


# --- ListFaces --------------------------------------------------------------------------------


def test_faces_are_listed_in_pages(club: Wire, studio: Studio) -> None:
    ids = {club.index("ada", studio.draw(0)) for _ in range(5)}
    seen: list[str] = []
    answer = club("ListFaces", CollectionId="club", MaxResults=2)
    while "NextToken" in answer:
        assert len(answer["Faces"]) == 2
        seen += [face["FaceId"] for face in answer["Faces"]]
        answer = club("ListFaces", CollectionId="club", MaxResults=2, NextToken=answer["NextToken"])
    seen += [face["FaceId"] for face in answer["Faces"]]
    assert set(seen) == ids
    assert len(seen) == 5


def test_exactly_one_page_has_no_token(club: Wire, studio: Studio) -> None:
    club.index("ada", studio.draw(0))
    club.index("bob", studio.draw(1))
    for size in (2, 3, 0, 4096):
        answer = club("ListFaces", CollectionId="club", MaxResults=size)
        assert len(answer["Faces"]) == 2
        assert "NextToken" not in answer


def test_faces_are_filtered_by_user_and_by_id(club: Wire, studio: Studio) -> None:
    ada, bob = club.index("ada", studio.draw(0)), club.index("bob", studio.draw(1))
    club("CreateUser", CollectionId="club", UserId="ada")
    club("AssociateFaces", CollectionId="club", UserId="ada", FaceIds=[ada])

    def listed(**filters: Any) -> set[str]:
        answer = club("ListFaces", CollectionId="club", **filters)
        return {face["FaceId"] for face in answer["Faces"]}

    assert listed() == {ada, bob}
    assert listed(UserId="ada") == {ada}
    assert listed(FaceIds=[bob]) == {bob}
    assert listed(UserId="ada", FaceIds=[bob]) == set()
    answer = club("ListFaces", CollectionId="club", UserId="ada")
    assert answer["Faces"][0]["UserId"] == "ada"
    with pytest.raises(UserNotFound):
        listed(UserId="bob")


def test_a_token_is_good_for_the_same_filter_only(club: Wire, studio: Studio) -> None:
    ids = [club.index("ada", studio.draw(0)) for _ in range(3)]
    token = club("ListFaces", CollectionId="club", MaxResults=1, FaceIds=ids)["NextToken"]
    again = {"CollectionId": "club", "NextToken": token}
    assert len(club("ListFaces", **again, FaceIds=ids[::-1])["Faces"]) == 2
    for other in ({}, {"FaceIds": ids[:2]}, {"UserId": "ada"}):
        with pytest.raises(InvalidPageToken):
            club("ListFaces", **again, **other)


def test_an_empty_collection_tells_its_version(club: Wire) -> None:
    answer = club("ListFaces", CollectionId="club")
    assert answer == {"Faces": [], "FaceModelVersion": VERSION.template_version}


def test_of_an_imported_template_only_what_is_known_is_told(club: Wire) -> None:
    club.app.enroll_templates(
        "club", subjects=["eve"], templates=templates(1), consent=CONSENT, version=VERSION
    )
    (face,) = club("ListFaces", CollectionId="club")["Faces"]
    assert face.keys() == {"FaceId", "ExternalImageId"}


def test_a_key_lists_those_only_whose_consent_covers_its_purpose(
    club: Wire, studio: Studio
) -> None:
    club.index("ada", studio.draw(0))
    other = club.with_key("search", purpose="security")
    assert club.with_key("search")("ListFaces", CollectionId="club")["Faces"]
    assert not other("ListFaces", CollectionId="club")["Faces"]


# --- DeleteFaces ------------------------------------------------------------------------------


def test_faces_are_deleted_but_for_those_of_users(club: Wire, studio: Studio) -> None:
    ids = [club.index("ada", studio.draw(0)) for _ in range(3)]
    club("CreateUser", CollectionId="club", UserId="ada")
    club("AssociateFaces", CollectionId="club", UserId="ada", FaceIds=ids[:1])
    nobody = "00000000-0000-0000-0000-000000000000"
    answer = club("DeleteFaces", CollectionId="club", FaceIds=[*ids[:2], nobody])
    assert answer == {
        "DeletedFaces": [ids[1]],
        "UnsuccessfulFaceDeletions": [
            {"FaceId": ids[0], "UserId": "ada", "Reasons": ["ASSOCIATED_TO_AN_EXISTING_USER"]},
            {"FaceId": nobody, "Reasons": ["FACE_NOT_FOUND"]},
        ],
    }
    left = {face["FaceId"] for face in club("ListFaces", CollectionId="club")["Faces"]}
    assert left == {ids[0], ids[2]}


def test_nothing_deleted_is_an_empty_list(club: Wire) -> None:
    nobody = "00000000-0000-0000-0000-000000000000"
    answer = club("DeleteFaces", CollectionId="club", FaceIds=[nobody])
    assert answer["DeletedFaces"] == []


def test_an_expired_key_may_nothing(club: Wire, studio: Studio) -> None:
    late = club.app.create_key(
        "tester",
        purpose="photos",
        actions=["detect"],
        until=club.clock.time + timedelta(hours=1),
    )
    holder = Wire(club.app, Caller.of(late.key), club.clock, {})
    assert len(detect(holder, studio.draw(0))) == 1
    club.clock.time += timedelta(hours=2)
    with pytest.raises(AccessDenied):
        detect(holder, studio.draw(0))
