"""Searches for one person: who is found, who is hidden, and what is told of the picture."""

from __future__ import annotations

from typing import Any

import pytest

from sayso.audit import log
from sayso.errors import AccessDenied, ConsentRequired, FaceNotFound, GalleryError, NoFaceFound
from sayso.results import Consent
from tests.desk import DOOR, PHOTOS, Desk, desk
from tests.gallery.synthetic import ANYBODY
from tests.service.rekognition.drawn import Drawn

__all__ = ["desk"]  # the fixture


def test_a_search_tells_of_every_face_of_a_subject(desk: Desk) -> None:
    faces = {desk.enrol("ada", 0), desk.enrol("ada", 0)}
    desk.enrol("ben", 1)
    picture = desk.studio.draw(Drawn(0, side=80), Drawn(1, side=30, left=140))
    answer = desk.app.search_picture("club", picture, purpose=PHOTOS)
    assert {each.face.id for each in answer.candidates} == faces
    assert [each.reasons for each in answer.left] == [("FACE_NOT_LARGEST",)]
    scores = [each.similarity for each in answer.candidates]
    assert scores == sorted(scores, reverse=True)
    assert len(desk.app.search_picture("club", picture, purpose=PHOTOS, top=1).candidates) == 1


def test_a_picture_without_a_good_face_cannot_be_searched_for(desk: Desk) -> None:
    picture = desk.studio.draw(Drawn(0, overall=30))
    with pytest.raises(NoFaceFound):
        desk.app.search_picture("club", picture, purpose=PHOTOS, min_quality=40)
    answer = desk.app.search_users_by_picture("club", picture, purpose=PHOTOS, min_quality=40)
    assert (answer.face, answer.candidates) == (None, ())
    assert answer.left[0].reasons == ("LOW_FACE_QUALITY",)


def test_a_face_does_not_find_itself(desk: Desk) -> None:
    one, other = desk.enrol("ada", 0), desk.enrol("ada", 0)
    found = desk.app.search_face("club", one, purpose=PHOTOS)
    assert [each.face.id for each in found] == [other]


def test_whoever_is_not_covered_can_neither_be_probe_nor_answer(desk: Desk) -> None:
    shown, hidden = desk.enrol("ada", 0), desk.enrol("ada-at-the-door", 0, DOOR)
    reader = desk.key("search", "enrol", "erase")
    assert reader.search_face("club", shown).candidates == ()
    for face in (hidden, "no-such-face"):
        with pytest.raises(FaceNotFound):
            reader.search_face("club", face)
        with pytest.raises(FaceNotFound):
            reader.search_users("club", face=face)
    assert [each.id for each in reader.enrolled_faces("club")] == [shown]
    assert reader.delete_faces("club", [hidden]).failed == {hidden: "FACE_NOT_FOUND"}
    assert len(desk.app.enrolled_faces("club")) == 2


def test_a_search_from_the_gallery_is_on_record_with_whom_it_found(desk: Desk) -> None:
    face = desk.enrol("ada", 0)
    desk.enrol("ada-2", 0)
    desk.app.search_face("club", face, purpose=PHOTOS)
    ids = {each.name: each.id for each in desk.app.subjects("club")}
    with desk.app._resources.store.read() as connection:
        (entry,) = log.entries(connection, kind="enrolled-searched")
    assert entry.purpose == PHOTOS
    event: Any = entry.event
    assert (event.subject, event.face) == (ids["ada"], face)
    assert [each.subject for each in event.found] == [ids["ada-2"]]
    report = desk.app.report("club", "ada-2")
    assert "enrolled-searched" in {each.event.kind for each in report.entries}


