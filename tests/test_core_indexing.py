"""Enrolment from one picture, told of every face that is in it."""

from __future__ import annotations

from typing import Any

import pytest

from sayso.core import PictureFile
from sayso.errors import (
    AccessDenied,
    ConsentRequired,
    EnrolmentError,
    InvalidName,
    LooksLikeAnother,
    PictureTooSmall,
    PurposeNotDeclared,
)
from sayso.results import Consent
from sayso.vision.picture import PictureLimits
from tests.desk import DOOR, PHOTOS, Desk, desk
from tests.service.rekognition.drawn import HEIGHT, WIDTH, Drawn

__all__ = ["desk"]  # the fixture


def test_a_picture_without_a_face_enrols_nobody_and_is_no_error(desk: Desk) -> None:
    done = desk.app.index_picture(
        "club", subject="ada", picture=desk.studio.draw(), consent=Consent([PHOTOS], "form")
    )
    assert (done.enrolled, done.face, done.left) == (None, None, ())
    assert desk.app.subjects("club") == ()


def test_two_faces_of_one_size_enrol_nobody(desk: Desk) -> None:
    picture = desk.studio.draw(Drawn(0), Drawn(1, left=110))
    done = desk.app.index_picture(
        "club", subject="ada", picture=picture, consent=Consent([PHOTOS], "form")
    )
    assert done.enrolled is None
    assert [each.reasons for each in done.left] == [("EXCEEDS_MAX_FACES",)] * 2


def test_the_largest_is_enrolled_and_the_others_are_told_of(desk: Desk) -> None:
    picture = desk.studio.draw(Drawn(1, side=20, left=140), Drawn(0, side=80))
    done = desk.app.index_picture(
        "club", subject="ada", picture=picture, consent=Consent([PHOTOS], "form")
    )
    assert done.face is not None
    assert done.face.width == 80
    assert [(each.face.width, each.reasons) for each in done.left] == [
        (20, ("SMALL_BOUNDING_BOX",))
    ]


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"overall": 5, "yaw": 60}, "EXTREME_POSE"),
        ({"overall": 5, "brightness": 3}, "LOW_BRIGHTNESS"),
        ({"overall": 5, "sharpness": 2}, "LOW_SHARPNESS"),
        ({"overall": 5, "score": 0.4}, "LOW_CONFIDENCE"),
        ({"overall": 5}, "LOW_FACE_QUALITY"),
        ({"side": 20}, "SMALL_BOUNDING_BOX"),
    ],
)
def test_a_poor_face_is_left_with_a_reason(desk: Desk, how: dict[str, Any], reason: str) -> None:
    done = desk.app.index_picture(
        "club",
        subject="ada",
        picture=desk.studio.draw(Drawn(0, **how)),
        consent=Consent([PHOTOS], "form"),
    )
    assert done.enrolled is None
    assert done.left[0].reasons[0] == reason


def test_more_quality_can_be_asked_for_and_never_less(desk: Desk) -> None:
    def left(overall: float, least: float) -> int:
        picture = desk.studio.draw(Drawn(0, overall=overall))
        consent = Consent([PHOTOS], "form")
        done = desk.app.index_picture(
            "club", subject="ada", picture=picture, consent=consent, min_quality=least
        )
        return len(done.left)

    assert left(50, 40) == 0
    assert left(50, 60) == 1
    assert left(5, 0) == 1


def test_the_same_picture_enrols_once(desk: Desk) -> None:
    picture, consent = desk.studio.draw(0), Consent([PHOTOS], "form")
    first, again = (
        desk.app.index_picture("club", subject="ada", picture=picture, consent=consent)
        for _ in range(2)
    )
    assert not first.repeated
    assert again.repeated
    assert again.enrolled == first.enrolled


def test_without_consent_or_attestation_nobody_is_indexed(desk: Desk) -> None:
    picture = desk.studio.draw(0)
    with pytest.raises(ConsentRequired, match="has no live consent"):
        desk.key().index_picture("club", subject="ada", picture=picture)
    with pytest.raises(ConsentRequired):
        desk.key().create_user("club", "ada")
    attested = desk.key(attestation="form 17")
    assert attested.index_picture("club", subject="ada", picture=picture).enrolled is not None
    assert [each.evidence for each in desk.app.consents("club", "ada")] == ["form 17"]


def test_of_what_was_enrolled_all_is_told_but_the_template(desk: Desk) -> None:
    drawn = Drawn(0, side=50, left=30, top=20, overall=77, score=0.8)
    consent = Consent([PHOTOS], "form")
    done = desk.app.index_picture(
        "club", subject="ada", picture=desk.studio.draw(drawn), consent=consent
    )
    face = done.enrolled
    assert face is not None
    (record,) = desk.app.consents("club", "ada")
    assert (face.subject, face.consent, face.user) == ("ada", record.id, None)
    assert (face.box, face.quality, face.score) == ((30, 20, 80, 70), 77, 0.8)
    assert face.picture_size == (done.width, done.height) == (WIDTH, HEIGHT)
    assert (face.created, record.given) == (desk.clock.time, desk.clock.time)
    assert desk.app.faces("club", "ada") == (face,)
    assert "template=" not in repr(done)


