from __future__ import annotations

import json
import sqlite3
import time
import uuid
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select, update

from sayso.core import Sayso
from sayso.errors import CollectionNotFound, SubjectNotFound
from sayso.gallery import erasure, schema
from sayso.gallery.erasure import FacesGone
from sayso.gallery.times import microseconds
from sayso.results import Consent
from tests.gallery.synthetic import PURPOSE, enrol, named, templates


def test_the_erased_are_gone_and_a_tombstone_stays(app: Sayso) -> None:
    probes = enrol(app, ["ada", "bob"])
    enrol(app, ["ada"], consent=Consent(["research"], "form 18"), like=probes[:1])
    known = app.subject("club", "ada")
    stone = app.erase_subject("club", "ada")
    assert (stone.id, stone.faces, stone.consents) == (known.id, 2, 2)
    assert stone.created == known.created < stone.erased
    assert app.tombstones("club") == (stone,)
    assert "ada" not in repr(stone)
    assert named(app, probes) == [None, "bob"]
    for ask in (app.subject, app.consents, app.faces, app.erase_subject):
        with pytest.raises(SubjectNotFound):
            ask("club", "ada")


def test_who_comes_back_after_an_erasure_is_somebody_new(app: Sayso) -> None:
    enrol(app, ["ada"])
    first = app.erase_subject("club", "ada")
    probes = enrol(app, ["ada"], seed=1)
    assert named(app, probes) == ["ada"]
    assert named(app, templates(1)) == [None]
    assert app.subject("club", "ada").id != first.id


def test_neither_template_nor_evidence_nor_name_stays_in_the_files(tmp_path: Path) -> None:
    with Sayso(tmp_path) as app:
        app.create_collection("club")
        consent = Consent([PURPOSE], "signed by Ada-Lovelace")
        probes = enrol(app, ["ada-lovelace", "bob"], consent=consent)

        def holding(needle: bytes) -> list[str]:
            return [file.name for file in tmp_path.iterdir() if needle in file.read_bytes()]

        # What is sealed can be found, and is gone afterwards; what it is can never be found.
        with app._resources.store.read() as connection:
            sealed = list(connection.execute(select(schema.faces.c.template)).scalars())
            sealed += list(connection.execute(select(schema.subjects.c.name)).scalars())
            sealed += list(connection.execute(select(schema.consents.c.evidence)).scalars())
        layouts = ("<f4", ">f4", "<f8", ">f8", "<f2", ">f2")
        plain = [probes[0].astype(layout).tobytes()[:64] for layout in layouts]
        plain += [b"ada-lovelace", b"signed by", json.dumps(probes[0].tolist()).encode()[:64]]
        assert len(sealed) == 6
        assert all(holding(each) for each in sealed)
        assert not any(holding(each) for each in plain)
        app.erase_subject("club", "ada-lovelace")
        assert sum(bool(holding(each)) for each in sealed) == 3
        app.erase_subject("club", "bob")
        assert not any(holding(each) for each in sealed)


def test_deleting_a_collection_erases_its_subjects(app: Sayso) -> None:
    app.create_collection("other")
    names = [f"s{i}" for i in range(100)]
    probes = enrol(app, names)
    enrol(app, ["ada"], collection="other", seed=1)
    assert named(app, probes) == names
    assert app.delete_collection("club", erase_subjects=True) == 100
    with pytest.raises(CollectionNotFound):
        named(app, probes)
    assert len(app.tombstones("club")) == 100
    assert named(app, templates(1, 1), collection="other") == ["ada"]
    # A new collection of that name begins empty, whatever was cached under it.
    app.create_collection("club")
    assert app.tombstones("club")
    assert named(app, probes) == [None] * 100
    enrol(app, ["new"], seed=2)
    assert named(app, np.concatenate([probes[:1], templates(1, 2)])) == [None, "new"]


def test_faces_go_where_their_own_consent_has_ended(app: Sayso) -> None:
    until = datetime.now(UTC) + timedelta(hours=1)
    short = Consent([PURPOSE, "door"], "form", until=until)
    first = enrol(app, ["ada", "bob"], consent=short)
    app.add_consent("club", "ada", Consent([PURPOSE], "form 18"))
    enrol(app, ["ada", "cy"], consent=Consent(["research"], "form 18"), like=first)
    bob = app.subject("club", "bob").id
    store = app._resources.store
    late = microseconds(until)
    with store.write() as change:
        assert not erasure.faces_ended(change.connection, -1, late - 1)
        assert erasure.faces_ended(change.connection, late - 1, late)
        assert not erasure.faces_ended(change.connection, late, late + 1)
        before = replace(change, now=late - 1)
        assert erasure.erase_faces(before) == erasure.erase_faces(before, since=-1) == ()
        then = replace(change, now=late)
        assert erasure.erase_faces(then, since=late) == ()
        gone = erasure.erase_faces(then, since=-1)
        assert gone == (FacesGone("club", bob, 1),)  # ada's consent was renewed
        assert erasure.erase_faces(then) == ()
        assert len(change.connection.execute(select(schema.removals)).all()) == 1
    assert (app.collection("club").faces, app.subject("club", "ada").faces) == (3, 2)


def test_faces_on_a_consent_that_is_withdrawn_are_found_whenever_that_was(app: Sayso) -> None:
    """As after a backup was restored, whose consents were withdrawn since."""
    enrol(app, ["ada"], consent=Consent([PURPOSE, "door"], "form"))
    app.add_consent("club", "ada", Consent(["research"], "form 18"))
    with app._resources.store.write() as change:
        column = schema.consent_purposes.c
        rows = update(schema.consent_purposes).where(column.purpose != "research")
        change.connection.execute(rows.where(column.purpose == "door").values(withdrawn=1))
        assert erasure.erase_faces(change) == ()
        change.connection.execute(rows.values(withdrawn=1))
        assert erasure.erase_faces(change, since=0) == ()
        assert [each.faces for each in erasure.erase_faces(change)] == [1]


def test_what_a_reader_kept_from_being_wiped_is_wiped_when_they_have_left(tmp_path: Path) -> None:
    with Sayso(tmp_path) as app:
        app.create_collection("club")
        enrol(app, ["ada", "bob"])
        keyring = tmp_path / "keyring.sqlite"
        with closing(sqlite3.connect(keyring)) as reader:
            ((wrapped,),) = reader.execute(
                "SELECT wrapped FROM data_keys WHERE subject = ?",
                (uuid.UUID(app.subject("club", "ada").id).bytes,),
            ).fetchall()
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM data_keys").fetchone()
            app.erase_subject("club", "ada")
            assert _holding(tmp_path, wrapped)  # the reader's view still needs it
            reader.rollback()
        until = time.monotonic() + 10
        while (_holding(tmp_path, wrapped) or _pending(app)) and time.monotonic() < until:
            time.sleep(0.05)
        assert not _holding(tmp_path, wrapped)
        assert not _pending(app)


def _pending(app: Sayso) -> bool:
    with app._resources.store.read() as connection:
        return connection.execute(select(schema.pending_endings)).first() is not None


def _holding(folder: Path, needle: bytes) -> list[str]:
    return [file.name for file in folder.iterdir() if needle in file.read_bytes()]
