"""Users, and faces by their ids: who is found, who is hidden, what goes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from sayso.callers import ACTIONS, Action
from sayso.core import restore
from sayso.errors import (
    AccessDenied,
    ConsentRequired,
    GalleryError,
    InvalidName,
    TooManyFacesOfUser,
    UserExists,
    UserNotFound,
)
from sayso.gallery import schema, users
from sayso.gallery.fusing import Fused
from sayso.gallery.store import FILE
from sayso.results import Consent
from tests.desk import DOOR, PHOTOS, Desk, desk
from tests.gallery.synthetic import ANYBODY, VERSION, near, templates
from tests.service.rekognition.drawn import Drawn

__all__ = ["desk"]  # the fixture


def with_user(desk: Desk, name: str = "ada", person: int = 0) -> tuple[str, str]:
    """Make a user of two faces, each enrolled under a name of its own."""
    faces = desk.enrol(f"{name}-1", person), desk.enrol(f"{name}-2", person)
    desk.app.create_user("club", name, consent=Consent([PHOTOS], "form of the user"))
    done = desk.app.associate_faces("club", name, faces)
    assert (set(done.linked), done.failed) == (set(faces), {})
    assert (done.user.status, done.user.faces) == ("ACTIVE", 2)
    return faces


def test_a_user_is_found_by_faces_of_other_subjects(desk: Desk) -> None:
    with_user(desk)
    with_user(desk, "ben", 1)
    assert desk.found(0) == ["ada"]
    assert desk.found(1) == ["ben"]
    assert desk.found(2) == []
    with desk.reopened() as other:
        assert desk.found(0, app=other) == ["ada"]


def test_a_fused_template_is_nearer_than_any_of_its_faces(desk: Desk) -> None:
    faces = [desk.enrol("ada", 0, cosine=0.6) for _ in range(4)]
    desk.app.create_user("club", "ada")
    desk.app.associate_faces("club", "ada", faces, min_similarity=0)
    picture = desk.studio.draw(Drawn(0, cosine=1.0))
    single = desk.app.search_picture("club", picture, purpose=PHOTOS).candidates[0]
    fused = desk.app.search_users_by_picture("club", picture, purpose=PHOTOS).candidates[0]
    assert fused.cosine > single.cosine + 0.1
    assert fused.expected_false_matches <= single.expected_false_matches


def test_a_user_does_not_find_themselves(desk: Desk) -> None:
    faces = with_user(desk)
    with_user(desk, "ada-again", 0)
    found = desk.app.search_users("club", user="ada", purpose=PHOTOS)
    assert [each.user.name for each in found] == ["ada-again"]
    by_face = desk.app.search_users("club", face=faces[0], purpose=PHOTOS)
    assert {each.user.name for each in by_face} == {"ada", "ada-again"}
    with pytest.raises(GalleryError, match="either a user or a face"):
        desk.app.search_users("club", purpose=PHOTOS)


def test_a_user_is_found_only_while_their_own_subject_is_covered(desk: Desk) -> None:
    with_user(desk)
    assert desk.found(0) == ["ada"]
    desk.app.add_consent("club", "ada", Consent([DOOR], "form"))
    desk.app.withdraw_consent("club", "ada", PHOTOS)
    assert desk.found(0) == []
    with pytest.raises(UserNotFound):
        desk.key().search_users("club", user="ada")
    with pytest.raises(UserNotFound):
        desk.key("search").user("club", "ada")
    assert desk.key("search").users("club") == ()
    assert [each.name for each in desk.app.users("club")] == ["ada"]


@pytest.mark.parametrize("how", ["withdrawn", "erased", "expired"])
def test_a_fused_template_loses_whoever_is_gone_at_once(desk: Desk, how: str) -> None:
    first = desk.enrol("one", 0)
    consent = Consent([PHOTOS], "form", until=desk.clock.time + timedelta(hours=1))
    indexed = desk.app.index_picture(
        "club", subject="two", picture=desk.studio.draw(1), consent=consent
    )
    assert indexed.enrolled is not None
    desk.app.create_user("club", "both", consent=Consent([PHOTOS], "form"))
    desk.app.associate_faces("club", "both", [first, indexed.enrolled.id], min_similarity=0)

    desk.app.set_false_match_rule("club", ANYBODY)

    def cosine() -> float:
        picture = desk.studio.draw(Drawn(1, cosine=1.0))
        found = desk.app.search_users_by_picture("club", picture, purpose=PHOTOS, min_similarity=0)
        return found.candidates[0].cosine

    assert cosine() > 0.6
    if how == "erased":
        desk.app.erase_subject("club", "two")
    elif how == "withdrawn":
        desk.app.withdraw_consent("club", "two", PHOTOS)
    else:
        desk.clock.time += timedelta(hours=1)
    assert cosine() < 0.4
    assert desk.app.user("club", "both").faces == 1


def test_what_a_fused_template_was_is_overwritten_in_memory(desk: Desk) -> None:
    faces = with_user(desk)
    desk.found(0)
    (cache,) = desk.app._resources.index._caches.values()
    ((_, fused),) = cache._fused.values()
    assert np.abs(fused._templates).sum() > 0
    desk.app.disassociate_faces("club", "ada", faces[:1])
    desk.app._resources.look()
    assert np.abs(fused._templates).sum() == 0
    assert isinstance(fused, Fused)


def test_whoever_is_erased_leaves_no_user(desk: Desk) -> None:
    faces = with_user(desk)
    desk.app.erase_subject("club", "ada")
    assert desk.app.users("club") == ()
    assert [each.user for each in desk.app.enrolled_faces("club")] == [None, None]
    assert desk.found(0) == []
    assert desk.app.delete_faces("club", faces).deleted


def test_deleting_a_user_keeps_the_subject_and_the_faces(desk: Desk) -> None:
    with_user(desk)
    desk.app.delete_user("club", "ada")
    assert desk.app.count_users("club") == 0
    assert len(desk.app.enrolled_faces("club")) == 2
    assert desk.app.subject("club", "ada").purposes == (PHOTOS,)
    with pytest.raises(UserNotFound):
        desk.app.delete_user("club", "ada")


def test_a_user_is_made_once(desk: Desk) -> None:
    with_user(desk)
    with pytest.raises(UserExists):
        desk.app.create_user("club", "ada")
    with pytest.raises(InvalidName):
        desk.app.create_user("club", "a" * 129, consent=Consent([PHOTOS], "form"))


def test_a_face_that_is_unlike_the_others_is_not_associated(desk: Desk) -> None:
    with_user(desk)
    other = desk.enrol("ben", 1)
    done = desk.app.associate_faces("club", "ada", [other, "no-such-face"])
    assert done.linked == ()
    assert done.failed == {other: "LOW_MATCH_CONFIDENCE", "no-such-face": "FACE_NOT_FOUND"}
    assert done.similarities[other] < 75
    assert desk.app.associate_faces("club", "ada", [other], min_similarity=0).linked == (other,)


def test_a_face_of_another_user_is_told_of(desk: Desk) -> None:
    faces = with_user(desk)
    desk.app.create_user("club", "ben", consent=Consent([PHOTOS], "form"))
    done = desk.app.associate_faces("club", "ben", faces[:1])
    assert done.failed == {faces[0]: "ASSOCIATED_TO_A_DIFFERENT_USER"}
    assert done.users == {faces[0]: "ada"}
    gone = desk.app.disassociate_faces("club", "ben", faces[:1])
    assert gone.failed == {faces[0]: "ASSOCIATED_TO_A_DIFFERENT_USER"}
    assert desk.app.associate_faces("club", "ada", faces).linked == ()  # they are already


def test_faces_that_are_hidden_neither_count_nor_are_compared_with(desk: Desk) -> None:
    hidden = desk.enrol("ada-at-the-door", 0, DOOR)
    desk.app.create_user("club", "ada", consent=Consent([PHOTOS], "form"))
    desk.app.associate_faces("club", "ada", [hidden])
    reader = desk.key("enrol", "search", "erase")
    for user in (reader.user("club", "ada"), *reader.users("club")):
        assert (user.status, user.faces) == ("CREATED", 0)
    assert desk.app.user("club", "ada").faces == 1
    for each in (reader.associate_faces, reader.disassociate_faces):
        assert each("club", "ada", [hidden]).failed == {hidden: "FACE_NOT_FOUND"}
    other = desk.enrol("ben", 1)  # nothing like the hidden one, which must not be told of
    done = reader.associate_faces("club", "ada", [other])
    assert (done.linked, done.failed, done.user.faces) == ((other,), {}, 1)
    (found,) = reader.search_users_by_picture("club", desk.studio.draw(1)).candidates
    assert found.user.faces == 1
    assert desk.app.user("club", "ada").faces == 2


def test_a_hidden_face_counts_towards_the_limit(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sayso.core.linking.MOST_FACES", 1)
    desk.app.create_user("club", "ada", consent=Consent([PHOTOS], "form"))
    desk.app.associate_faces("club", "ada", [desk.enrol("ada-at-the-door", 0, DOOR)])
    with pytest.raises(TooManyFacesOfUser):
        desk.key("enrol").associate_faces("club", "ada", [desk.enrol("ada", 0)])


def test_a_user_has_at_most_so_many_faces(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sayso.core.linking.MOST_FACES", 2)
    with_user(desk)
    assert users.MOST_FACES == 100
    with pytest.raises(TooManyFacesOfUser, match="limit is 2"):
        desk.app.associate_faces("club", "ada", [desk.enrol("ada", 0)])
    assert desk.app.user("club", "ada").faces == 2


def test_who_makes_a_user_does_not_learn_that_there_is_one_already(desk: Desk) -> None:
    """A key makes one that is hidden from it as it would make a new one."""
    for name in ("ada", "ben"):
        desk.app.add_consent("club", name, Consent([DOOR], f"form of {name}"))
    desk.app.create_user("club", "ada")
    key = desk.key("enrol")
    consent = Consent([PHOTOS], "another form")
    made = [key.create_user("club", name, consent=consent) for name in ("ada", "ben")]
    assert [(user.name, user.status, user.faces) for user in made] == [
        ("ada", "CREATED", 0),
        ("ben", "CREATED", 0),
    ]
    with pytest.raises(UserExists):  # of whom they know now
        key.create_user("club", "ada", consent=consent)
    with pytest.raises(ConsentRequired):  # the same of those who are hidden as of strangers
        desk.key("enrol", purpose="sports").create_user("club", "ada")
    assert desk.app.count_users("club") == 2
    created = desk.app.audit_entries(kind="user-created")
    assert len(created) == 2  # and not three times


def test_a_user_without_a_face_is_there_and_found_by_nobody(desk: Desk) -> None:
    face = desk.enrol("ada", 0)
    made = desk.app.create_user("club", "ada")
    assert (made.status, made.faces) == ("CREATED", 0)
    assert made == desk.app.user("club", "ada")
    assert made.id == desk.app.subject("club", "ada").id
    assert desk.found(0) == []
    assert desk.app.search_users("club", user="ada", purpose=PHOTOS).candidates == ()
    done = desk.app.associate_faces("club", "ada", [face, face])
    assert (done.linked, done.user.status) == ((face,), "ACTIVE")
    gone = desk.app.disassociate_faces("club", "ada", [face, face, "no-such-face"])
    assert (gone.linked, gone.user.status) == ((face,), "CREATED")
    assert gone.failed == {"no-such-face": "FACE_NOT_FOUND"}
    assert desk.found(0) == []


def test_users_are_listed_page_by_page_in_the_order_of_their_ids(desk: Desk) -> None:
    for name in ("ada", "ben", "cy", "dan"):
        desk.app.create_user("club", name, consent=Consent([PHOTOS], "form"))
    everybody = desk.app.users("club")
    assert [user.id for user in everybody] == sorted(user.id for user in everybody)
    first = desk.app.users("club", limit=2)
    desk.app.delete_user("club", first[-1].name)
    assert (*first, *desk.app.users("club", after=first[-1].id, limit=9)) == everybody
    for limit in (0, 4097, True):
        with pytest.raises(GalleryError, match="limit is"):
            desk.app.users("club", limit=limit)


def test_what_another_process_does_to_users_is_seen_at_once(desk: Desk) -> None:
    faces = with_user(desk)
    with desk.reopened() as other:
        assert desk.found(0, app=other) == ["ada"]
        desk.app.disassociate_faces("club", "ada", faces)
        assert desk.found(0, app=other) == []
        desk.app.associate_faces("club", "ada", faces)
        assert desk.found(0, app=other) == ["ada"]
        desk.app.delete_user("club", "ada")
        assert desk.found(0, app=other) == []
        desk.app.create_user("club", "ada")  # a new one, with none of the old one's faces
        assert desk.found(0, app=other) == []
        desk.app.associate_faces("club", "ada", faces)
        desk.app.erase_subject("club", "ada-1")
        assert other.user("club", "ada").faces == 1
        assert desk.found(0, app=other) == ["ada"]
        desk.app.delete_collection("club", erase_subjects=True)
        desk.app.create_collection("club")
        assert desk.found(0, app=other) == []


@pytest.mark.parametrize("how", ["erased", "withdrawn", "expired"])
def test_whoever_is_gone_from_a_fused_template_is_so_after_a_restart(desk: Desk, how: str) -> None:
    _made_of_two(desk, how)
    before = _cosine(desk)
    _end(desk, how)
    after = _cosine(desk)
    desk.app.close()
    with desk.reopened() as other:
        assert _cosine(desk, other) == after
        assert other.user("club", "both").faces == 1
    assert before > 0.6
    assert after < 0.4


def _made_of_two(desk: Desk, how: str) -> None:
    """Make a user of two people's faces, of whom the second is going to be gone."""
    desk.app.set_false_match_rule("club", ANYBODY)
    until = desk.clock.time + timedelta(hours=1) if how == "expired" else None
    first, second = desk.studio.draw(0), desk.studio.draw(1)
    faces = []
    for name, picture, end in (("one", first, None), ("two", second, until)):
        done = desk.app.index_picture(
            "club", subject=name, picture=picture, consent=Consent([PHOTOS], "form", until=end)
        )
        assert done.enrolled is not None
        faces.append(done.enrolled.id)
    desk.app.create_user("club", "both", consent=Consent([PHOTOS], "form"))
    desk.app.associate_faces("club", "both", faces, min_similarity=0)


