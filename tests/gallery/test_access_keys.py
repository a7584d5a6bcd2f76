from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from sayso.audit.events import CallRefused
from sayso.callers import ACTIONS, Action
from sayso.core import Sayso
from sayso.core.restoring import restore
from sayso.errors import (
    AccessDenied,
    GalleryError,
    InvalidName,
    KeyNotFound,
    SealBroken,
    UnknownKey,
)
from sayso.gallery import schema
from sayso.results import NewAccessKey
from tests.gallery.synthetic import PURPOSE, VERSION, enrol, templates

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
INSTANT = timedelta(microseconds=1)
SEARCH: tuple[Action, ...] = ("search",)


def _make(
    app: Sayso,
    actions: tuple[Action, ...] = SEARCH,
    *,
    collections: list[str] | None = None,
    until: datetime | None = None,
    attestation: str | None = None,
) -> NewAccessKey:
    return app.create_key(
        "camera-3",
        purpose=PURPOSE,
        actions=actions,
        collections=collections,
        until=until,
        attestation=attestation,
    )


def _as(app: Sayso, made: NewAccessKey) -> Sayso:
    return app.acting_as(app.authenticate(made.key.id, made.secret))


def test_a_key_is_its_actor_purpose_and_rights(app: Sayso) -> None:
    made = _make(app, ("search", "enrol", "search"), collections=["club", "club"])
    caller = app.authenticate(made.key.id, made.secret)
    assert (caller.actor, caller.purpose, caller.key) == ("camera-3", PURPOSE, made.key.id)
    assert caller.actions == {"search", "enrol"}
    assert caller.collections == frozenset({"club"})
    assert app.keys() == (made.key,)
    assert made.key.created_by == app.caller.actor


def test_the_secret_is_told_once(app: Sayso) -> None:
    made = _make(app)
    assert made.secret not in repr(made)
    assert made.secret not in repr(app.keys())
    assert made.secret not in repr(app.authenticate(made.key.id, made.secret))
    assert not any(made.secret in line for line in app.audit_export())


def test_every_key_has_its_own_secret_in_the_form_of_amazons(app: Sayso) -> None:
    made = [_make(app) for _ in range(5)]
    assert len({each.secret for each in made}) == len({each.key.id for each in made}) == 5
    for each in made:
        assert (len(each.key.id), len(each.secret)) == (20, 40)
        assert each.key.id.isalnum()
        assert each.key.id.isupper()


def test_the_secret_is_sealed_at_rest_and_destroyed_when_revoked(tmp_path: Path) -> None:
    with Sayso(tmp_path) as app:
        made = _make(app)
        with app._resources.store.read() as connection:
            sealed = connection.execute(select(schema.access_keys.c.secret)).scalar_one()

        def holding(needle: bytes) -> list[str]:
            return [file.name for file in tmp_path.iterdir() if needle in file.read_bytes()]

        assert holding(sealed)
        assert not holding(made.secret.encode())
        app.revoke_key(made.key.id)
        assert not holding(sealed)


def test_an_attestation_is_sealed_at_rest_and_stays_on_record_when_revoked(tmp_path: Path) -> None:
    words = "Everybody signs form 17 at the till"
    with Sayso(tmp_path) as app:
        app.create_collection("club")
        made = _make(app, ("search", "enrol"), attestation=words)
        assert made.key.attestation == words
        assert app.keys() == (made.key,)
        assert app.authenticate(made.key.id, made.secret).attestation == words
        with app._resources.store.read() as connection:
            sealed = connection.execute(select(schema.access_keys.c.attestation)).scalar_one()

        def holding(needle: bytes) -> list[str]:
            return [file.name for file in tmp_path.iterdir() if needle in file.read_bytes()]

        app.backup(tmp_path / "backup")
        assert holding(sealed)
        assert not holding(words.encode())
        assert app.revoke_key(made.key.id).attestation == words
        assert holding(sealed)
    restore(tmp_path, tmp_path / "backup")
    with Sayso(tmp_path) as app:  # from before it was revoked
        (key,) = app.keys()
        assert key.revoked is not None
        assert key.attestation == words


def test_a_sealed_attestation_opens_as_no_other_keys(app: Sayso) -> None:
    one, other = (_make(app, attestation=each) for each in ("signed", "asked"))
    column = schema.access_keys.c
    with app._resources.store.write() as change:
        sealed = select(column.attestation).where(column.id == other.key.id)
        change.connection.execute(
            update(schema.access_keys)
            .where(column.id == one.key.id)
            .values(attestation=change.connection.execute(sealed).scalar_one())
        )
    with pytest.raises(SealBroken):
        app.authenticate(one.key.id, one.secret)
    with pytest.raises(SealBroken):
        app.keys()
    assert app.revoke_key(one.key.id).revoked  # which must be possible all the same


