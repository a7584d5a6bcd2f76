"""Users, searches by one face, and faces by their ids: who is found, who is hidden, what goes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from sayso.analyzer import Analyzer
from sayso.audit import log
from sayso.callers import ACTIONS, Action, Caller
from sayso.core import Sayso, restore
from sayso.errors import (
    AccessDenied,
    ConsentRequired,
    FaceNotFound,
    GalleryError,
    InvalidName,
    InvalidPageToken,
    NoFaceFound,
    SignatureWrong,
    TokenReused,
    TooManyFacesOfUser,
    TooManyTags,
    UnknownKey,
    UserExists,
    UserNotFound,
)
from sayso.gallery import users
from sayso.gallery.fusing import Fused
from sayso.gallery.store import FILE
from sayso.results import Consent
from tests.gallery.clock import Clock
from tests.service.rekognition.drawn import Drawn, Studio

PHOTOS, DOOR = "photos", "door"


@dataclass
class Desk:
    """A gallery, and somebody at it with a key for photos that attests consent."""

    app: Sayso
    clock: Clock
    studio: Studio
    data: Path

    def key(self, *actions: Action, purpose: str = PHOTOS, **more: Any) -> Sayso:
        """Return the gallery for somebody with another key."""
        made = self.app.create_key("tester", purpose=purpose, actions=actions or ACTIONS, **more)
        return self.app.acting_as(Caller.of(made.key))

    def reopened(self) -> Sayso:
        """Return the same gallery as another process sees it."""
        analyzer = cast("Analyzer", self.studio)
        return Sayso(self.data, actor="user:other", analyzer=analyzer, clock=self.clock)

    def enrol(self, name: str, person: int, *purposes: str, **how: Any) -> str:
        """Enrol a new picture of a person under a name; return the face's id."""
        done = self.app.index_picture(
            "club",
            subject=name,
            picture=self.studio.draw(Drawn(person, **how)),
            consent=Consent(list(purposes or [PHOTOS]), f"form of {name}"),
            allow_lookalike=True,
        )
        assert done.enrolled is not None
        return done.enrolled.id

    def found(self, person: int, purpose: str = PHOTOS, app: Sayso | None = None) -> list[str]:
        """Return the users that a new picture of a person finds."""
        picture = self.studio.draw(person)
        answer = (app or self.app).search_users_by_picture("club", picture, purpose=purpose)
        return [candidate.user.name for candidate in answer.candidates]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    clock, studio, data = Clock(), Studio(), tmp_path / "data"
    with Sayso(data, analyzer=cast("Analyzer", studio), clock=clock) as app:
        app.create_collection("club")
        yield Desk(app, clock, studio, data)


# --- enrolling from one picture ---------------------------------------------------------------


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


# --- searching by one face ----------------------------------------------------------------------


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
    assert reader.search_face("club", shown) == ()
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


# --- users ----------------------------------------------------------------------------------------


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


# --- faces by their ids ---------------------------------------------------------------------------


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


# --- tags, tokens, signatures --------------------------------------------------------------------


def test_tags_are_set_replaced_and_taken(desk: Desk) -> None:
    desk.app.tag_collection("club", {"team": "red", "Größe 1": "ä/b"})
    desk.app.tag_collection("club", {"team": "blue"})
    assert desk.app.collection_tags("club") == {"Größe 1": "ä/b", "team": "blue"}
    desk.app.untag_collection("club", ["team", "none such"])
    assert list(desk.app.collection_tags("club")) == ["Größe 1"]
    for bad in ({"": "x"}, {"aws:x": "y"}, {"a" * 129: ""}, {"a": "b" * 257}, {"a\n": ""}):
        with pytest.raises(GalleryError):
            desk.app.tag_collection("club", bad)
    with pytest.raises(TooManyTags):
        desk.app.tag_collection("club", {f"t{number}": "" for number in range(50)})
    with pytest.raises(TooManyTags, match="would have 300000 tags"):  # more than SQLite can take
        desk.app.tag_collection("club", {f"t{number}": "" for number in range(300_000)})
    assert len(desk.app.collection_tags("club")) == 1
    assert desk.app.create_collection("tagged", tags={"a": "b"}).name == "tagged"
    assert desk.app.collection_tags("tagged") == {"a": "b"}