def _end(desk: Desk, how: str) -> None:
    if how == "erased":
        desk.app.erase_subject("club", "two")
    elif how == "withdrawn":
        desk.app.withdraw_consent("club", "two", PHOTOS)
    else:
        desk.clock.time += timedelta(hours=1)


def _cosine(desk: Desk, app: Any = None) -> float:
    """Return how alike the user is to the second of the two."""
    picture = desk.studio.draw(Drawn(1, cosine=1.0))
    found = (app or desk.app).search_users_by_picture(
        "club", picture, purpose=PHOTOS, min_similarity=0
    )
    return float(found.candidates[0].cosine)


def test_a_face_whose_consent_is_back_counts_again(desk: Desk) -> None:
    face = desk.enrol("ada", 0, PHOTOS, DOOR)
    desk.app.create_user("club", "user", consent=Consent([PHOTOS], "form"))
    desk.app.associate_faces("club", "user", [face])
    desk.app.withdraw_consent("club", "ada", PHOTOS)
    assert desk.found(0) == []
    assert desk.app.user("club", "user").faces == 1  # it is kept for the door
    desk.app.add_consent("club", "ada", Consent([PHOTOS], "a new form"))
    assert desk.found(0) == ["user"]


@pytest.mark.parametrize("how", ["erased", "withdrawn", "expired", "unlinked", "deleted", "closed"])
def test_no_fused_template_is_left_in_a_process_that_nobody_asks(desk: Desk, how: str) -> None:
    _made_of_two(desk, how)
    other = desk.reopened()
    _cosine(desk, other)
    (cache,) = other._resources.index._caches.values()
    ((_, fused),) = cache._fused.values()
    assert np.abs(fused._templates).sum() > 0
    if how == "unlinked":
        desk.app.disassociate_faces("club", "both", [desk.app.faces("club", "two")[0].id])
    elif how == "deleted":
        desk.app.delete_collection("club", erase_subjects=True)
    elif how != "closed":
        _end(desk, how)
    if how == "closed":
        other.close()
    else:
        other._resources.look()  # as its watch does, four times a second
        assert cache._fused == {}
        other.close()
    assert np.abs(fused._templates).sum() == 0