def test_a_key_may_be_for_a_collection_that_is_not_there_yet(app: Sayso) -> None:
    caller = _as(app, _make(app, ("search", "admin"), collections=["later"]))
    assert caller.collections() == ()
    caller.create_collection("later")
    assert [each.name for each in caller.collections()] == ["later"]


def test_what_is_not_right_is_refused_alike(app: Sayso) -> None:
    made, revoked = _make(app), _make(app)
    app.revoke_key(revoked.key.id)
    told = set()
    for key, secret in (
        (made.key.id, "another"),
        (made.key.id, ""),
        (made.key.id, made.secret[:-1]),
        (made.key.id, revoked.secret),
        (revoked.key.id, revoked.secret),
        ("SAYSAAAAAAAAAAAAAAAA", made.secret),
        ("", ""),
        (made.key.id, "\udcff"),
    ):
        with pytest.raises(UnknownKey) as caught:
            app.authenticate(key, secret)
        told.add(str(caught.value))
    assert len(told) == 1
    refused = app.audit_entries(kind="call-refused")
    assert [(entry.actor, entry.key) for entry in refused] == [("unknown", None)] * 8


def test_a_key_ends_at_its_instant(tmp_path: Path) -> None:
    times = [START]
    with Sayso(tmp_path, clock=lambda: times[-1]) as app:
        made = _make(app, until=START + HOUR)
        times.append(START + HOUR - INSTANT)
        caller = app.acting_as(app.authenticate(made.key.id, made.secret))
        assert caller.collections() == ()
        times.append(START + HOUR)
        with pytest.raises(UnknownKey, match="expired at 2026-03-01T13:00"):
            app.authenticate(made.key.id, made.secret)
        with pytest.raises(UnknownKey, match="not known"):  # only who has the secret learns that
            app.authenticate(made.key.id, "another")
        with pytest.raises(UnknownKey, match="expired"):
            caller.collections()


def test_a_revoked_key_stops_working_at_once(app: Sayso) -> None:
    made = _make(app, ("search", "detect", "compare", "audit"))
    caller = _as(app, made)
    assert caller.collection("club").name == "club"
    app.revoke_key(made.key.id)
    before = app.audit_head().number
    with pytest.raises(UnknownKey):
        caller.collection("club")
    with pytest.raises(UnknownKey):
        caller.recognize_templates("club", templates(1), version=VERSION)
    with pytest.raises(UnknownKey):
        caller.detect(b"not even read")
    with pytest.raises(UnknownKey):
        caller.audit_export()
    refused = app.audit_entries(after=before)
    assert [entry.event for entry in refused] == [
        CallRefused(action=action, error="UnknownKey", collection=collection)
        for action, collection in (
            (" or ".join(ACTIONS), "club"),
            ("search", "club"),
            ("detect", None),
            ("audit", None),
        )
    ]
    assert {(entry.actor, entry.key, entry.purpose) for entry in refused} == {
        ("camera-3", made.key.id, PURPOSE)
    }


def test_a_key_that_is_revoked_while_it_searches_is_told_nothing(tmp_path: Path) -> None:
    """The search is over, and the key is revoked before the answer leaves."""
    searching, hold = threading.Event(), threading.Event()
    with Sayso(tmp_path) as owner:
        owner.create_collection("club")
        made = _make(owner)
        found: list[object] = []

        def clock() -> datetime:
            # The revocation holds the store while the answer waits to be put on record.
            if threading.current_thread().name == "revoking":
                searching.set()
                hold.wait(10)
            return datetime.now(UTC)

        with Sayso(tmp_path, clock=clock) as other:
            revoking = threading.Thread(
                target=other.revoke_key, args=[made.key.id], name="revoking"
            )
            revoking.start()
            assert searching.wait(10)

            def search() -> None:
                try:
                    found.append(_as(owner, made).recognize_templates("club", templates(1)))
                except UnknownKey as error:
                    found.append(error)

            answering = threading.Thread(target=search)
            answering.start()
            answering.join(0.5)
            assert answering.is_alive()  # admitted, since nothing was committed yet
            hold.set()
            revoking.join()
            answering.join()
    assert [type(each) for each in found] == [UnknownKey]