def test_beside_a_poor_face_as_large_nobody_is_enrolled(desk: Desk) -> None:
    picture = desk.studio.draw(Drawn(0), Drawn(1, left=110, overall=5, brightness=3))
    done = desk.app.index_picture(
        "club", subject="ada", picture=picture, consent=Consent([PHOTOS], "form")
    )
    assert done.enrolled is None
    assert {(each.face.box[0], each.reasons) for each in done.left} == {
        (20, ("EXCEEDS_MAX_FACES",)),
        (110, ("LOW_BRIGHTNESS", "LOW_FACE_QUALITY")),
    }


def test_a_poor_large_face_does_not_enrol_the_bystander(desk: Desk) -> None:
    picture = desk.studio.draw(Drawn(0, side=80, overall=5), Drawn(1, side=40, left=140))
    done = desk.app.index_picture(
        "club", subject="ada", picture=picture, consent=Consent([PHOTOS], "form")
    )
    assert (done.enrolled, len(done.left)) == (None, 2)


@pytest.mark.parametrize("drawn", [[], [Drawn(0, overall=5)], [Drawn(0), Drawn(1, left=110)]])
def test_who_is_not_enrolled_leaves_no_consent_but_an_entry(desk: Desk, drawn: list[Drawn]) -> None:
    picture = desk.studio.draw(*drawn)
    desk.app.index_picture(
        "club", subject="ada", picture=picture, consent=Consent([PHOTOS], "form")
    )
    assert desk.app.subjects("club") == ()
    assert desk.app.purposes("club") == ()  # nothing was declared
    (entry,) = desk.app.audit_entries(kind="faces-detected")
    event: Any = entry.event
    assert event.faces == len(drawn)


def test_a_face_that_is_more_like_another_is_refused_and_on_record(desk: Desk) -> None:
    desk.enrol("ada", 0)
    picture, consent = desk.studio.draw(0), Consent([PHOTOS], "form")
    with pytest.raises(LooksLikeAnother) as caught:
        desk.app.index_picture("club", subject="ben", picture=picture, consent=consent)
    ada = desk.app.subject("club", "ada").id
    assert not [each for each in ("ada", ada) if each in str(caught.value)]
    assert [subject.name for subject in desk.app.subjects("club")] == ["ada"]
    (entry,) = desk.app.audit_entries(kind="lookalike-refused")
    event: Any = entry.event
    assert (event.subject, event.lookalike) == (None, ada)
    done = desk.app.index_picture(
        "club", subject="ben", picture=picture, consent=consent, allow_lookalike=True
    )
    assert done.enrolled is not None
    (*_, entry) = desk.app.audit_entries(kind="faces-enrolled")
    event = entry.event
    assert event.lookalikes == (ada,)


def test_an_attestation_is_recorded_once_and_does_not_outdo_a_withdrawal(desk: Desk) -> None:
    attested = desk.key(attestation="form 17")
    for _ in range(2):
        done = attested.index_picture("club", subject="ada", picture=desk.studio.draw(0))
        assert done.enrolled is not None
    assert len(desk.app.consents("club", "ada")) == 1
    desk.app.add_consent("club", "ada", Consent([DOOR], "form of the door"))
    desk.app.withdraw_consent("club", "ada", PHOTOS)
    with pytest.raises(ConsentRequired, match="was withdrawn"):
        attested.index_picture("club", subject="ada", picture=desk.studio.draw(0))
    assert desk.app.subject("club", "ada").faces == 0


def test_what_a_consent_may_not_be_for_enrols_nobody(desk: Desk) -> None:
    desk.app.declare_purpose("club", PHOTOS, notice="We look for you.")
    picture = desk.studio.draw(0)
    with pytest.raises(PurposeNotDeclared):
        desk.app.index_picture(
            "club", subject="ada", picture=picture, consent=Consent([DOOR], "form")
        )
    caller = desk.key("enrol")
    with pytest.raises(AccessDenied):
        caller.index_picture(
            "club", subject="ada", picture=picture, consent=Consent([DOOR], "form")
        )
    with pytest.raises(ConsentRequired):
        caller.index_picture("club", subject="ada", picture=picture)
    refused = desk.app.audit_entries(kind="call-refused")
    assert [entry.key for entry in refused] == [caller.caller.key] * 2
    assert desk.app.subjects("club") == ()


@pytest.mark.parametrize("least", [-1, 100.5, float("nan"), True])
def test_a_quality_that_cannot_be_is_refused(desk: Desk, least: float) -> None:
    with pytest.raises(EnrolmentError, match="from 0 to 100"):
        desk.app.index_picture(
            "club", subject="ada", picture=desk.studio.draw(0), min_quality=least
        )


def test_names_and_pictures_are_held_to_their_limits(desk: Desk) -> None:
    picture, consent = desk.studio.draw(0), Consent([PHOTOS], "form")
    with pytest.raises(InvalidName):
        desk.app.index_picture("club", subject="ada lovelace", picture=picture, consent=consent)
    for side, error in ((HEIGHT, None), (HEIGHT + 1, PictureTooSmall)):
        file = PictureFile(picture, PictureLimits(min_side=side))
        assert picture not in repr(file).encode()
        if error is None:
            desk.app.index_picture("club", subject="ada", picture=file, consent=consent)
        else:
            with pytest.raises(error):
                desk.app.index_picture("club", subject="ada", picture=file, consent=consent)