def test_a_user_is_made_of_a_hundred_faces_and_no_more(desk: Desk) -> None:
    matrix = near(np.repeat(templates(1), 101, axis=0), 0.9)
    consent = Consent([PHOTOS], "form")
    desk.app.enroll_templates(
        "club", subjects=["ada"] * 101, templates=matrix, consent=consent, version=VERSION
    )
    faces = [face.id for face in desk.app.enrolled_faces("club")]
    desk.app.create_user("club", "ada")
    with pytest.raises(TooManyFacesOfUser, match="limit is 100"):
        desk.app.associate_faces("club", "ada", faces)
    assert desk.app.user("club", "ada").faces == 0
    assert len(desk.app.associate_faces("club", "ada", faces[:100]).linked) == 100
    with pytest.raises(TooManyFacesOfUser):
        desk.app.associate_faces("club", "ada", faces[100:])
    assert len(desk.app.associate_faces("club", "ada", faces[:50]).linked) == 0
    assert len(desk.app.enrolled_faces("club", user="ada", limit=200)) == 100


def test_the_limit_does_not_tell_how_many_are_hidden(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sayso.core.linking.MOST_FACES", 2)
    desk.app.create_user("club", "ada", consent=Consent([PHOTOS], "form"))
    new = [desk.enrol("ada", 0), desk.enrol("ada", 0)]
    told = []
    for number in (1, 2):
        desk.app.associate_faces("club", "ada", [desk.enrol(f"door-{number}", 0, DOOR)])
        with pytest.raises(TooManyFacesOfUser) as caught:
            desk.key("enrol").associate_faces("club", "ada", new)
        told.append(str(caught.value))
    assert told[0] == told[1]


def test_what_is_done_with_users_is_on_record_by_ids_alone(desk: Desk) -> None:
    face = desk.enrol("ada-lovelace", 0)
    key = desk.key("enrol", "erase")
    consent = Consent([PHOTOS], "the evidence")
    key.create_user("club", "the-user", consent=consent)
    key.associate_faces("club", "the-user", [face])
    key.disassociate_faces("club", "the-user", [face])
    key.user("club", "the-user")
    key.delete_user("club", "the-user")
    key.delete_faces("club", [face])
    with pytest.raises(ConsentRequired):
        key.create_user("club", "nobody")
    mine = [e for e in desk.app.audit_entries() if e.key == key.caller.key]
    assert [e.event.kind for e in mine] == [
        *("consent-recorded", "user-created", "faces-associated", "faces-disassociated"),
        *("users-read", "user-deleted", "faces-erased", "call-refused"),
    ]
    assert {e.purpose for e in mine} == {PHOTOS}
    linked: Any = mine[2].event
    ids = {each.name: each.id for each in desk.app.subjects("club")}
    assert (linked.subject, linked.faces) == (ids["the-user"], (face,))
    assert linked.subjects == (ids["ada-lovelace"],)
    for word in ("lovelace", "the-user", "the evidence", "nobody"):
        assert not [e for e in mine if word in e.body]
        assert not [f for f in desk.data.glob(f"{FILE}*") if word.encode() in f.read_bytes()]


def test_a_report_tells_nobody_whose_user_has_their_face(desk: Desk) -> None:
    face = desk.enrol("olga", 0)
    desk.app.create_user("club", "yuri", consent=Consent([PHOTOS], "form"))
    desk.app.associate_faces("club", "yuri", [face])
    ids = {each.name: each.id for each in desk.app.subjects("club")}
    of_olga, of_yuri = (desk.app.report("club", name) for name in ("olga", "yuri"))
    assert [(each.id, each.user) for each in of_olga.faces] == [(face, None)]
    assert not [each for each in ("yuri", ids["yuri"]) if each in repr(of_olga)]
    assert of_yuri.faces == ()
    assert not [each for each in ("olga", ids["olga"]) if each in repr(of_yuri)]
    for told in (of_olga, of_yuri):
        assert "faces-associated" in {entry.event.kind for entry in told.entries}
    desk.app.create_user("club", "olga")
    desk.app.disassociate_faces("club", "yuri", [face])
    desk.app.associate_faces("club", "olga", [face])
    assert [each.user for each in desk.app.report("club", "olga").faces] == ["olga"]


# --- faces by their ids ----------------------------------------------------------------------


def test_faces_are_listed_page_by_page_whatever_goes_meanwhile(desk: Desk) -> None:
    faces = sorted(desk.enrol(f"s{person}", person) for person in range(5))
    page = desk.app.enrolled_faces("club", limit=2)
    assert [each.id for each in page] == faces[:2]
    desk.app.delete_faces("club", [faces[1]])
    rest = desk.app.enrolled_faces("club", after=faces[1], limit=10)
    assert [each.id for each in rest] == faces[2:]
    assert desk.app.enrolled_faces("club", faces=[faces[4]])[0].picture_size == (200, 100)
    for limit in (0, 5000):
        with pytest.raises(GalleryError):
            desk.app.enrolled_faces("club", limit=limit)


def test_a_deleted_face_is_gone_at_once_everywhere_and_its_subject_stays(desk: Desk) -> None:
    face = desk.enrol("ada", 0)
    with desk.reopened() as other:
        picture = desk.studio.draw(0)
        assert other.search_picture("club", picture, purpose=PHOTOS).candidates
        assert desk.app.delete_faces("club", [face]).deleted == (face,)
        assert other.search_picture("club", picture, purpose=PHOTOS).candidates == ()
    assert desk.app.subject("club", "ada").faces == 0
    assert desk.app.delete_faces("club", [face]).failed == {face: "FACE_NOT_FOUND"}


def test_the_faces_of_a_user_are_not_deleted(desk: Desk) -> None:
    faces = with_user(desk)
    done = desk.app.delete_faces("club", faces)
    assert done.deleted == ()
    assert set(done.failed.values()) == {"ASSOCIATED_TO_AN_EXISTING_USER"}
    assert set(done.users.values()) == {"ada"}
    desk.app.disassociate_faces("club", "ada", faces)
    assert set(desk.app.delete_faces("club", faces).deleted) == set(faces)


@pytest.mark.parametrize(
    ("method", "arguments", "right"),
    [
        ("index_picture", {"subject": "ada", "picture": b""}, "enrol"),
        ("search_face", {"face": "x"}, "search"),
        ("search_picture", {"picture": b""}, "search"),
        ("search_users_by_picture", {"picture": b""}, "search"),
        ("search_users", {"user": "ada"}, "search"),
        ("create_user", {"user": "ada"}, "enrol"),
        ("associate_faces", {"user": "ada", "faces": []}, "enrol"),
        ("tag_collection", {"tags": {}}, "admin"),
        ("untag_collection", {"keys": []}, "admin"),
    ],
)
def test_every_method_takes_its_right(
    desk: Desk, method: str, arguments: dict[str, Any], right: Action
) -> None:
    others = [action for action in ACTIONS if action != right]
    without = desk.key(*others)
    with pytest.raises(AccessDenied):
        getattr(without, method)("club", **arguments)
    (entry,) = desk.app.audit_entries(kind="call-refused", limit=1, newest_first=True)
    assert entry.key == without.caller.key
    elsewhere = desk.key(collections=["team"])
    with pytest.raises(AccessDenied):
        getattr(elsewhere, method)("club", **arguments)


def test_a_restored_backup_has_its_users_but_for_the_erased(desk: Desk, tmp_path: Path) -> None:
    with_user(desk)
    with_user(desk, "ben", 1)
    desk.app.backup(tmp_path / "backup")
    desk.app.erase_subject("club", "ada")
    desk.app.close()
    assert restore(desk.data, tmp_path / "backup").erased == 1
    with desk.reopened() as other:
        assert [each.name for each in other.users("club")] == ["ben"]
        of = {each.subject: each.user for each in other.enrolled_faces("club")}
        assert of == {"ada-1": None, "ada-2": None, "ben-1": "ben", "ben-2": "ben"}
        assert desk.found(1, app=other) == ["ben"]
        assert desk.found(0, app=other) == []


def test_the_faces_of_a_user_are_listed_for_those_who_know_of_both(desk: Desk) -> None:
    faces = with_user(desk)
    hidden, alone = desk.enrol("ada-at-the-door", 0, DOOR), desk.enrol("ada", 0)
    desk.app.associate_faces("club", "ada", [hidden])
    listed = desk.app.enrolled_faces("club", user="ada")
    assert {each.id for each in listed} == {*faces, hidden}
    reader = desk.key("search")
    assert {each.id for each in reader.enrolled_faces("club", user="ada")} == set(faces)
    assert [e.id for e in reader.enrolled_faces("club", user="ada", faces=[alone, *faces[:1]])] == [
        faces[0]
    ]
    door = desk.key("search", purpose=DOOR)
    with pytest.raises(UserNotFound) as hidden_from:
        door.enrolled_faces("club", user="ada")
    with pytest.raises(UserNotFound) as unknown:
        door.enrolled_faces("club", user="nobody")
    assert str(hidden_from.value) == str(unknown.value).replace("nobody", "ada")
    assert [(e.id, e.user) for e in door.enrolled_faces("club")] == [(hidden, None)]
    # A user who is not known for a purpose keeps no face in it.
    deleted = desk.key("erase", purpose=DOOR).delete_faces("club", [hidden])
    assert (deleted.deleted, deleted.failed, deleted.users) == ((hidden,), {}, {})
    listed = desk.app.enrolled_faces("club", user="ada")
    assert {each.id for each in listed} == set(faces)


def test_a_deleted_face_leaves_its_subject_consent_and_a_removal(desk: Desk) -> None:
    picture, consent = desk.studio.draw(0), Consent([PHOTOS], "form")
    done = desk.app.index_picture("club", subject="ada", picture=picture, consent=consent)
    kept = desk.enrol("ada", 0)
    assert done.enrolled is not None
    face = done.enrolled.id
    with desk.app._resources.store.read() as connection:
        sealed = connection.execute(
            select(schema.faces.c.template).where(schema.faces.c.id == face)
        ).scalar_one()
    gone = desk.app.delete_faces("club", [face, face])
    assert (gone.deleted, gone.failed, gone.users) == ((face,), {}, {})
    assert not [f for f in desk.data.glob(f"{FILE}*") if sealed[:24] in f.read_bytes()]
    assert [each.id for each in desk.app.faces("club", "ada")] == [kept]
    assert len(desk.app.consents("club", "ada")) == 2
    (entry,) = desk.app.audit_entries(kind="faces-erased")
    event: Any = entry.event
    assert (event.subject, event.faces) == (desk.app.subject("club", "ada").id, 1)
    assert event.reason == "asked"
    with desk.app._resources.store.read() as connection:
        assert len(connection.execute(select(schema.removals)).all()) == 1
    # The picture does not count as enrolled any more.
    again = desk.app.index_picture("club", subject="ada", picture=picture, consent=consent)
    assert again.enrolled is not None
    assert (again.repeated, again.enrolled.id == face) == (False, False)