def test_revoking_again_is_no_harm_and_is_for_good(app: Sayso) -> None:
    made = _make(app)
    first = app.revoke_key(made.key.id)
    assert first.revoked is not None
    assert app.revoke_key(made.key.id) == first
    with pytest.raises(KeyNotFound, match="SAYSXYZ"):
        app.revoke_key("SAYSXYZ")


def test_what_a_key_may_not_is_refused_and_on_record(app: Sayso) -> None:
    caller = _as(app, _make(app, ("search",)))
    with pytest.raises(AccessDenied, match="right to erase, and theirs are search"):
        caller.erase_subject("club", "olga")
    with pytest.raises(AccessDenied, match="right to admin"):
        caller.create_collection("other")
    kinds = [(e.event.action, e.event.error) for e in app.audit_entries(kind="call-refused")]  # type: ignore[attr-defined]
    assert kinds == [("erase", "AccessDenied"), ("admin", "AccessDenied")]


def test_a_key_is_kept_to_its_collections(app: Sayso) -> None:
    app.create_collection("other")
    made = _make(app, ("search", "admin", "audit"), collections=["other"])
    caller = _as(app, made)
    assert [each.name for each in caller.collections()] == ["other"]
    for ask in (caller.collection, caller.subjects, caller.purposes, caller.delete_collection):
        with pytest.raises(AccessDenied, match="'club'"):
            ask("club")
    with pytest.raises(AccessDenied, match="'club'"):
        caller.audit_entries(collection="club")
    with pytest.raises(AccessDenied, match="'club'"):
        caller.audit_entries(subject=("club", "olga"))
    for everywhere in (caller.keys, caller.sweep, caller.audit_head, caller.audit_entries):
        with pytest.raises(AccessDenied, match="every collection"):
            everywhere()
    assert caller.audit_entries(collection="other") == app.audit_entries(collection="other") != ()


def test_nor_does_it_learn_of_others_through_the_log(app: Sayso) -> None:
    app.create_collection("other")
    enrol(app, ["olga"])
    caller = _as(app, _make(app, ("audit",), collections=["other"]))
    for name in ("olga", "nobody"):
        with pytest.raises(AccessDenied):
            caller.audit_entries(collection="other", subject=("club", name))


def test_a_key_cannot_give_more_than_it_has(app: Sayso) -> None:
    caller = _as(app, _make(app, ("admin", "search"), collections=["club"]))
    with pytest.raises(AccessDenied, match="right to erase without having it"):
        caller.create_key("x", purpose=PURPOSE, actions=["erase"], collections=["club"])
    for collections in (None, ["other"], ["club", "other"]):
        with pytest.raises(AccessDenied, match="only to club"):
            caller.create_key("x", purpose=PURPOSE, actions=SEARCH, collections=collections)
    given = caller.create_key("x", purpose=PURPOSE, actions=SEARCH, collections=["club"])
    assert given.key.created_by == "camera-3"
    assert len(app.keys()) == 2


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"actions": []}, GalleryError, "nothing is no action"),
        ({"actions": ["search", "fly"]}, GalleryError, "fly is no action"),
        ({"purpose": "No Purpose"}, InvalidName, "purpose"),
        ({"collections": ["a b"]}, InvalidName, "collection"),
        ({"until": START}, GalleryError, "expired already"),
        ({"attestation": "  "}, GalleryError, "attestation"),
        ({"attestation": "x" * 10_001}, GalleryError, "attestation"),
        ({"attestation": 5}, GalleryError, "attestation"),
        ({"collections": []}, GalleryError, "leave them out for all"),
    ],
)
def test_what_cannot_be_a_key_is_refused(
    app: Sayso, options: dict[str, object], error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        app.create_key("x", **{"purpose": PURPOSE, "actions": ["search"]} | options)  # type: ignore[arg-type]
    assert app.keys() == ()


@pytest.mark.parametrize("actor", ["", "  ", "x" * 256, "\udcff", 5, None, b"desk"])
def test_a_key_is_somebodys(app: Sayso, actor: object) -> None:
    with pytest.raises(GalleryError, match="name the actor"):
        app.create_key(actor, purpose=PURPOSE, actions=["search"])  # type: ignore[arg-type]


def test_a_key_made_is_on_record_without_its_secret(app: Sayso) -> None:
    made = _make(app, ("search", "enrol"), attestation="asked at the till")
    (entry,) = app.audit_entries(kind="key-created")
    assert json.loads(entry.body)["key_created"] == made.key.id
    assert made.secret not in entry.body
    assert "asked at the till" not in entry.body
    assert json.loads(entry.body)["attested"] is True