def test_faces_of_two_pictures_are_compared(desk: Desk) -> None:
    source = desk.studio.draw(Drawn(0, side=80), Drawn(1, side=30, left=140))
    target = desk.studio.draw(Drawn(1, side=80), Drawn(0, side=40, left=140))
    found = desk.app.compare_faces(source, target)
    assert [each.face.width for each in found.matches] == [40]
    assert [each.face.width for each in found.unmatched] == [80]
    assert (found.source.width, found.source_size) == (80, (200, 100))
    for pair in ((source, desk.studio.draw()), (desk.studio.draw(), target)):
        with pytest.raises(NoFaceFound):
            desk.app.compare_faces(*pair)


def test_the_purpose_is_asked_for_and_is_the_callers_own(desk: Desk) -> None:
    face = desk.enrol("ada", 0)
    desk.app.create_user("club", "ada")
    reader, picture = desk.key("search"), desk.studio.draw(0)
    asks: list[Any] = [
        lambda app, purpose: app.search_picture("club", picture, purpose=purpose),
        lambda app, purpose: app.search_face("club", face, purpose=purpose),
        lambda app, purpose: app.search_users("club", user="ada", purpose=purpose),
        lambda app, purpose: app.search_users("club", face=face, purpose=purpose),
        lambda app, purpose: app.search_users_by_picture("club", picture, purpose=purpose),
    ]
    for ask in asks:
        with pytest.raises(ConsentRequired):
            ask(desk.app, None)
        with pytest.raises(AccessDenied):
            ask(reader, DOOR)
        ask(reader, None)
    kinds = [entry.event for entry in desk.app.audit_entries(kind="call-refused")]
    errors = ["ConsentRequired", "AccessDenied"] * len(asks)
    assert [event.error for event in kinds] == errors  # type: ignore[attr-defined]


def test_an_answer_is_the_same_whoever_else_is_enrolled(desk: Desk) -> None:
    face, free = desk.enrol("ada", 0), desk.enrol("ada", 0)
    desk.app.create_user("club", "ben", consent=Consent([PHOTOS], "form"))
    desk.app.associate_faces("club", "ben", [face])
    reader, picture = desk.key("search"), desk.studio.draw(0)

    def answers() -> list[Any]:
        return [
            reader.search_picture("club", picture).candidates,
            reader.search_face("club", face),
            reader.search_users("club", face=face),
            reader.search_users_by_picture("club", picture).candidates,
        ]

    before = answers()
    assert all(before)
    hidden = desk.enrol("eve", 0, DOOR)
    desk.app.create_user("club", "eve")
    # Also one of a face that may be shown does not make a user who may not be: it takes no place
    # among the best, and does not change what a match is worth.
    desk.app.associate_faces("club", "eve", [hidden, free])
    assert answers() == before
    desk.enrol("fay", 1)  # who may be shown does change what a match is worth
    changed = reader.search_face("club", face)[0].expected_false_matches
    assert changed == pytest.approx(2 * before[1][0].expected_false_matches)


def test_a_face_tells_of_its_user_only_where_they_may_be_shown(desk: Desk) -> None:
    face = desk.enrol("ada", 0)
    desk.app.create_user("club", "eve", consent=Consent([DOOR], "form"))
    desk.app.associate_faces("club", "eve", [face])
    picture = desk.studio.draw(0)

    def told() -> list[str | None]:
        found = desk.app.search_picture("club", picture, purpose=PHOTOS).candidates
        return [each.face.user for each in found]

    assert told() == [None]
    desk.app.add_consent("club", "eve", Consent([PHOTOS], "form"))
    assert told() == ["eve"]


def test_a_face_of_another_collection_is_none_of_this_one(desk: Desk) -> None:
    face = desk.enrol("ada", 0)
    desk.app.create_collection("team")
    with pytest.raises(FaceNotFound):
        desk.app.search_face("team", face, purpose=PHOTOS)
    with pytest.raises(FaceNotFound):
        desk.app.search_users("team", face=face, purpose=PHOTOS)
    assert desk.app.enrolled_faces("team", faces=[face]) == ()
    assert desk.app.delete_faces("team", [face]).failed == {face: "FACE_NOT_FOUND"}


