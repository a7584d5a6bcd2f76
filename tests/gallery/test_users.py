"""Users in the store: one for each subject, whose faces are told by keys."""

from __future__ import annotations

import pytest

from sayso.core import Sayso
from sayso.errors import UserExists, UserNotFound
from sayso.gallery import collections, enrolled, subjects, users
from sayso.gallery.store import Change
from sayso.gallery.users import Linked
from sayso.results import Consent
from tests.gallery.synthetic import CONSENT, PURPOSE, enrol


def _make(change: Change, name: str) -> Linked:
    pinned = collections.find(change.connection, "club")
    known = subjects.find(change.connection, change.keyring, pinned, name)
    made, new = users.create(change, pinned, known)
    assert new
    return made


def _faces(change: Change, *names: str) -> list[int]:
    """Return the keys of the faces of subjects."""
    pinned = collections.find(change.connection, "club")
    listed = enrolled.listed(
        change.connection,
        change.find_keys,
        pinned,
        which=[],
        after="",
        limit=100,
        purpose=None,
        now=change.now,
    )
    ids = [face.id for face in listed if face.subject in names]
    found = enrolled.find(change.connection, pinned, ids, purpose=None, now=change.now)
    return sorted(row.key for row in found.values())


def test_a_subject_is_one_user_and_a_hidden_one_is_given_as_it_is(app: Sayso) -> None:
    enrol(app, ["ada", "bob"])
    with app._resources.store.write() as change:
        made = _make(change, "ada")
        pinned = collections.find(change.connection, "club")
        with pytest.raises(UserExists, match="'ada'"):
            users.create(change, pinned, made.subject)
        with pytest.raises(UserExists, match="'ada'"):
            users.create(change, pinned, made.subject, PURPOSE)
        assert users.create(change, pinned, made.subject, "door") == (made, False)
        assert users.find(change.connection, pinned, made.subject) == made
        bob = subjects.find(change.connection, change.keyring, pinned, "bob")
        with pytest.raises(UserNotFound, match="'bob'"):
            users.find(change.connection, pinned, bob)
        assert users.count(change.connection, pinned, None, change.now) == 1


def test_what_came_and_went_is_told_to_caches_by_the_change(app: Sayso) -> None:
    enrol(app, ["ada", "bob"])
    store = app._resources.store
    with store.write() as first:
        made = _make(first, "ada")
        both = _faces(first, "ada", "bob")
        key = collections.find(first.connection, "club").key
        users.link(first, made, both)
        assert users.faces_of(first.connection, made) == both
    with store.write() as second:
        users.unlink(second, made, both[:1])
        assert users.faces_of(second.connection, made) == both[1:]
    with store.write() as third:
        users.remove(third, made)
    with store.read() as connection:
        assert sorted(users.changed(connection, key, 0)) == [(face, 0) for face in both]
        assert users.changed(connection, key, second.sequence) == [(both[1], 0)]
        assert users.changed(connection, key, third.sequence) == []
        assert users.by_keys(connection, store.keyring.find, [made.key]) == {}
        assert users.subjects_of(connection, [made.key]) == {}
    with store.write() as fourth:  # a key that was given is never given again
        assert _make(fourth, "ada").key > made.key


def test_who_counts_is_covered_by_the_purpose(app: Sayso) -> None:
    enrol(app, ["ada"])
    enrol(app, ["bob"], consent=Consent(["door"], "form"), seed=1)
    with app._resources.store.write() as change:
        pinned = collections.find(change.connection, "club")
        made = [_make(change, name) for name in ("ada", "bob")]
        users.link(change, made[0], _faces(change, "ada", "bob"))

        def told(purpose: str | None) -> list[tuple[str, str, int]]:
            found = users.listed(
                change.connection,
                change.find_keys,
                pinned,
                after="",
                limit=9,
                purpose=purpose,
                now=change.now,
            )
            return sorted((each.name, each.status, each.faces) for each in found)

        assert told(None) == [("ada", "ACTIVE", 2), ("bob", "CREATED", 0)]
        assert told(PURPOSE) == [("ada", "ACTIVE", 1)]
        assert told("door") == [("bob", "CREATED", 0)]
        assert told("sports") == []
        for purpose, count in ((None, 2), (PURPOSE, 1), ("door", 1), ("sports", 0)):
            assert users.count(change.connection, pinned, purpose, change.now) == count
        for purpose, count in ((None, 2), (PURPOSE, 1), ("door", 1), ("sports", 0)):
            assert len(users.faces_of(change.connection, made[0], purpose, change.now)) == count


def test_a_user_goes_with_its_subject_and_no_face_points_to_it(app: Sayso) -> None:
    enrol(app, ["ada", "bob"], consent=CONSENT)
    with app._resources.store.write() as change:
        made = _make(change, "ada")
        users.link(change, made, _faces(change, "ada", "bob"))
    app.erase_subject("club", "ada")
    with app._resources.store.read() as connection:
        rows = connection.exec_driver_sql("SELECT user_key FROM faces").all()
        assert rows == [(None,)]
        assert connection.exec_driver_sql("SELECT count(*) FROM users").scalar() == 0
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
