"""Handlers on real pictures with the real models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sayso.analyzer import Analyzer
from sayso.callers import ACTIONS, Caller
from sayso.core import Sayso
from sayso.models.store import ModelStore
from tests.gallery.clock import Clock
from tests.service.rekognition.conftest import ATTESTATION, PURPOSE, Wire


@pytest.fixture
def real(tmp_path: Path, model_store: ModelStore) -> Iterator[Wire]:
    """A gallery with the real models, and a collection."""
    with Sayso(tmp_path / "data", analyzer=Analyzer(models=model_store)) as app:
        key = app.create_key("a", purpose=PURPOSE, actions=ACTIONS, attestation=ATTESTATION)
        wire = Wire(app, Caller.of(key.key), Clock(), {})
        wire("CreateCollection", CollectionId="club")
        yield wire


def person(lfw: Path, name: str, number: int) -> bytes:
    return (lfw / "images" / name / f"{name}_{number:04}.jpg").read_bytes()


def test_a_portrait_faces_the_camera(real: Wire, portrait: Path) -> None:
    (face,) = real("DetectFaces", Image={"Bytes": portrait.read_bytes()})["FaceDetails"]
    box, points = face["BoundingBox"], {e["Type"]: (e["X"], e["Y"]) for e in face["Landmarks"]}
    assert 0 < box["Left"] < box["Left"] + box["Width"] < 1
    assert face["Confidence"] > 80
    assert all(abs(angle) < 35 for angle in face["Pose"].values())
    assert points["eyeLeft"][0] < points["nose"][0] < points["eyeRight"][0]
    assert points["mouthLeft"][0] < points["mouthRight"][0]
    assert points["eyeLeft"][1] < points["nose"][1] < points["mouthLeft"][1]
    for x, y in points.values():
        assert box["Left"] < x < box["Left"] + box["Width"]
        assert box["Top"] < y < box["Top"] + box["Height"]


def test_somebody_is_found_and_a_stranger_is_not(real: Wire, lfw: Path) -> None:
    known, other = "George_Robertson", "Serena_Williams"
    face = real.index(known, person(lfw, known, 3))
    real("CreateUser", CollectionId="club", UserId=known)
    real("AssociateFaces", CollectionId="club", UserId=known, FaceIds=[face])
    again, stranger = {"Bytes": person(lfw, known, 2)}, {"Bytes": person(lfw, other, 1)}
    found = real("SearchFacesByImage", CollectionId="club", Image=again)
    assert [match["Face"]["FaceId"] for match in found["FaceMatches"]] == [face]
    users = real("SearchUsersByImage", CollectionId="club", Image=again)
    assert [match["User"]["UserId"] for match in users["UserMatches"]] == [known]
    for operation, member in (
        ("SearchFacesByImage", "FaceMatches"),
        ("SearchUsersByImage", "UserMatches"),
    ):
        assert real(operation, CollectionId="club", Image=stranger)[member] == []
    assert real("CompareFaces", SourceImage=again, TargetImage=stranger)["FaceMatches"] == []
    first = {"Bytes": person(lfw, known, 3)}
    assert len(real("CompareFaces", SourceImage=again, TargetImage=first)["FaceMatches"]) == 1