def test_how_many_and_how_alike_can_be_asked_for(desk: Desk) -> None:
    faces = [desk.enrol(name, person) for person, name in enumerate(("ada", "ben", "cy"))]

    def found(**how: Any) -> list[str]:
        answer = desk.app.search_face("club", faces[0], purpose=PHOTOS, **how)
        assert [c.similarity for c in answer] == sorted(c.similarity for c in answer)[::-1]
        return [each.face.subject for each in answer]

    assert found() == []  # the collection's rule decides
    desk.app.set_false_match_rule("club", ANYBODY)
    assert found(min_similarity=80) == []
    assert sorted(found()) == ["ben", "cy"]
    assert len(found(top=1)) == 1
    for wrong in ({"top": 0}, {"top": 4097}, {"min_similarity": -1}, {"min_similarity": 101}):
        with pytest.raises(GalleryError, match="runs from"):
            found(**wrong)


def test_a_picture_that_cannot_be_searched_for_is_on_record(desk: Desk) -> None:
    reader = desk.key("search")
    with pytest.raises(NoFaceFound):
        reader.search_picture("club", desk.studio.draw())
    reader.search_users_by_picture("club", desk.studio.draw())
    entries = [e for e in desk.app.audit_entries() if e.key == reader.caller.key]
    assert [e.event.kind for e in entries] == ["faces-detected", "picture-searched"]


def test_who_withdraws_between_search_and_answer_is_not_in_it(desk: Desk) -> None:
    """What was found is asked for again in the change that puts the search on record."""
    face = desk.enrol("ada", 0, PHOTOS, DOOR)
    desk.app.create_user("club", "ben", consent=Consent([PHOTOS], "form"))
    desk.app.associate_faces("club", "ben", [face])
    index, store = desk.app._resources.index, desk.app._resources.store
    probe = index.template("club", _key_of(desk, face), PHOTOS)
    assert probe is not None
    found = index.match_faces("club", probe, purpose=PHOTOS, top=9, least=lambda _: 0.5)
    users = index.match_users("club", probe, purpose=PHOTOS, top=9, least=lambda _: 0.5)
    assert [hit.subject for hit in found.hits[0]] == ["ada"]
    assert [hit.user.subject.name for hit in users.hits] == ["ben"]
    with store.write() as change:
        assert index.confirm(change, found, PHOTOS) == found
        assert index.confirm_users(change, users, PHOTOS) == users
    desk.app.withdraw_consent("club", "ada", PHOTOS)
    with store.write() as change:
        assert index.confirm(change, found, PHOTOS).hits == ((),)
        assert index.confirm_users(change, users, PHOTOS).hits == ()


@pytest.mark.parametrize("how", ["disassociated", "deleted", "withdrawn"])
def test_a_user_who_changes_between_search_and_answer_is_not_in_it(desk: Desk, how: str) -> None:
    face = desk.enrol("ada", 0)
    desk.app.create_user("club", "ben", consent=Consent([PHOTOS, DOOR], "form"))
    desk.app.associate_faces("club", "ben", [face])
    index, store = desk.app._resources.index, desk.app._resources.store
    probe = index.template("club", _key_of(desk, face), PHOTOS)
    assert probe is not None
    users = index.match_users("club", probe, purpose=PHOTOS, top=9, least=lambda _: 0.5)
    assert len(users.hits) == 1
    if how == "disassociated":
        desk.app.disassociate_faces("club", "ben", [face])
    elif how == "deleted":
        desk.app.delete_user("club", "ben")
    else:
        desk.app.withdraw_consent("club", "ben", PHOTOS)
    with store.write() as change:
        assert index.confirm_users(change, users, PHOTOS).hits == ()


def _key_of(desk: Desk, face: str) -> int:
    with desk.app._resources.store.read() as connection:
        found = connection.exec_driver_sql("SELECT key FROM faces WHERE id = ?", (face,))
        return int(found.scalar_one())
