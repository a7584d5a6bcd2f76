"""Faces of two pictures compared on the wire."""

from __future__ import annotations

from typing import Any

import pytest

from sayso.errors import AccessDenied, NoFaceFound
from tests.service.rekognition.conftest import Wire
from tests.service.rekognition.drawn import Drawn, Studio


def compare(wire: Wire, source: bytes, target: bytes, **more: Any) -> dict[str, Any]:
    return wire(
        "CompareFaces", SourceImage={"Bytes": source}, TargetImage={"Bytes": target}, **more
    )


def test_the_largest_face_is_compared_with_each_of_the_other_picture(
    wire: Wire, studio: Studio
) -> None:
    source = studio.draw(Drawn(1, side=30), Drawn(0, side=60, left=20, top=10))
    target = studio.draw(
        Drawn(1, side=80), Drawn(0, side=30, cosine=0.6), Drawn(0, side=26, cosine=0.99)
    )
    found = compare(wire, source, target)
    assert found["SourceImageFace"] == {
        "BoundingBox": pytest.approx({"Left": 0.1, "Top": 0.1, "Width": 0.3, "Height": 0.6}),
        "Confidence": pytest.approx(99),
    }
    widths = [round(200 * each["Face"]["BoundingBox"]["Width"]) for each in found["FaceMatches"]]
    assert widths == [26, 30]
    similarities = [each["Similarity"] for each in found["FaceMatches"]]
    assert similarities == sorted(similarities, reverse=True)
    assert all(80 <= each <= 100 for each in similarities)
    assert found["FaceMatches"][0]["Face"].keys() == {
        *("BoundingBox", "Confidence", "Landmarks", "Pose", "Quality")
    }
    (other,) = found["UnmatchedFaces"]
    assert other["BoundingBox"]["Width"] == pytest.approx(0.4)
    assert other.keys() == found["FaceMatches"][0]["Face"].keys()


def test_the_threshold_decides_what_is_a_match(wire: Wire, studio: Studio) -> None:
    source, target = studio.draw(0), studio.draw(1)
    strangers = compare(wire, source, target)
    assert not strangers["FaceMatches"]
    assert len(strangers["UnmatchedFaces"]) == 1
    assert len(compare(wire, source, target, SimilarityThreshold=0)["FaceMatches"]) == 1
    alike = compare(wire, source, studio.draw(Drawn(0, cosine=0.75)))["FaceMatches"][0]
    assert not compare(wire, source, studio.draw(Drawn(0, cosine=0.75)), SimilarityThreshold=100)[
        "FaceMatches"
    ]
    assert alike["Similarity"] < 100


@pytest.mark.parametrize("empty", ["source", "target"])
def test_without_a_face_in_either_there_is_nothing_to_compare(
    wire: Wire, studio: Studio, empty: str
) -> None:
    pictures = {"source": studio.draw(0), "target": studio.draw(0), empty: studio.draw()}
    with pytest.raises(NoFaceFound, match=empty):
        compare(wire, **pictures)


def test_the_filter_leaves_poor_faces_out(wire: Wire, studio: Studio) -> None:
    source, target = studio.draw(0), studio.draw(Drawn(0, overall=50), Drawn(1, overall=30))
    assert len(compare(wire, source, target)["UnmatchedFaces"]) == 1
    found = compare(wire, source, target, QualityFilter="MEDIUM")
    assert len(found["FaceMatches"]) == 1
    assert not found["UnmatchedFaces"]
    with pytest.raises(NoFaceFound, match="quality 60"):
        compare(wire, source, target, QualityFilter="HIGH")


def test_it_takes_the_right_to_compare(wire: Wire, studio: Studio) -> None:
    with pytest.raises(AccessDenied):
        compare(wire.with_key("search"), studio.draw(0), studio.draw(0))
