"""Whether a gallery holds exactly what the models of its workers say, in every file that it has."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection

from sayso.audit import log
from sayso.audit.heads import Head
from sayso.core import Sayso
from sayso.errors import UnknownKey
from sayso.gallery import collections, consents, erasure, faces, subjects
from sayso.gallery.opening import open_gallery
from sayso.gallery.store import Store
from sayso.gallery.times import microseconds
from sayso.keyring.master import KeyFile
from sayso.keyring.store import Keyring
from sayso.settings import load_settings
from tests.faults.model import Group, Model, Told
from tests.faults.planning import PURPOSES
from tests.faults.processes import Running
from tests.faults.worker import SAME, Call
from tests.faults.worker import faces as templates_of
from tests.gallery.synthetic import DIMENSION, VERSION

_CHECKER = "checker"
#: What a gallery has in its folder; the files that SQLite adds are not always there.
_FILES = {"gallery.sqlite", "gallery.lock", "keyring.sqlite", "keyring.lock", "master.key"}
_FILES |= {"in-use.lock", "reserve"}
_FILES |= {f"{name}.sqlite-{kind}" for name in ("gallery", "keyring") for kind in ("wal", "shm")}
_UNFINISHED = ".master.key.new-"


@dataclass(frozen=True)
class Opened:
    """A gallery as it is on the disk, read without leaving a trace in it."""

    folder: Path
    store: Store
    keyring: Keyring
    connection: Connection


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[Opened]:
    store, keyring = open_gallery(folder, load_settings())
    try:
        with store.read() as connection:
            yield Opened(folder, store, keyring, connection)
    finally:
        store.close()
        keyring.close()


class Checker:
    """Checks a gallery again and again; it knows the heads of the log that it saved before."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._heads: list[Head] = []
        self._read: dict[str, int] = {}
        self._orphans: set[str] = set()

    def check(self, model: Model, worker: Running, *, alone: bool = True) -> bool | None:
        """Check all that a worker did until it stopped; return whether its last call was done.

        None where no call was in flight. ``alone`` says that nobody else works in the gallery.
        """
        with _opened(self._folder) as gallery:
            done = self._follow(gallery, model, worker)
            _check_content(gallery, model)
            self._check_keys(gallery, model, worker.left if done is False else None, alone=alone)
            _check_files(gallery, model, alone=alone)
        self._check_by_use(model)
        return done

    def check_together(self, models: Sequence[Model]) -> None:
        """Check what is there of several workers, each of whom was checked to the end."""
        with _opened(self._folder) as gallery:
            people = {each for model in models for each in model.people()}
            gone = {each for model in models for each in model.gone()}
            kept = _kept(gallery.folder)
            assert people <= kept
            assert not gone & kept
            assert set(gallery.keyring.ended("subject")) == gone
            assert not _pending(gallery.folder)
            names = {each.name for each in collections.describe_all(gallery.connection)}
            assert names == {name for model in models for name in model.groups}

    def check_tidied(self) -> None:
        """Check that a rotation clears away what those before it have left."""
        with Sayso(self._folder, actor=_CHECKER) as app:
            fingerprint = app.rotate_master_key()
            keys = KeyFile(self._folder / "master.key", "it").read()
            assert [each.fingerprint for each in keys] == [fingerprint]
        assert {path.name for path in self._folder.iterdir()} <= _FILES

    def _follow(self, gallery: Opened, model: Model, worker: Running) -> bool | None:
        """Account for every entry of the worker's, and tell whether the call in flight was done."""
        after = self._read.get(model.actor, 0)
        entries = tuple(log.entries(gallery.connection, after=after))
        self._read[model.actor] = entries[-1].number if entries else after
        told = Told(each for each in entries if _is_of(each, model))
        for call, result in worker.acknowledged:
            model.follow(call, told, result)
        if worker.left is None:
            assert not len(told), f"{told.next('nothing')}"
            return None
        if not len(told):
            return False
        model.follow(worker.left, told)
        assert not len(told), f"{told.next('nothing')}"
        return True

    def _check_keys(
        self, gallery: Opened, model: Model, undone: Call | None, *, alone: bool
    ) -> None:
        """Every subject has a data key, nobody erased has one, and nobody knows of others."""
        people, gone = model.people(), model.gone()
        kept, keyring = _kept(gallery.folder), gallery.keyring
        assert set(keyring.find(people)) == set(people)
        assert not kept & set(gone)
        ended = keyring.ended("subject")
        assert {each: ended.get(each) for each in gone} == {
            each: microseconds(stone.erased) for each, stone in gone.items()
        }
        revoked = {key.id: microseconds(key.revoked) for key in model.keys.values() if key.revoked}
        assert keyring.ended("access-key").items() >= revoked.items()
        if not alone:
            return
        assert set(ended) == set(gone)
        assert set(keyring.ended("access-key")) == set(revoked)
        if undone is None or undone.method != "rotate":
            assert keyring.fingerprint == (model.fingerprint or keyring.fingerprint)
        model.fingerprint = keyring.fingerprint
        assert len(keyring.ended("withdrawal")) == model.withdrawals
        assert len(keyring.ended("purpose")) == model.met
        # A key is made before what it seals is committed: it may be left with nothing sealed.
        new = kept - set(people) - self._orphans
        assert len(new) in (0, _new_people(undone, model)), f"keys of nobody: {new}"
        self._orphans |= new

    def _check_by_use(self, model: Model) -> None:
        """Use the gallery as anybody does: search it, come with a key, verify the log."""
        with Sayso(self._folder, actor=_CHECKER) as app:
            # One of the purposes each time, and the one that was met last.
            purpose = PURPOSES[len(self._heads) % len(PURPOSES)]
            for name, group in model.groups.items():
                for each in (purpose, *_met(group)[-1:]):
                    _check_search(app, model, name, each)
            _check_access_keys(app, model)
            for head in (self._heads[0], self._heads[-1]) if self._heads else (None,):
                verification = app.audit_verify(head)
                assert verification.ok, verification.problems
            self._heads.append(app.audit_head())


