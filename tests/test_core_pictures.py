"""The application on real pictures and models."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sayso.analyzer import Analyzer
from sayso.core import PictureSource, Sayso
from sayso.errors import (
    AmbiguousFace,
    FaceTooPoor,
    LooksLikeAnother,
    NoFaceFound,
    UnreadablePicture,
)
from sayso.models.store import ModelStore
from sayso.results import Consent
from tests.gallery.synthetic import CONSENT, PURPOSE

PEOPLE = ("Colin_Powell", "Gloria_Macapagal_Arroyo", "Serena_Williams")


@pytest.fixture(scope="module")
def analyzer(model_store: ModelStore) -> Analyzer:
    return Analyzer(models=model_store)


@pytest.fixture
def app(tmp_path: Path, analyzer: Analyzer) -> Iterator[Sayso]:
    with Sayso(tmp_path, analyzer=analyzer) as app:
        app.create_collection("club")
        yield app


def _available(lfw: Path, name: str, count: int) -> list[Path]:
    found = sorted((lfw / "images" / name).glob("*.jpg"))
    if len(found) < count:
        pytest.skip(f"too few pictures of {name}")
    return found[:count]


def _png(*rows: list[Image.Image]) -> bytes:
    width = max(sum(image.width for image in row) for row in rows)
    canvas = Image.new("RGB", (width, sum(row[0].height for row in rows)), "grey")
    y = 0
    for row in rows:
        x = 0
        for image in row:
            canvas.paste(image, (x, y))
            x += image.width
        y += row[0].height
    file = io.BytesIO()
    canvas.save(file, "PNG")
    return file.getvalue()


def test_those_enrolled_are_named_in_a_group_picture(app: Sayso, lfw: Path) -> None:
    pictures = {name: _available(lfw, name, 2) for name in PEOPLE}
    for name, (first, _) in pictures.items():
        purposes = [PURPOSE] if name != PEOPLE[2] else ["security"]
        enrolment = app.enroll(
            "club", subject=name, pictures=[first], consent=Consent(purposes, "form")
        )
        assert enrolment.enrolled == 1
        assert enrolment.pictures[0].picture == str(first)
        assert enrolment.consent == app.consents("club", name)[0].id
    group = _png([Image.open(second) for _, second in pictures.values()])
    found = app.recognize("club", group, purpose=PURPOSE)
    assert (found.picture, found.width, found.height) == ("", 750, 250)
    names = {int(sum(face.box[::2]) / 2) // 250: face.subject for face in found if face.subject}
    # The third has agreed to another purpose only: unknown, like any stranger.
    assert names == {0: PEOPLE[0], 1: PEOPLE[1]}
    assert len(found) >= 3
    for face in found:
        known = face.subject is not None
        assert (face.similarity is not None) == (face.expected_false_matches is not None) == known
        if known:
            assert face.similarity is not None
            assert face.similarity >= 80
    other = app.recognize("club", group, purpose="security")
    assert {face.subject for face in other} == {PEOPLE[2], None}


def test_a_picture_enrols_once(app: Sayso, lfw: Path) -> None:
    (picture,) = _available(lfw, PEOPLE[0], 1)
    first = app.enroll("club", subject="a", pictures=[picture, picture], consent=CONSENT)
    assert [p.repeated for p in first.pictures] == [False, True]
    again = app.enroll("club", subject="a", pictures=[picture.read_bytes()], consent=CONSENT)
    assert (first.enrolled, again.enrolled) == (1, 0)
    assert {p.face_id for p in first.pictures + again.pictures} == {app.faces("club", "a")[0].id}
    with pytest.raises(LooksLikeAnother):
        app.enroll("club", subject="b", pictures=[picture], consent=CONSENT)
    told = app.enroll(
        "club", subject="b", pictures=[picture], consent=CONSENT, allow_lookalike=True
    )
    assert told.enrolled == 1
    (face,) = app.faces("club", "a")
    assert face.box == first.pictures[0].box
    assert face.quality is not None


def test_pictures_that_cannot_be_used_are_told_apart(app: Sayso, lfw: Path) -> None:
    (good,) = _available(lfw, PEOPLE[0], 1)
    portrait = Image.open(good)
    plain = Image.new("RGB", (200, 200), "grey")
    tiny = portrait.crop((60, 60, 190, 190)).resize((18, 18))
    small = Image.new("RGB", (200, 200), "grey")
    small.paste(tiny, (90, 90))
    pictures: list[PictureSource] = [
        _png([plain]),
        _png([small]),
        _png([portrait, portrait]),
        b"x",
        good,
    ]
    done = app.enroll("club", subject="ada", pictures=pictures, consent=CONSENT)
    kinds = [type(picture.error) for picture in done.pictures]
    assert kinds[0] is NoFaceFound
    assert kinds[1] in (FaceTooPoor, NoFaceFound)
    assert kinds[2:] == [AmbiguousFace, UnreadablePicture, type(None)]
    assert "2 faces" in str(done.pictures[2].error)
    assert done.pictures[2].faces == 2
    assert app.subject("club", "ada").faces == 1
    with pytest.raises(AmbiguousFace):
        app.enroll("club", subject="bob", pictures=[pictures[2]], consent=CONSENT)


def test_the_larger_of_two_unlike_sizes_is_enrolled(app: Sayso, lfw: Path) -> None:
    (large,), (small,) = _available(lfw, PEOPLE[0], 1), _available(lfw, PEOPLE[1], 1)
    picture = _png([Image.open(large).resize((500, 500)), Image.open(small)])
    done = app.enroll("club", subject="ada", pictures=[picture], consent=CONSENT)
    box = done.pictures[0].box
    assert box is not None
    assert box[2] < 500
    assert done.pictures[0].faces >= 2


def test_two_pictures_are_compared(app: Sayso, lfw: Path) -> None:
    a, b = _available(lfw, PEOPLE[0], 2)
    (c,) = _available(lfw, PEOPLE[1], 1)
    same, different = app.compare(a, b), app.compare(a, c)
    assert same.similarity >= 80 > different.similarity
    assert same.false_match_rate < different.false_match_rate
    assert same.a.box == different.a.box
    assert app.compare(a, a).cosine == pytest.approx(1, abs=1e-5)
    with pytest.raises(NoFaceFound, match="no face"):
        app.compare(a, _png([Image.fromarray(np.full((100, 100, 3), 90, np.uint8))]))


def _turned(picture: Path, quarters: int) -> bytes:
    file = io.BytesIO()
    with Image.open(picture) as image:
        image.rotate(-90 * quarters, expand=True).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_turned_portrait_enrols_as_if_it_were_upright_and_that_is_said(
    app: Sayso, lfw: Path, quarters: int
) -> None:
    first, second = _available(lfw, PEOPLE[0], 2)
    done = app.enroll("club", subject="a", pictures=[_turned(first, quarters)], consent=CONSENT)
    assert done.pictures[0].turn == 90 * quarters
    (found,) = [face for face in app.recognize("club", second, purpose=PURPOSE) if face.subject]
    assert found.subject == "a"


def test_somebody_who_is_named_twice_in_a_picture_is_marked_and_nobody_else(
    app: Sayso, lfw: Path
) -> None:
    one, again = _available(lfw, PEOPLE[0], 2)
    (other,) = _available(lfw, PEOPLE[1], 1)
    app.enroll("club", subject="a", pictures=[one], consent=CONSENT)
    app.enroll("club", subject="b", pictures=[other], consent=CONSENT)
    images: list[Image.Image] = [Image.open(path) for path in (one, again, other)]
    found = [face for face in app.recognize("club", _png(images), purpose=PURPOSE) if face.subject]
    assert sorted((face.subject, face.duplicate) for face in found) == [
        ("a", True),
        ("a", True),
        ("b", False),
    ]


def test_a_picture_that_leaves_it_open_whose_it_is_is_skipped_and_a_choice_settles_it(
    app: Sayso, lfw: Path
) -> None:
    one, again = _available(lfw, PEOPLE[0], 2)
    (other,) = _available(lfw, PEOPLE[1], 1)
    both = _png([Image.open(again), Image.open(other)])
    done = app.enroll("club", subject="a", pictures=[one, both], consent=CONSENT)
    assert done.enrolled == 1
    assert isinstance(done.pictures[1].error, AmbiguousFace)
    done = app.enroll(
        "club", subject="a", pictures=[both], consent=CONSENT, face=(60, 60, 190, 200)
    )
    assert done.enrolled == 1
    assert done.pictures[0].box is not None
    assert done.pictures[0].box[2] < 250
