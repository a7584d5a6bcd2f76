"""Page tokens, answers that are given again, and signatures."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from sayso.core import Sayso
from sayso.errors import InvalidPageToken, TokenReused, UnknownKey
from sayso.gallery import schema
from sayso.gallery.store import FILE
from sayso.results import Consent
from tests.desk import DOOR, PHOTOS, Desk, desk

__all__ = ["desk"]  # the fixture


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
        desk.app.delete_collection("club", erase_subjects=True)
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
    desk.app.require_key(made.key.id)
    told = []
    for ask in (
        lambda: desk.app.authenticate_signature(made.key.id, lambda _: False),
        lambda: desk.app.authenticate_signature("SAYSNONE", lambda _: True),
        lambda: desk.app.require_key("SAYSNONE"),
    ):
        with pytest.raises(UnknownKey) as unknown:
            ask()
        told.append((type(unknown.value), str(unknown.value)))
    assert len(set(told)) == 1  # which ids there are is not told
    desk.app.revoke_key(made.key.id)
    with pytest.raises(UnknownKey):
        desk.app.authenticate_signature(made.key.id, verify)
    with pytest.raises(UnknownKey):
        desk.app.require_key(made.key.id)
    assert asked[1:] == [each for each in asked[1:] if each != made.secret]
    refused = desk.app.audit_entries(kind="call-refused")
    assert [each.actor for each in refused] == ["unknown"] * 5


here = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@here
@given(position=st.binary(max_size=128), scope=st.text(max_size=40))
def test_every_position_comes_back(desk: Desk, position: bytes, scope: str) -> None:
    token = desk.app.page_token(scope, position)
    assert desk.app.page_position(scope, token) == position
    assert len(token) <= 200
    assert token.isascii()


@here
@given(token=st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: raw.decode("latin-1")))
def test_what_was_not_given_here_is_no_token(desk: Desk, token: str) -> None:
    with pytest.raises(InvalidPageToken):
        desk.app.page_position("list", token)


@here
@given(at=st.integers(0, 59), bit=st.integers(0, 7))
def test_no_character_of_a_token_can_be_another(desk: Desk, at: int, bit: int) -> None:
    token = desk.app.page_token("list", b"\xff" * 22)  # 44 bytes, whose last character is half used
    assert len(token) == 59
    at = min(at, len(token) - 1)
    changed = token[:at] + chr(ord(token[at]) ^ 1 << bit) + token[at + 1 :]
    with pytest.raises(InvalidPageToken):
        desk.app.page_position("list", changed)


def test_a_token_is_good_for_the_whole_hour_and_for_this_gallery_alone(
    desk: Desk, tmp_path: Path
) -> None:
    token = desk.app.page_token("list", b"here")
    with Sayso(tmp_path / "other", clock=desk.clock) as other, pytest.raises(InvalidPageToken):
        other.page_position("list", token)
    desk.clock.time += timedelta(hours=1)
    assert desk.app.page_position("list", token) == b"here"
    with pytest.raises(ValueError, match="at most 128"):
        desk.app.page_token("list", b"x" * 129)


def test_scopes_and_tokens_do_not_run_into_each_other(desk: Desk) -> None:
    desk.app.remember("ab", "c", b"request", b"the answer")
    assert desk.app.recall("a", "bc", b"request") is None
    assert desk.app.recall("ab", "c", b"request") == b"the answer"
    one, other = desk.key(), desk.key()
    one.remember("ab", "c", b"another request", b"another answer")  # a key has its own tokens
    assert one.recall("ab", "c", b"another request") == b"another answer"
    assert other.recall("ab", "c", b"request") is None


def test_a_token_can_be_used_anew_after_a_day(desk: Desk) -> None:
    desk.app.remember("op", "token", b"request", b"the answer")
    desk.clock.time += timedelta(days=1) - timedelta(microseconds=1)
    assert desk.app.recall("op", "token", b"request") == b"the answer"
    desk.clock.time += timedelta(microseconds=1)
    assert desk.app.recall("op", "token", b"another request") is None
    desk.app.remember("op", "token", b"another request", b"another answer")
    assert desk.app.recall("op", "token", b"another request") == b"another answer"


def kept(desk: Desk) -> list[bytes]:
    with desk.app._resources.store.read() as connection:
        return list(connection.execute(select(schema.answers.c.answer)).scalars())


def test_answers_go_after_a_day_though_nobody_asks(desk: Desk) -> None:
    desk.app.remember("op", "token", b"request", b"the answer")
    desk.app._resources.look()
    assert len(kept(desk)) == 1
    desk.clock.time += timedelta(days=1)
    desk.app._resources.look()
    assert kept(desk) == []


def test_what_was_answered_is_in_no_file_after_an_erasure(desk: Desk) -> None:
    desk.enrol("ada", 0)
    desk.app.remember("op", "token", b"r", b"ada was enrolled", collection="club")
    (sealed,) = kept(desk)

    def holding() -> list[str]:
        files = desk.data.glob(f"{FILE}*")
        return [file.name for file in files if sealed[:24] in file.read_bytes()]

    assert holding()
    desk.app.erase_subject("club", "ada")
    assert holding() == []


@pytest.mark.parametrize("how", ["withdrawn", "expired"])
def test_answers_go_with_faces_whose_subject_stays(desk: Desk, how: str) -> None:
    until = desk.clock.time + timedelta(hours=1)
    desk.app.index_picture(
        "club",
        subject="ada",
        picture=desk.studio.draw(0),
        consent=Consent([PHOTOS], "form", until=until),
    )
    desk.app.add_consent("club", "ada", Consent([DOOR], "form of the door"))
    desk.app.create_collection("team")
    for collection in ("club", "team"):
        desk.app.remember("op", collection, b"r", b"ada", collection=collection)
    if how == "withdrawn":
        desk.app.withdraw_consent("club", "ada", PHOTOS)
    else:
        desk.clock.time = until
        desk.app._resources.look()
    assert desk.app.subject("club", "ada").faces == 0
    assert desk.app.recall("op", "club", b"r") is None
    assert desk.app.recall("op", "team", b"r") == b"ada"


def test_an_expired_key_is_unknown_whatever_the_signature(desk: Desk) -> None:
    until = desk.clock.time + timedelta(hours=1)
    made = desk.app.create_key("app", purpose=PHOTOS, actions=["search"], until=until)
    desk.clock.time = until
    with pytest.raises(UnknownKey) as caught:
        desk.app.authenticate_signature(made.key.id, made.secret.__eq__)
    assert type(caught.value) is UnknownKey
    (entry,) = desk.app.audit_entries(kind="call-refused")
    assert made.secret not in entry.body