def _check_search(app: Sayso, model: Model, collection: str, purpose: str) -> None:
    """Search for every template that ever was to be enrolled: whoever may be found is."""
    seeds = model.seeds[collection]
    if not seeds:
        return
    expected = model.found(collection, seeds, purpose, datetime.now(UTC))
    found = app.recognize_templates(
        collection, templates_of(seeds), purpose=purpose, min_similarity=SAME, version=VERSION
    )
    assert [each[0].subject if each else None for each in found] == expected


def _check_access_keys(app: Sayso, model: Model) -> None:
    for actor, key in model.keys.items():
        if key.secret is not None and key.revoked is None:
            assert app.authenticate(key.id, key.secret).actor == actor
        elif key.secret is not None:
            with pytest.raises(UnknownKey):
                app.authenticate(key.id, key.secret)


def _is_of(entry: log.Entry, model: Model) -> bool:
    """Whether an entry is of what the worker did; what ends with a purpose, the rule erases."""
    if entry.actor == "retention":
        return str(getattr(entry.event, "collection", "")).startswith(f"{model.actor}-")
    return entry.actor == model.actor and entry.event.kind != "log-begun"


def _check_content(gallery: Opened, model: Model) -> None:
    """What the database holds is what the model has, whatever is sealed in it opened."""
    there = {
        each.name: each
        for each in collections.describe_all(gallery.connection)
        if each.name.startswith(f"{model.actor}-")
    }
    assert {name: each.created for name, each in there.items()} == {
        name: group.created for name, group in model.groups.items()
    }
    for name, group in model.groups.items():
        _check_people(gallery, name, group)
        _check_templates(gallery, name, group)
    for name, stones in model.stones.items():
        found = erasure.tombstones(gallery.connection, name)
        assert {
            each.id: (each.created, each.erased, each.faces, each.consents, each.reason)
            for each in found
        } == {
            each: (stone.created, stone.erased, stone.faces, stone.consents, stone.reason)
            for each, stone in stones.items()
        }
    rows = gallery.connection.exec_driver_sql(
        "SELECT id, actor, revoked, secret IS NULL FROM access_keys"
    )
    expected = {
        (key.id, actor, key.revoked and microseconds(key.revoked), int(key.revoked is not None))
        for actor, key in model.keys.items()
    }
    assert {tuple(row) for row in rows if row.actor.startswith(f"{model.actor}-")} == expected