def test_a_page_token_is_good_for_one_scope_and_key_and_an_hour(desk: Desk) -> None:
    token = desk.app.page_token("list", b"here")
    assert desk.app.page_position("list", token) == b"here"
    assert len(desk.app.page_token("list", b"x" * 64)) <= 255
    forged = [token[:-1], token + "A", token[:-1] + ("A" if token[-1] != "A" else "B"), "", "é"]
    forged += [token[:5] + ("A" if token[5] != "A" else "B") + token[6:], "=" * 9, "A" * 100]
    for each in forged:
        with pytest.raises(InvalidPageToken):
            desk.app.page_position("list", each)
    with pytest.raises(InvalidPageToken):
        desk.app.page_position("another list", token)
    with pytest.raises(InvalidPageToken):
        desk.key().page_position("list", token)
    desk.clock.time += timedelta(hours=1, seconds=1)
    with pytest.raises(InvalidPageToken, match="expired"):
        desk.app.page_position("list", token)


def test_an_answer_is_given_again_for_a_day(desk: Desk) -> None:
    desk.enrol("ada", 0)
    app, token = desk.app, "the-token-of-the-client"
    assert app.recall("op", token, b"request") is None
    app.remember("op", token, b"request", b"the answer", collection="club")
    assert app.recall("op", token, b"request") == b"the answer"
    assert app.recall("another", token, b"request") is None
    assert desk.key().recall("op", token, b"request") is None
    with pytest.raises(TokenReused):
        app.recall("op", token, b"another request")
    for path in desk.data.glob(f"{FILE}*"):
        content = path.read_bytes()
        assert token.encode() not in content
        assert b"the answer" not in content
    desk.clock.time += timedelta(days=1)
    assert app.recall("op", token, b"request") is None


def test_tokens_and_answers_outlive_a_restart_and_a_new_master_key(desk: Desk) -> None:
    token = desk.app.page_token("list", b"here")
    desk.app.remember("op", "token", b"request", b"the answer")
    desk.app.remember("op", "token", b"request", b"another answer")  # the first one stands
    desk.app.rotate_master_key()
    desk.app.close()
    with desk.reopened() as other:
        assert other.page_position("list", token) == b"here"
        assert other.recall("op", "token", b"request") == b"the answer"


@pytest.mark.parametrize("how", ["withdrawn", "faces", "collection"])
def test_whatever_takes_faces_takes_the_answers_too(desk: Desk, how: str) -> None:
    face = desk.enrol("ada", 0)
    desk.app.remember("op", "token", b"r", b"ada was enrolled", collection="club")
    if how == "withdrawn":
        desk.app.withdraw_consent("club", "ada", PHOTOS)
    elif how == "faces":
        desk.app.delete_faces("club", [face])
    else:
        desk.app.delete_collection("club")
    assert desk.app.recall("op", "token", b"r") is None


def test_an_erasure_takes_the_answers_about_its_collection(desk: Desk) -> None:
    desk.enrol("ada", 0)
    desk.app.create_collection("team")
    for collection in ("club", "team"):
        desk.app.remember("op", collection, b"r", b"ada was enrolled", collection=collection)
    desk.app.erase_subject("club", "ada")
    assert desk.app.recall("op", "club", b"r") is None
    assert desk.app.recall("op", "team", b"r") == b"ada was enrolled"


def test_a_signature_is_believed_as_far_as_it_verifies(desk: Desk) -> None:
    made = desk.app.create_key("app", purpose=PHOTOS, actions=["search"])
    asked: list[str] = []

    def verify(secret: str) -> bool:
        asked.append(secret)
        return secret == made.secret

    assert desk.app.authenticate_signature(made.key.id, verify).actor == "app"
    with pytest.raises(SignatureWrong):
        desk.app.authenticate_signature(made.key.id, lambda _: False)
    with pytest.raises(UnknownKey) as unknown:
        desk.app.authenticate_signature("SAYSNONE", lambda _: True)
    assert type(unknown.value) is UnknownKey
    desk.app.revoke_key(made.key.id)
    with pytest.raises(UnknownKey):
        desk.app.authenticate_signature(made.key.id, verify)
    assert asked[1:] == [each for each in asked[1:] if each != made.secret]
    refused = desk.app.audit_entries(kind="call-refused")
    assert [each.actor for each in refused] == ["unknown"] * 3


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
