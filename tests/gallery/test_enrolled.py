"""Faces as they are told: in the order of their ids, and only of those who may be known of."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement

from sayso.core import Sayso
from sayso.gallery import collections, enrolled, schema
from sayso.gallery.types import EnrolledFace
from sayso.results import Consent
from tests.gallery.synthetic import PURPOSE, enrol

DOOR = Consent(["door"], "form")


def _listed(
    app: Sayso,
    purpose: str | None = None,
    *,
    which: Sequence[ColumnElement[bool]] = (),
    after: str = "",
    limit: int = 100,
) -> tuple[EnrolledFace, ...]:
    store = app._resources.store
    with store.read() as connection:
        return enrolled.listed(
            connection,
            store.keyring.find,
            collections.find(connection, "club"),
            which=which,
            after=after,
            limit=limit,
            purpose=purpose,
            now=store.now(),
        )


def test_pages_make_up_the_whole_list_whatever_comes_meanwhile(app: Sayso) -> None:
    enrol(app, [f"s{number}" for number in range(7)])
    everybody = [face.id for face in _listed(app)]
    assert everybody == sorted(everybody)
    assert len(everybody) == 7
    first = [face.id for face in _listed(app, limit=3)]
    assert first == everybody[:3]
    app.erase_subject("club", _listed(app, limit=1)[0].subject)
    enrol(app, ["new"], seed=9)
    rest = [face.id for face in _listed(app, after=first[-1])]
    assert set(everybody[3:]) <= set(rest)
    assert not set(rest) & set(first)


def test_a_page_is_full_whoever_is_hidden(app: Sayso) -> None:
    for number in range(6):
        consent = DOOR if number % 2 else Consent([PURPOSE], "form")
        enrol(app, [f"s{number}"], consent=consent, seed=number)
    page = _listed(app, PURPOSE, limit=2)
    assert len(page) == 2
    rest = _listed(app, PURPOSE, after=page[-1].id, limit=2)
    assert len(rest) == 1
    assert {face.subject for face in (*page, *rest)} == {"s0", "s2", "s4"}
    ids = [face.id for face in _listed(app)]
    assert len(_listed(app, which=[enrolled.with_ids(ids[:3])])) == 3
    assert _listed(app, which=[enrolled.with_ids([])]) == ()


def test_faces_are_found_by_id_in_their_collection_for_their_purpose(app: Sayso) -> None:
    enrol(app, ["ada"])
    app.create_collection("team")
    (face,) = _listed(app)
    store = app._resources.store
    with store.read() as connection:
        club, team = (collections.find(connection, name) for name in ("club", "team"))

        def found(of: collections.Pinned, purpose: str | None) -> list[str]:
            ids = [face.id, face.id, "no-such-face"]
            return list(enrolled.find(connection, of, ids, purpose=purpose, now=store.now()))

        assert found(club, None) == found(club, PURPOSE) == [face.id]
        assert found(club, "door") == found(team, None) == []


def test_what_came_from_a_template_has_no_picture(app: Sayso) -> None:
    enrol(app, ["ada"])
    (face,) = _listed(app)
    assert (face.box, face.quality, face.picture) == (None, None, None)
    assert (face.picture_size, face.score, face.user) == (None, None, None)
    assert not hasattr(face, "template")


def test_whoever_is_just_being_erased_is_left_out(app: Sayso) -> None:
    """Their key is gone first for whoever reads a state from before."""
    enrol(app, ["ada", "bob"])
    store = app._resources.store
    with store.read() as connection:
        pinned = collections.find(connection, "club")
        rows = connection.execute(schema.faces.select()).all()
        keys = [row.key for row in rows]
        assert len(keys) == 2
        app.erase_subject("club", "ada")
        assert len(connection.execute(schema.faces.select()).all()) == 2  # as it was
        found = enrolled.by_keys(
            connection, store.keyring.find, pinned, keys, purpose=None, now=store.now()
        )
    assert [face.subject for face in found.values()] == ["bob"]