def _check_people(gallery: Opened, collection: str, group: Group) -> None:
    connection, find_keys = gallery.connection, gallery.keyring.find
    pinned, now = collections.find(connection, collection), datetime.now(UTC)
    listed = subjects.describe_all(
        connection, find_keys, pinned, after="", limit=None, now=microseconds(now)
    )
    assert {each.name for each in listed} == set(group.people)
    assert len(listed) == len(group.people)
    for each in listed:
        person = group.people[each.name]
        assert person.is_(each.id)
        assert (each.created, each.faces) == (person.created, len(person.seeds))
        assert each.purposes == tuple(sorted(person.standing(now)))
        known = subjects.find(connection, gallery.keyring, pinned, each.name)
        assert [
            (c.evidence, c.recorded, c.last_interaction, dict(c.ends), dict(c.withdrawn))
            for c in consents.records(connection, find_keys, known)
        ] == [
            (a.evidence, a.recorded, a.last_interaction, a.ends, a.withdrawn)
            for a in person.agreements
        ]
    declared = connection.exec_driver_sql(
        "SELECT p.name, p.met, count(n.version) FROM purposes p LEFT JOIN notices n "
        "ON n.purpose_key = p.key WHERE p.collection_key = ? GROUP BY p.key",
        (pinned.key,),
    )
    assert {name: (met, notices) for name, met, notices in declared} == {
        name: (met and microseconds(met), 1) for name, met in group.purposes.items()
    }


def _check_templates(gallery: Opened, collection: str, group: Group) -> None:
    """Every template is there, bit by bit, and the subject's own."""
    connection, keyring = gallery.connection, gallery.keyring
    pinned = collections.find(connection, collection)
    found: dict[str, list[bytes]] = {name: [] for name in group.people}
    for chunk in faces.changed(connection, keyring, pinned.key, DIMENSION, 0):
        known = subjects.names(connection, keyring.find, set(chunk.subjects.tolist()))
        for key, template in zip(chunk.subjects.tolist(), chunk.templates, strict=True):
            found[known[key].name].append(template.tobytes())
    assert found == {
        name: [row.tobytes() for row in templates_of(person.seeds)] if person.seeds else []
        for name, person in group.people.items()
    }


def _check_files(gallery: Opened, model: Model, *, alone: bool) -> None:
    """Both databases are sound and hold nothing that is pending; no file is left over."""
    for name in ("gallery", "keyring"):
        assert _rows(gallery.folder, name, "PRAGMA integrity_check") == [("ok",)]
        assert _rows(gallery.folder, name, "PRAGMA foreign_key_check") == []
    strangers = """
        SELECT count(*) FROM faces f JOIN consents c ON c.key = f.consent_key
        WHERE c.subject_key != f.subject_key
    """
    assert _rows(gallery.folder, "gallery", strangers) == [(0,)]
    pending = _pending(gallery.folder)
    # Beside somebody who reads, what is pending is only that the logs are emptied.
    assert not (pending if alone else gallery.keyring.find(pending & set(model.gone())))
    in_file = [each.fingerprint for each in KeyFile(gallery.folder / "master.key", "it").read()]
    assert gallery.keyring.fingerprint in in_file
    if alone:
        names = {path.name for path in gallery.folder.iterdir()}
        # A rotation that was killed leaves a key file that was not renamed yet, to the next one.
        assert {name for name in names if not name.startswith(_UNFINISHED)} <= _FILES


def _pending(folder: Path) -> set[str]:
    return {each for (each,) in _rows(folder, "gallery", "SELECT id FROM pending_endings")}


def _kept(folder: Path) -> set[str]:
    """Return the ids of all who have a data key."""
    rows = _rows(folder, "keyring", "SELECT subject FROM data_keys")
    return {str(UUID(bytes=each)) for (each,) in rows}


def _rows(folder: Path, name: str, query: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(folder / f"{name}.sqlite", timeout=30)) as raw:
        return raw.execute(query).fetchall()


def _met(group: Group) -> list[str]:
    return [name for name, met in group.purposes.items() if met is not None]


def _new_people(call: Call | None, model: Model) -> int:
    """Return how many subjects a call would have made."""
    if call is None or call.method not in ("enrol", "agree"):
        return 0
    arguments = call.arguments
    names = set(arguments.get("names") or [arguments.get("name")])
    return len(names - set(model.groups[arguments["collection"]].people))
