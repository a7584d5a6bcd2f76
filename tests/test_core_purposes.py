"""Purposes are kept apart, also under a name that several of them know."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import sayso
from sayso.audit.events import ConflictRefused, FacesTaken
from sayso.callers import Action
from sayso.conflicts import SAME_PERSON
from sayso.core import Sayso
from sayso.errors import FaceNotFound, NameConflict, SubjectNotFound, UserExists, UserNotFound
from sayso.gallery.store import FILE
from sayso.results import Consent
from tests.desk import DOOR, PHOTOS, Desk, desk
from tests.service.rekognition.drawn import Drawn

__all__ = ["desk"]  # the fixture

SYSTEM: tuple[Action, ...] = ("enrol", "search", "erase")
HOUR = timedelta(hours=1)
#: As alike as two pictures of one person can be: less than names anybody.
SELDOM = {"cosine": 0.5}


def _door(desk: Desk, *more: Action) -> Sayso:
    """Return the gallery for a system at the door, whose people have the same names."""
    return desk.key(*SYSTEM, *more, purpose=DOOR, attestation="asked at the door")


def _photos(desk: Desk) -> Sayso:
    return desk.key(*SYSTEM, purpose=PHOTOS, attestation="asked by the photographer")


def _index(app: Sayso, picture: bytes, name: str = "1001", **options: Any) -> Any:
    done = app.index_picture("club", subject=name, picture=picture, **options)
    assert done.enrolled is not None
    return done.enrolled


def _names(app: Sayso, picture: bytes, purpose: str | None = None) -> list[str | None]:
    found = app.recognize("club", picture, purpose=purpose)
    return [None if face.candidate is None else face.candidate.subject for face in found.faces]


def test_a_known_name_tells_a_key_nothing_of_another_purpose(desk: Desk) -> None:
    face = desk.enrol("1001", 0)
    desk.app.create_user("club", "1001")
    desk.app.associate_faces("club", "1001", [face])
    (consent,) = desk.app.consents("club", "1001")
    desk.clock.time += HOUR
    door, picture = _door(desk, "audit"), desk.studio.draw(0)
    own = door.add_consent("club", "1001", Consent([DOOR], "asked"))
    told = door.subject("club", "1001")
    assert (told.created, told.faces, told.purposes) == (desk.clock.time, 0, (DOOR,))
    assert door.subjects("club") == (told,)
    assert door.faces("club", "1001") == door.enrolled_faces("club") == ()
    assert door.consents("club", "1001") == (own,)
    assert (door.collection("club").subjects, door.collection("club").faces) == (1, 0)
    assert door.threshold("club").threshold.population == 0
    assert _names(door, picture) == [None]
    assert door.search_picture("club", picture).candidates == ()
    assert door.users("club") == ()
    report = door.report("club", "1001")
    assert (report.subject, report.faces, report.consents) == (told, (), (own,))
    for ask in (
        lambda: door.search_face("club", face),
        lambda: door.search_users("club", face=face),
    ):
        with pytest.raises(FaceNotFound):
            ask()
    with pytest.raises(UserNotFound):
        door.user("club", "1001")
    assert door.delete_faces("club", [face]).failed == {face: "FACE_NOT_FOUND"}
    made = door.create_user("club", "1001")
    assert (made.created, made.faces) == (desk.clock.time, 0)
    with pytest.raises(UserExists):
        door.create_user("club", "1001")
    assert consent.id not in repr([told, report.faces, report.consents, made, own])
    # To others nothing has changed.
    assert _names(desk.app, picture, PHOTOS) == ["1001"]
    assert desk.found(0) == ["1001"]
    door.delete_user("club", "1001")
    assert desk.found(0) == ["1001"]


def test_people_are_listed_in_an_order_that_tells_nothing_of_another_purpose(desk: Desk) -> None:
    desk.enrol("old", 0)
    door = _door(desk)
    for name in ("ada", "old"):
        desk.clock.time += HOUR
        door.add_consent("club", name, Consent([DOOR], "asked"))
    first, second = door.subjects("club")
    assert (first.name, second.name) == ("ada", "old")
    assert door.subjects("club", after=first.id) == (second,)


def test_a_key_erases_for_its_own_purpose_alone(desk: Desk) -> None:
    kept, mine = _index(_photos(desk), desk.studio.draw(0)), None
    desk.clock.time += HOUR
    door = _door(desk)
    mine = _index(door, desk.studio.draw(0))
    stone = door.erase_subject("club", "1001")
    assert (stone.faces, stone.consents, stone.created) == (1, 1, desk.clock.time)
    with pytest.raises(SubjectNotFound):
        door.subject("club", "1001")
    assert [each.id for each in desk.app.faces("club", "1001")] == [kept.id] != [mine.id]
    assert _names(_photos(desk), desk.studio.draw(0)) == ["1001"]
    assert desk.app.tombstones("club") == ()
    # The last one erases the subject; whoever asks is told the same.
    last = _photos(desk).erase_subject("club", "1001")
    assert (last.faces, last.consents, last.reason) == (1, 1, stone.reason)
    assert desk.app.subjects("club") == ()
    assert [stone.reason for stone in desk.app.tombstones("club")] == ["asked"]


@pytest.mark.parametrize("way", ["enroll", "index", "templates", "at the machine"])
def test_two_systems_with_the_same_numbers_do_not_make_one_person_of_two(
    desk: Desk, way: str
) -> None:
    _index(_photos(desk), desk.studio.draw(0))
    door, other = _door(desk), desk.studio.draw(1)
    consent = Consent([DOOR], "asked")
    version = door._version()
    ways: dict[str, Callable[[], object]] = {
        "enroll": lambda: door.enroll("club", subject="1001", pictures=[other]),
        "index": lambda: _index(door, other, allow_lookalike=True),
        "templates": lambda: door.enroll_templates(
            "club",
            subjects=["1001"],
            templates=desk.app.detect(other).templates,
            version=version,
        ),
        "at the machine": lambda: desk.app.enroll(
            "club", subject="1001", pictures=[other], consent=consent, allow_lookalike=True
        ),
    }
    with pytest.raises(NameConflict, match="'1001' means somebody else") as caught:
        ways[way]()
    subject = desk.app.subject("club", "1001")
    assert (subject.faces, subject.purposes) == (1, (PHOTOS,))
    assert subject.id not in str(caught.value)
    with pytest.raises(SubjectNotFound):  # nor was a consent recorded
        door.subject("club", "1001")
    (entry,) = desk.app.audit_entries(kind="conflict-refused")
    assert isinstance(entry.event, ConflictRefused)
    assert entry.event.subject == subject.id


def test_of_several_pictures_those_that_are_not_theirs_are_left(desk: Desk) -> None:
    _index(_photos(desk), desk.studio.draw(0))
    done = _door(desk).enroll(
        "club", subject="1001", pictures=[desk.studio.draw(0), desk.studio.draw(1)]
    )
    assert [type(each.error) for each in done.pictures] == [type(None), NameConflict]
    assert len(desk.app.audit_entries(kind="conflict-refused")) == 1


def test_the_same_person_is_the_same_for_both(desk: Desk) -> None:
    measured = desk.app.calibration
    assert measured is not None
    assert measured.score(SAME_PERSON) < SELDOM["cosine"] < measured.score(80)
    photos, door = _photos(desk), _door(desk)
    first = _index(photos, desk.studio.draw(Drawn(0, cosine=1.0)))
    second = _index(door, desk.studio.draw(Drawn(0, **SELDOM)))
    assert [f.id for f in photos.faces("club", "1001")] == [first.id]
    assert [f.id for f in door.faces("club", "1001")] == [second.id]
    assert [f.consent for f in door.faces("club", "1001")] == [
        each.id for each in door.consents("club", "1001")
    ]


def test_one_picture_enrols_for_each_purpose_and_for_each_once(desk: Desk) -> None:
    picture, photos, door = desk.studio.draw(0), _photos(desk), _door(desk)
    first, second = _index(photos, picture), _index(door, picture)
    assert first.id != second.id
    assert second.picture != first.picture
    for app, face in ((photos, first), (door, second)):
        again = app.index_picture("club", subject="1001", picture=picture)
        assert again.repeated
        assert again.enrolled == face
    assert desk.app.subject("club", "1001").faces == 2
    # Whoever sees both enrols no third.
    assert desk.app.index_picture("club", subject="1001", picture=picture).repeated


def test_who_sees_everybody_extends_what_is_there_at_once_everywhere(desk: Desk) -> None:
    face, picture = _index(_photos(desk), desk.studio.draw(0)), desk.studio.draw(0)
    door = _door(desk)
    door.add_consent("club", "1001", Consent([DOOR], "asked"))
    with desk.reopened() as other:
        assert _names(other, picture, DOOR) == _names(desk.app, picture, DOOR) == [None]
        consent = desk.app.add_consent("club", "1001", Consent([DOOR], "one form for both"))
        assert _names(other, picture, DOOR) == _names(desk.app, picture, DOOR) == ["1001"]
        (told,) = door.faces("club", "1001")
        assert (told.id, told.consent) == (face.id, consent.id)  # not that of the other purpose
        assert [c.face.consent for c in door.search_picture("club", picture).candidates] == [
            consent.id
        ]
        door.withdraw_consent("club", "1001")
        assert _names(other, picture, DOOR) == _names(desk.app, picture, DOOR) == [None]
        # A new consent of the same system does not bring back what it was given.
        desk.clock.time += HOUR
        door.add_consent("club", "1001", Consent([DOOR], "another form"))
        assert _names(other, picture, DOOR) == _names(desk.app, picture, DOOR) == [None]
    desk.app.close()
    with desk.reopened() as other:
        assert _names(other, picture, DOOR) == [None]
        assert _names(other, picture, PHOTOS) == ["1001"]


def test_a_purpose_that_lapsed_is_not_served_again_by_the_next_consent(desk: Desk) -> None:
    until, picture = desk.clock.time + HOUR, desk.studio.draw(0)
    _index(desk.app, picture, consent=Consent([PHOTOS], "form"))
    desk.app.add_consent("club", "1001", Consent([DOOR], "form", until=until))
    door = _door(desk)
    assert _names(door, picture) == ["1001"]
    desk.clock.time = until - timedelta(minutes=1)
    door.add_consent("club", "1001", Consent([DOOR], "renewed", until=until + HOUR))
    desk.clock.time = until
    assert _names(door, picture) == ["1001"]  # without a break
    desk.clock.time = until + HOUR
    assert _names(door, picture) == [None]
    door.add_consent("club", "1001", Consent([DOOR], "too late"))
    assert _names(door, picture) == [None]
    desk.app.add_consent("club", "1001", Consent([DOOR], "as one who knows"))
    assert _names(door, picture) == ["1001"]


def test_a_key_deletes_a_face_for_its_own_purpose_alone(desk: Desk) -> None:
    face, picture = desk.enrol("1001", 0, PHOTOS, DOOR), desk.studio.draw(0)
    door, photos = _door(desk), _photos(desk)
    assert _names(door, picture) == _names(photos, picture) == ["1001"]
    assert door.delete_faces("club", [face]).deleted == (face,)
    assert (_names(door, picture), _names(photos, picture)) == ([None], ["1001"])
    assert door.delete_faces("club", [face]).failed == {face: "FACE_NOT_FOUND"}
    (entry,) = desk.app.audit_entries(kind="faces-taken")
    assert entry.event == FacesTaken("club", (desk.app.subject("club", "1001").id,), 1)
    assert photos.delete_faces("club", [face]).deleted == (face,)
    assert desk.app.faces("club", "1001") == ()
    assert len(desk.app.audit_entries(kind="faces-erased")) == 1


def test_what_was_taken_from_one_purpose_does_not_serve_it_by_an_older_backup(
    desk: Desk, tmp_path: Path
) -> None:
    face, picture = desk.enrol("1001", 0, PHOTOS, DOOR), desk.studio.draw(0)
    door, photos = _door(desk), _photos(desk)
    for each in (door, photos):
        each.create_user("club", "1001")
    backup = tmp_path / "backup"
    desk.app.backup(backup)
    door.delete_user("club", "1001")
    door.delete_faces("club", [face])
    sayso.restore(desk.data, backup)
    assert (_names(door, picture), _names(photos, picture)) == ([None], ["1001"])
    assert [each.id for each in photos.faces("club", "1001")] == [face]
    with pytest.raises(UserNotFound):
        door.user("club", "1001")
    assert photos.user("club", "1001").name == "1001"
    # What serves it again before the next backup stands in that one.
    desk.clock.time += HOUR
    _index(door, desk.studio.draw(0))
    door.create_user("club", "1001")
    newer = tmp_path / "newer"
    desk.app.backup(newer)
    sayso.restore(desk.data, newer)
    assert _names(door, picture) == ["1001"]
    assert door.user("club", "1001").name == "1001"
    # And nothing of it is remembered when the subject has ended.
    desk.app.erase_subject("club", "1001")
    keyring = desk.app._resources.keyring
    assert keyring.ended("face-purpose") == keyring.ended("user-purpose") == {}


def test_a_key_takes_no_face_from_a_user_of_another_purpose(desk: Desk) -> None:
    face = desk.enrol("1001", 0, PHOTOS, DOOR)
    desk.app.create_user("club", "1001")
    desk.app.associate_faces("club", "1001", [face], min_similarity=0)
    done = _door(desk).disassociate_faces("club", "1001", [face])
    assert done.failed == {face: "ASSOCIATED_TO_A_DIFFERENT_USER"}
    assert desk.found(0) == ["1001"]
    assert desk.app.disassociate_faces("club", "1001", [face]).failed == {}


def test_a_user_of_one_purpose_does_not_hold_a_face_in_another(desk: Desk) -> None:
    face = desk.enrol("1001", 0, PHOTOS, DOOR)
    door, photos = _door(desk), _photos(desk)
    door.create_user("club", "squat")
    done = door.associate_faces("club", "squat", [face], min_similarity=0)
    assert done.failed == {face: "ASSOCIATED_TO_A_DIFFERENT_USER"}
    door.create_user("club", "1001")  # the person themselves, whom photos knows as no user
    assert door.associate_faces("club", "1001", [face], min_similarity=0).failed == {}
    assert photos.delete_faces("club", [face]).deleted == (face,)
    assert photos.faces("club", "1001") == ()
    assert [each.id for each in door.faces("club", "1001")] == [face]


def test_who_was_in_touch_for_one_purpose_was_not_for_another(desk: Desk) -> None:
    desk.app.add_consent("club", "1001", Consent([PHOTOS], "form"))
    (before,) = _photos(desk).consents("club", "1001")
    desk.clock.time += 300 * 24 * HOUR
    door = _door(desk)
    door.add_consent("club", "1001", Consent([DOOR], "asked"))
    (own,) = door.record_interaction("club", "1001", desk.clock.time)
    assert own.last_interaction == desk.clock.time
    assert _photos(desk).consents("club", "1001") == (before,)
    desk.app.record_interaction("club", "1001")
    assert _photos(desk).consents("club", "1001") != (before,)


def test_without_a_consent_of_its_own_an_enrolment_at_the_machine_is_for_all(desk: Desk) -> None:
    for purpose in (PHOTOS, DOOR):
        desk.app.add_consent("club", "ada", Consent([purpose], f"form for {purpose}"))
    _index(desk.app, desk.studio.draw(0), "ada")
    for purpose in (PHOTOS, DOOR):
        assert _names(desk.app, desk.studio.draw(0), purpose) == ["ada"]


def test_faces_of_an_older_gallery_serve_what_their_recorders_could_give(desk: Desk) -> None:
    """The consent that they were enrolled on, and those that no key of one purpose recorded."""
    _index(desk.app, desk.studio.draw(0), "ada", consent=Consent([PHOTOS], "form"))
    _door(desk).add_consent("club", "ada", Consent([DOOR], "asked"))
    desk.app.add_consent("club", "ada", Consent(["sports"], "form"))
    desk.app.create_user("club", "ada")
    desk.app.close()
    with closing(sqlite3.connect(desk.data / FILE)) as database:
        for table in ("face_purposes", "user_purposes"):
            database.execute(f"DROP TABLE {table}")
        database.execute("UPDATE alembic_version SET version_num = '0004'")
        database.commit()
    with desk.reopened() as app:
        served = {
            purpose: _names(app, desk.studio.draw(0), purpose)
            for purpose in (PHOTOS, DOOR, "sports")
        }
        assert served == {PHOTOS: ["ada"], DOOR: [None], "sports": ["ada"]}
        for purpose in (PHOTOS, DOOR, "sports"):  # as before
            key = app.create_key("reader", purpose=purpose, actions=["search"])
            assert [
                user.name
                for user in app.acting_as(app.authenticate(key.key.id, key.secret)).users("club")
            ] == ["ada"]
        app.withdraw_consent("club", "ada", PHOTOS)
        assert app.subject("club", "ada").faces == 0  # it was enrolled for nothing else
