"""Restoring: a backup brings back what was, but nobody and nothing that ended since."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from sayso.audit.events import Restored
from sayso.audit.heads import Head
from sayso.core import Sayso, restore
from sayso.core.restoring import check
from sayso.errors import (
    BackupError,
    ConsentNotFound,
    KeyringError,
    KeyringUnavailable,
    MasterKeyMissing,
    PurposeNotDeclared,
    SealBroken,
    StoreUnavailable,
    SubjectNotFound,
    UnknownKey,
)
from sayso.gallery import (
    access_keys,
    collections,
    consents,
    enrolled,
    erasure,
    schema,
    subjects,
    users,
)
from sayso.gallery.restorable import opened
from sayso.gallery.restore import replace
from sayso.gallery.sealing import open_evidence, open_name, open_template
from sayso.keyring.sealing import DataKey
from sayso.keyring.store import Keyring
from sayso.results import Consent
from tests.gallery.synthetic import CONSENT, PURPOSE, VERSION, enrol, named, templates

NAMES = ["ada", "bob", "cy"]
BOTH = Consent([PURPOSE, "research"], "form 18")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    return tmp_path / "monday.backup"


@pytest.fixture
def app(data: Path) -> Iterator[Sayso]:
    with Sayso(data) as app:
        app.create_collection("club")
        enrol(app, NAMES)
        yield app


def _lose(folder: Path) -> None:
    for file in folder.glob("gallery.sqlite*"):
        file.unlink()


def _tree(folder: Path) -> dict[str, bytes]:
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def _events(app: Sayso) -> list[str]:
    return [entry.event.kind for entry in app.audit_entries()]


def test_what_was_erased_by_mistake_elsewhere_comes_back(
    app: Sayso, data: Path, backup: Path
) -> None:
    probes = templates(5)
    app.backup(backup)
    enrol(app, [*NAMES, "dee", "eve"])  # who are not in the backup
    assert named(app, probes) == [*NAMES, "dee", "eve"]
    done = restore(data, backup, actor="operator")
    assert (done.subjects, done.faces, done.erased) == (3, 3, 0)
    assert named(app, probes) == [*NAMES, None, None]
    assert app.consents("club", "ada")[0].evidence == "form 17"
    assert app.tombstones("club") == ()
    last = app.audit_entries(kind="restored")
    assert [entry.actor for entry in last] == ["operator"]
    assert isinstance(last[0].event, Restored)
    assert app.audit_verify().ok
    # Nothing of before is left in memory: a process that is new answers just the same.
    with Sayso(data) as other:
        answers = [
            each.recognize_templates("club", probes, purpose=PURPOSE, version=VERSION)
            for each in (app, other)
        ]
    assert answers[0] == answers[1]


def test_a_newer_backup_brings_back_who_was_not_in_the_older(
    app: Sayso, data: Path, backup: Path, tmp_path: Path
) -> None:
    app.backup(backup)
    enrol(app, [*NAMES, "dee"], allow_lookalike=True)
    newer = tmp_path / "tuesday.backup"
    app.backup(newer)
    restore(data, backup)
    assert named(app, templates(4)) == [*NAMES, None]
    restore(data, newer)
    assert named(app, templates(4)) == [*NAMES, "dee"]
    assert app.audit_verify().ok


def test_who_was_erased_after_the_backup_stays_erased(
    app: Sayso, data: Path, backup: Path, tmp_path: Path
) -> None:
    app.backup(backup)
    stone = app.erase_subject("club", "bob")
    done = restore(data, backup)
    assert (done.subjects, done.faces, done.erased) == (2, 2, 1)
    assert named(app, templates(3)) == ["ada", None, "cy"]
    with pytest.raises(SubjectNotFound):
        app.subject("club", "bob")
    assert app.tombstones("club") == (stone,)
    assert app.audit_verify().ok


def test_nobody_opens_what_a_backup_holds_of_the_erased(
    app: Sayso, data: Path, backup: Path
) -> None:
    app.backup(backup)
    app.erase_subject("club", "bob")
    ids = {app.subject("club", name).id for name in ("ada", "cy")}
    app.close()
    keyring = Keyring(data, create=False)
    with closing(sqlite3.connect(backup)) as connection:
        people = dict(connection.execute("SELECT id, name FROM subjects").fetchall())
        query = (
            "SELECT s.id, f.template, c.evidence FROM faces f JOIN subjects s "
            "ON s.key = f.subject_key JOIN consents c ON c.key = f.consent_key"
        )
        sealed = {each: (template, text) for each, template, text in connection.execute(query)}
    keys = keyring.find(people)
    assert set(keys) == ids
    (bob,) = set(people) - ids
    for key in [*keys.values(), keyring.secrets(), keyring.digests()]:
        assert isinstance(key, DataKey)
        for unseal, content in (
            (open_name, people[bob]),
            (open_template, sealed[bob][0]),
            (open_evidence, sealed[bob][1]),
        ):
            with pytest.raises(SealBroken):
                unseal(key, content)
    # The others open, so the contexts are right.
    assert {open_name(keys[each], people[each]) for each in ids} == {"ada", "cy"}
    assert {len(open_template(keys[each], sealed[each][0])) for each in ids} == {4 * 128}
    keyring.close()


def test_a_lost_gallery_comes_back_with_its_keyring(app: Sayso, data: Path, backup: Path) -> None:
    probes = templates(3)
    app.backup(backup)
    app.erase_subject("club", "bob")
    epoch_of = select(schema.state.c.epoch)
    with app._resources.store.read() as connection:
        epoch = connection.execute(epoch_of).scalar_one()
    # Not tidily: what SQLite laid beside the database is left, and fits no other database.
    enrol(app, ["dee"], seed=6)
    log = (data / "gallery.sqlite-wal").read_bytes()
    app.close()
    _lose(data)
    (data / "gallery.sqlite-wal").write_bytes(log)
    assert len(log) > 4096
    with pytest.raises(StoreUnavailable, match="sayso restore"):
        Sayso(data)
    done = restore(data, backup)
    assert (done.subjects, done.faces, done.erased) == (2, 2, 1)
    with Sayso(data) as found:
        assert named(found, probes) == ["ada", None, "cy"]
        (stone,) = found.tombstones("club")
        assert (stone.reason, stone.faces, stone.consents) == ("restore", 1, 1)
        assert stone.created < stone.erased < datetime.now(UTC)
        kinds = _events(found)
        assert kinds[: kinds.index("backup-made") + 1][0] == "log-begun"
        assert kinds[kinds.index("backup-made") + 1 :][:2] == ["subject-erased", "restored"]
        assert found.audit_verify().ok
        with found._resources.store.read() as connection:
            assert connection.execute(epoch_of).scalar_one() != epoch
        enrol(found, ["new"], seed=3)
    assert not [file for file in data.iterdir() if file.name.startswith(".restoring-")]
    assert (data / "gallery.sqlite").stat().st_mode & 0o777 == 0o600


def test_another_machine_takes_over_with_backup_keyring_and_key_file(
    app: Sayso, data: Path, backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "safe").mkdir()
    app.backup(backup, keyring=tmp_path / "safe" / "keys")
    head = app.audit_head()
    app.close()
    new, keys = tmp_path / "new" / "data", tmp_path / "new" / "keyring"
    keys.mkdir(parents=True)
    monkeypatch.setenv("SAYSO_KEYRING_DIR", str(keys))
    monkeypatch.setenv("SAYSO_KEY_FILE", str(tmp_path / "new" / "key"))
    with pytest.raises(KeyringUnavailable):
        restore(new, backup)
    shutil.copy(tmp_path / "safe" / "keys", keys / "keyring.sqlite")
    with pytest.raises(MasterKeyMissing):
        restore(new, backup)
    assert not new.exists()  # and no key of its own either
    shutil.copy(data / "master.key", tmp_path / "new" / "key")
    assert restore(new, backup).subjects == 3
    with Sayso(new) as moved:
        assert named(moved, templates(3)) == NAMES
        # The copy of the log ends with the backup: a head saved before that is in it.
        assert moved.audit_verify().ok
        assert moved.audit_head().number > head.number - 3


def test_a_purpose_withdrawn_after_the_backup_stays_withdrawn(
    app: Sayso, data: Path, backup: Path
) -> None:
    app.erase_subject("club", "ada")
    enrol(app, ["ada"], consent=BOTH)
    app.backup(backup)
    app.withdraw_consent("club", "ada", PURPOSE)
    for lost in (False, True):
        if lost:
            app.close()
            _lose(data)
        assert restore(data, backup).erased == 0
        with Sayso(data) as found:
            assert named(found, templates(3)) == [None, "bob", "cy"]
            assert named(found, templates(1), purpose="research") == ["ada"]
            with pytest.raises(ConsentNotFound):
                found.withdraw_consent("club", "ada", PURPOSE)
            withdrawn = [dict(each.withdrawn) for each in found.consents("club", "ada")]
            assert [sorted(each) for each in withdrawn] == [[PURPOSE]]
            assert found.audit_verify().ok


def test_who_has_no_consent_left_by_a_later_withdrawal_is_erased(
    app: Sayso, data: Path, backup: Path
) -> None:
    app.backup(backup)
    app.add_consent("club", "ada", Consent(["research"], "form 19"))
    app.withdraw_consent("club", "ada", PURPOSE)  # and research is not in the backup
    ada = app.subject("club", "ada").id
    done = restore(data, backup)
    assert (done.subjects, done.erased) == (2, 1)
    (stone,) = app.tombstones("club")
    assert (stone.id, stone.reason) == (ada, "withdrawn")
    assert app.keyring_status().subjects == 2
    assert "subject-erased" in _events(app)
    # It is for good: the next restoration finds them erased already.
    assert restore(data, backup).erased == 1
    assert app.tombstones("club") == (stone,)
    assert app.audit_verify().ok


def test_faces_go_with_a_consent_that_was_withdrawn_after_the_backup(
    app: Sayso, data: Path, backup: Path
) -> None:
    app.add_consent("club", "ada", Consent(["research"], "form 19"))
    app.backup(backup)
    app.withdraw_consent("club", "ada", PURPOSE)
    done = restore(data, backup)
    assert (done.subjects, done.faces, done.erased) == (3, 2, 0)
    assert app.faces("club", "ada") == ()
    assert named(app, templates(3), purpose="research") == [None] * 3


def test_whose_consent_has_ended_meanwhile_is_erased(data: Path, backup: Path) -> None:
    until = datetime.now(UTC) + timedelta(seconds=1.5)
    with Sayso(data) as app:
        app.create_collection("club")
        enrol(app, ["short"], consent=Consent([PURPOSE], "form 1", until=until))
        enrol(app, ["new", "long"], seed=4)
        app.erase_subject("club", "new")
        app.backup(backup)
    _lose(data)
    time.sleep(max(0.0, (until - datetime.now(UTC)).total_seconds()))
    done = restore(data, backup)
    assert (done.subjects, done.erased) == (1, 1)
    with Sayso(data) as app:
        stones = {stone.reason for stone in app.tombstones("club")}
        assert stones == {"asked", "expired"}
        assert app.keyring_status().subjects == 1
        assert app.audit_verify().ok


def test_a_revoked_key_stays_revoked(app: Sayso, data: Path, backup: Path) -> None:
    door, desk = (app.create_key(who, purpose=PURPOSE, actions=["search"]) for who in "ab")
    app.backup(backup)
    revoked = app.revoke_key(door.key.id)
    later = app.create_key("later", purpose=PURPOSE, actions=["search"])
    for lost in (False, True):
        if lost:
            app.close()
            _lose(data)
        restore(data, backup)
        with Sayso(data) as found:
            assert found.authenticate(desk.key.id, desk.secret).actor == "b"
            for gone in (door, later):
                with pytest.raises(UnknownKey):
                    found.authenticate(gone.key.id, gone.secret)
            assert found.keys() == (revoked, desk.key)
    with closing(sqlite3.connect(data / "gallery.sqlite")) as connection:
        query = "SELECT secret FROM access_keys WHERE id = ?"
        assert connection.execute(query, (door.key.id,)).fetchone() == (None,)


def test_a_purpose_that_was_met_stays_met(app: Sayso, data: Path, backup: Path) -> None:
    app.erase_subject("club", "ada")
    enrol(app, ["ada"], consent=BOTH)
    app.backup(backup)
    app.purpose_met("club", PURPOSE)
    (left,) = app.subjects("club")
    assert left.name == "ada"
    for lost in (False, True):
        if lost:
            app.close()
            _lose(data)
        done = restore(data, backup)
        assert (done.subjects, done.erased) == (1, 2)
        with Sayso(data) as found:
            assert named(found, templates(3)) == [None] * 3
            assert named(found, templates(3), purpose="research") == ["ada", None, None]
            met = {purpose.name: purpose.met is not None for purpose in found.purposes("club")}
            assert met == {PURPOSE: True, "research": False}
            with pytest.raises(PurposeNotDeclared, match="met"):
                enrol(found, ["dee"], seed=7)
            assert found.audit_verify().ok


def test_a_purpose_declared_anew_before_the_backup_is_not_met(
    app: Sayso, data: Path, backup: Path
) -> None:
    app.add_consent("club", "ada", Consent(["research"], "form 19"))
    app.purpose_met("club", PURPOSE)
    app.declare_purpose("club", PURPOSE, notice="Once more.")
    enrol(app, ["ada"])
    app.backup(backup)
    assert restore(data, backup).erased == 0
    assert named(app, templates(1)) == ["ada"]
    assert [purpose.met for purpose in app.purposes("club")] == [None, None]


def test_a_rule_that_was_made_stricter_after_the_backup_binds_again(
    data: Path, backup: Path
) -> None:
    day, start = timedelta(days=1), datetime.now(UTC) - timedelta(days=3)
    times = [start]
    with Sayso(data, clock=lambda: times[-1]) as timed:

        def declare(most: int | None, idle: int = 1095) -> None:
            timed.declare_purpose("club", PURPOSE, notice="Run.", max_days=most, idle_days=idle)

        timed.create_collection("club")
        enrol(timed, NAMES)
        timed.backup(backup)
        times.append(start + day)
        declare(10)
        declare(None, idle=20)
        declare(None)  # looser again: that lengthens nobody's consent
        enrol(timed, ["dee"], seed=5)
        declare(30)
        assert [each.ends[PURPOSE] for each in timed.consents("club", "ada")] == [start + 10 * day]
        restore(data, backup)
        (found,) = timed.purposes("club")
        assert (found.max_days, found.idle_days) == (10, 20)
        assert found.by_default
        assert [each.ends[PURPOSE] for each in timed.consents("club", "ada")] == [start + 10 * day]
        timed.record_interaction("club", "ada", times[-1])
        assert [each.ends[PURPOSE] for each in timed.consents("club", "ada")] == [start + 10 * day]


def test_whom_such_a_rule_has_left_without_consent_is_erased(data: Path, backup: Path) -> None:
    times = [datetime.now(UTC) - timedelta(days=10)]
    with Sayso(data, clock=lambda: times[-1]) as app:
        app.create_collection("club")
        enrol(app, ["ada"])
        app.backup(backup)
        app.declare_purpose("club", PURPOSE, notice="Your race.", max_days=5)
    _lose(data)
    done = restore(data, backup)
    assert (done.subjects, done.erased) == (0, 1)


def test_a_rule_made_looser_again_before_the_backup_stays_so(
    app: Sayso, data: Path, backup: Path
) -> None:
    for most in (9, 5, None):
        app.declare_purpose("club", PURPOSE, notice="Your race.", max_days=most)
    enrol(app, ["dee"], seed=5)
    before = {name: app.consents("club", name) for name in ("ada", "dee")}
    app.backup(backup)
    restore(data, backup)
    assert app.purposes("club")[0].max_days is None
    assert {name: app.consents("club", name) for name in ("ada", "dee")} == before


def test_what_ended_and_is_not_settled_yet_counts(app: Sayso, data: Path, backup: Path) -> None:
    app.add_consent("club", "ada", BOTH)
    door = app.create_key("door", purpose=PURPOSE, actions=["search"])
    app.backup(backup)
    store = app._resources.store
    key = bytes.fromhex(app.audit_head().public_key)
    with store.write() as change, store.read() as connection:
        # As a process leaves it that is killed, or slow, between its commit and the keyring.
        club = collections.find(connection, "club")
        bob = subjects.find(connection, change.keyring, club, "bob")
        ada = subjects.find(connection, change.keyring, club, "ada")
        erasure.erase_subjects(change, club, [bob.key], "asked")
        consents.withdraw(change, club, ada, PURPOSE)
        access_keys.revoke(change, door.key.id)
    with opened(backup) as held, store.write() as change:
        assert bob.id in change.keyring.find([bob.id])
        source = check(held, backup, key)
        assert replace(change, source, source.events).subjects == 1
    store.settle()
    assert named(app, templates(3)) == [None, None, "cy"]
    assert named(app, templates(3), purpose="research") == ["ada", None, None]
    assert app.keyring_status().subjects == 2
    with pytest.raises(UnknownKey):
        app.authenticate(door.key.id, door.secret)


def test_a_deleted_collection_comes_back_empty(app: Sayso, data: Path, backup: Path) -> None:
    app.backup(backup)
    app.delete_collection("club", erase_subjects=True)
    assert restore(data, backup).erased == 3
    assert app.collection("club").subjects == 0
    assert {stone.reason for stone in app.tombstones("club")} == {"collection"}


def test_the_log_goes_on_and_an_older_head_still_verifies(
    app: Sayso, data: Path, backup: Path
) -> None:
    before = app.audit_head()
    app.backup(backup)
    enrol(app, ["dee"], seed=5)
    after = Head.parse(app.audit_head().to_json())
    restore(data, backup)
    for head in (before, after):  # nothing was taken off the log of a gallery that was there
        assert app.audit_verify(head).ok
    assert "templates-enrolled" in _events(app)
    app.close()
    _lose(data)
    restore(data, backup)
    with Sayso(data) as found:
        assert found.audit_verify(before).ok
        # What came after the backup was lost with the gallery, and a saved head tells so.
        assert not found.audit_verify(after).ok


def test_a_copy_of_the_keyring_from_before_an_erasure_brings_nobody_back(
    app: Sayso, data: Path, backup: Path, tmp_path: Path
) -> None:
    (tmp_path / "safe").mkdir()
    app.backup(backup, keyring=tmp_path / "safe" / "keys")
    app.erase_subject("club", "bob")
    app.close()
    shutil.copy(tmp_path / "safe" / "keys", data / "keyring.sqlite")
    # The gallery that is there knows of the erasure.
    assert restore(data, backup).erased == 1
    with Sayso(data) as found:
        assert named(found, templates(3)) == ["ada", None, "cy"]
        assert found.keyring_status().subjects == 2


def test_who_lacked_a_key_comes_back_with_the_right_keyring(
    app: Sayso, data: Path, backup: Path, tmp_path: Path
) -> None:
    app.copy_keyring(tmp_path / "older-keys")
    enrol(app, ["dee"], seed=5)
    app.backup(backup)
    app.copy_keyring(tmp_path / "right-keys")
    app.close()
    _lose(data)
    for keys, erased in (("older-keys", 1), ("right-keys", 0)):
        shutil.copy(tmp_path / keys, data / "keyring.sqlite")
        assert restore(data, backup).erased == erased
        with Sayso(data) as found:
            assert named(found, templates(1, 5)) == [None if erased else "dee"]
            assert len(found.tombstones("club")) == erased
            assert found.audit_verify().ok


def test_a_damaged_backup_is_refused_and_nothing_changed(
    app: Sayso, data: Path, backup: Path
) -> None:
    app.backup(backup)
    enrol(app, ["dee"], seed=5)
    app.close()
    whole, before = backup.read_bytes(), _tree(data)
    random = np.random.default_rng(5)
    changed = []
    for at in random.integers(100, len(whole), 25).tolist():
        flipped = bytearray(whole)
        flipped[at] ^= 0x10
        changed.append(bytes(flipped))
    sizes = (0, 1, 16, 4096, len(whole) // 2, len(whole) - 1)
    changed += [whole[:size] for size in sizes]
    changed += [b"no backup", whole + b"\0", whole[:4096] * 3]
    for content in changed:
        backup.write_bytes(content)
        with pytest.raises(BackupError) as caught:
            restore(data, backup)
        assert repr(str(backup)) in str(caught.value)
        assert str(data) not in str(caught.value)
    assert _tree(data) == before
    # Nor is anything made where there is nothing yet.
    _lose(data)
    with pytest.raises(BackupError):
        restore(data, backup)
    assert not (data / "gallery.sqlite").exists()


def test_a_backup_that_somebody_edited_is_refused(app: Sayso, data: Path, backup: Path) -> None:
    app.create_key("door", purpose=PURPOSE, actions=["search"])
    app.backup(backup)
    whole = backup.read_bytes()
    edits = [
        """UPDATE access_keys SET actions = '["admin"]'""",
        "UPDATE consent_purposes SET ends = ends + 1000000",
        "UPDATE audit SET actor = 'nobody' WHERE number = 2",
        "DELETE FROM audit WHERE number = 3",
        "DELETE FROM tombstones",
    ]
    for edit in edits:
        backup.write_bytes(whole[:-79])
        with closing(sqlite3.connect(backup)) as connection:
            connection.execute(edit)
            connection.commit()
        with backup.open("ab") as file:
            file.write(whole[-79:])
        with pytest.raises(BackupError, match="edited"):
            restore(data, backup)
    assert "restored" not in _events(app)


def test_a_gallery_in_use_is_no_backup(app: Sayso, data: Path, tmp_path: Path) -> None:
    for source in (data / "gallery.sqlite", data / "keyring.sqlite"):
        with pytest.raises(BackupError, match="not made by a backup"):
            restore(data, source)
    with pytest.raises(BackupError, match="cannot be read"):
        restore(data, tmp_path / "missing.backup")
    with pytest.raises(BackupError, match="cannot be read"):
        restore(data, tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BackupError, match="cannot be read"):
        restore(data, tmp_path / "pipe")
    assert "restored" not in _events(app)


def test_a_backup_of_another_gallery_is_refused(
    app: Sayso, data: Path, backup: Path, tmp_path: Path
) -> None:
    with Sayso(tmp_path / "other") as other:
        other.create_collection("theirs")
        other.backup(backup)
    app.close()
    before = _tree(data)
    with pytest.raises(BackupError, match="not of the gallery that this keyring belongs to"):
        restore(data, backup)
    assert _tree(data) == before
    with pytest.raises(KeyringError):
        restore(tmp_path / "empty", backup)
    assert not (tmp_path / "empty").exists()


def test_a_backup_of_another_course_of_the_log_is_refused(
    app: Sayso, data: Path, backup: Path, tmp_path: Path
) -> None:
    app.backup(backup)
    enrol(app, ["dee"], seed=5)
    newer = tmp_path / "newer.backup"
    app.backup(newer)
    app.close()
    _lose(data)
    restore(data, backup)
    with Sayso(data) as found:
        enrol(found, ["eve"], seed=6)
    before = _tree(data)
    with pytest.raises(BackupError, match="not in the log of this gallery") as caught:
        restore(data, newer)
    assert "move gallery.sqlite away" in str(caught.value)
    with Sayso(data) as found:
        assert named(found, templates(3)) == NAMES
    assert before.keys() == _tree(data).keys()
    # What the message advises works.
    _lose(data)
    assert restore(data, newer).subjects == 4


def test_a_damaged_gallery_is_replaced_as_the_message_says(
    app: Sayso, data: Path, backup: Path
) -> None:
    app.backup(backup)
    app.close()
    (data / "gallery.sqlite").write_bytes(b"not at all")
    with pytest.raises(BackupError, match=r"move gallery\.sqlite away"):
        restore(data, backup)
    _lose(data)
    assert restore(data, backup).subjects == 3


def test_a_backup_of_another_form_is_refused(app: Sayso, data: Path, backup: Path) -> None:
    app.backup(backup)
    whole = backup.read_bytes()
    backup.write_bytes(whole[:-79])
    with closing(sqlite3.connect(backup)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0009'")
        connection.commit()
    with backup.open("ab") as file:
        file.write(whole[-79:])
    with pytest.raises(BackupError, match="form 0009"):
        restore(data, backup)


def test_everything_can_be_done_with_what_was_restored(
    app: Sayso, data: Path, backup: Path
) -> None:
    app.backup(backup)
    app.close()
    _lose(data)
    restore(data, backup)
    with Sayso(data) as found:
        assert found.report("club", "ada").subject.name == "ada"
        enrol(found, ["ada", "dee"], seed=9, consent=CONSENT, allow_lookalike=True)
        assert found.subject("club", "ada").faces == 2
        found.erase_subject("club", "bob")
        found.withdraw_consent("club", "cy")
        assert sorted(subject.name for subject in found.subjects("club")) == ["ada", "dee"]
        ids = [face.id for face in found.faces("club", "ada")]
        assert len(set(ids)) == 2
        assert found.audit_verify().ok


def _with_user(app: Sayso, user: str, *others: str) -> None:
    """Make a user of the faces of others, in the gallery of these tests."""
    app.create_user("club", user)
    faces = [face.id for name in others for face in app.faces("club", name)]
    with app._resources.store.write() as change:
        pinned = collections.find(change.connection, "club")
        known = subjects.find(change.connection, change.keyring, pinned, user)
        rows = enrolled.find(change.connection, pinned, faces, purpose=None, now=change.now)
        made = users.find(change.connection, pinned, known)
        users.link(change, made, [row.key for row in rows.values()])


def _users(app: Sayso) -> dict[str, list[str]]:
    """Return the users with the names of those whose faces they have."""
    listed = app.enrolled_faces("club")
    return {
        user.name: sorted(face.subject for face in listed if face.user == user.name)
        for user in app.users("club")
    }


def test_users_come_back_as_they_were(app: Sayso, data: Path, backup: Path) -> None:
    _with_user(app, "ada", "ada", "bob")
    before = app.users("club")
    app.backup(backup)
    _with_user(app, "cy", "cy")
    assert _users(app) == {"ada": ["ada", "bob"], "cy": ["cy"]}
    restore(data, backup)
    assert _users(app) == {"ada": ["ada", "bob"]}
    assert app.users("club") == before
    app.erase_subject("club", "cy")
    app.delete_user("club", "ada")
    app.create_user("club", "bob")  # with a key that none ever had
    assert _users(app) == {"bob": []}


@pytest.mark.parametrize("how", ["erased", "withdrawn", "expired"])
def test_a_user_who_ended_since_takes_no_faces_of_others_along(
    data: Path, backup: Path, how: str
) -> None:
    with Sayso(data) as app:
        app.create_collection("club")
        until = datetime.now(UTC) + timedelta(seconds=2 if how == "expired" else 3600)
        enrol(app, ["bob", "cy"], seed=1)
        enrol(app, ["ada"], consent=Consent([PURPOSE], "form", until=until))
        _with_user(app, "ada", "ada", "bob")
        _with_user(app, "cy", "cy")
        app.backup(backup)
        if how == "erased":
            app.erase_subject("club", "ada")
        elif how == "withdrawn":
            app.withdraw_consent("club", "ada")
        else:
            time.sleep(max(0.0, (until - datetime.now(UTC)).total_seconds()))
    restore(data, backup)
    with Sayso(data) as app:
        assert _users(app) == {"cy": ["cy"]}
        assert sorted(each.subject for each in app.enrolled_faces("club")) == ["bob", "cy"]
        with app._resources.store.read() as connection:
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
            left = connection.exec_driver_sql("SELECT user_key IS NULL FROM faces").scalars().all()
            assert sorted(left) == [0, 1]


def test_a_face_erased_since_is_in_no_fused_template(app: Sayso, data: Path, backup: Path) -> None:
    _with_user(app, "ada", "ada", "bob")
    app.backup(backup)
    app.erase_subject("club", "bob")
    restore(data, backup)
    assert _users(app) == {"ada": ["ada"]}
    with app._resources.store.read() as connection:
        key = connection.exec_driver_sql("SELECT key FROM users").scalar_one()
    fused, _ = app._resources.index.fused_template("club", key, PURPOSE)
    assert np.allclose(fused, templates(1)[0], atol=1e-6)  # type: ignore[arg-type]


def _with_every_right(backup: Path, forged: Path) -> None:
    """Make a copy of a backup in which every access key may do everything."""
    shutil.copy(backup, forged)
    seal = backup.read_bytes()[-79:]
    with closing(sqlite3.connect(forged)) as connection, connection:
        connection.execute("UPDATE access_keys SET actions = '[\"admin\"]', collections = NULL")
    with forged.open("r+b") as file:
        file.seek(0, os.SEEK_END)
        if not forged.read_bytes().endswith(seal):
            file.write(seal)


@pytest.mark.parametrize("first", ["genuine", "forged"])
def test_a_backup_that_is_exchanged_while_it_is_restored_fools_nobody(
    app: Sayso, data: Path, backup: Path, tmp_path: Path, first: str
) -> None:
    made = app.create_key("door", purpose=PURPOSE, actions=["search"])
    app.backup(backup)
    forged, genuine = tmp_path / "forged", tmp_path / "genuine"
    _with_every_right(backup, forged)
    shutil.copy(backup, genuine)
    before, after = (forged, genuine) if first == "forged" else (genuine, forged)
    key = bytes.fromhex(app.audit_head().public_key)
    actions = select(schema.access_keys.c.actions).where(schema.access_keys.c.id == made.key.id)
    before.replace(backup)
    with opened(backup, data) as held:
        # By name, and in the very file that was opened.
        shutil.copy(after, tmp_path / "swapped")
        with backup.open("r+b") as file:
            file.write(after.read_bytes())
        (tmp_path / "swapped").replace(backup)
        if first == "forged":
            with pytest.raises(BackupError, match="damaged or was edited"):
                check(held, backup, key)
        else:
            check(held, backup, key)
            assert "admin" not in held.connection.execute(actions).scalar_one()
    assert not list(data.glob(".restoring-*"))


def _face(app: Sayso, name: str) -> str:
    return next(face.id for face in app.enrolled_faces("club") if face.subject == name)


def test_a_face_that_was_deleted_after_the_backup_does_not_come_back(
    app: Sayso, data: Path, backup: Path
) -> None:
    app.backup(backup)
    face, bob = _face(app, "bob"), app.subject("club", "bob")
    assert app.delete_faces("club", [face]).deleted == (face,)
    for lost in (False, True):
        if lost:
            app.close()
            _lose(data)
        done = restore(data, backup)
        assert (done.subjects, done.faces, done.erased) == (3, 2, 0)
        with Sayso(data) as found:
            assert named(found, templates(3)) == ["ada", None, "cy"]
            assert found.subject("club", "bob").id == bob.id  # who is still there
            assert found.audit_verify().ok


def test_a_face_that_went_with_its_consent_does_not_come_back(
    app: Sayso, data: Path, backup: Path
) -> None:
    app.add_consent("club", "bob", BOTH)
    app.backup(backup)
    face = _face(app, "bob")
    app.withdraw_consent("club", "bob", PURPOSE)
    assert f"{app.subject('club', 'bob').id}/{face}" in app._resources.keyring.ended("face")
    restore(data, backup)
    assert named(app, templates(3), purpose="research") == [None, None, None]


def test_a_gallery_put_back_by_hand_with_a_deleted_face_in_it_is_not_opened(
    app: Sayso, data: Path, tmp_path: Path
) -> None:
    app.close()
    shutil.copy(data / "gallery.sqlite", tmp_path / "old")
    with Sayso(data) as now:
        now.delete_faces("club", [_face(now, "bob")])
    shutil.copy(tmp_path / "old", data / "gallery.sqlite")
    with pytest.raises(StoreUnavailable, match="a face that was deleted is in it"):
        Sayso(data)


def test_what_is_remembered_of_faces_goes_with_their_subject(
    app: Sayso, data: Path, backup: Path
) -> None:
    keyring = app._resources.keyring
    bob = app.subject("club", "bob").id
    app.delete_faces("club", [_face(app, "bob"), _face(app, "cy")])
    app.create_user("club", "bob")
    app.delete_user("club", "bob")
    assert {len(keyring.ended(kind)) for kind in ("face", "user")} == {1, 2}
    app.erase_subject("club", "bob")
    assert not [each for each in keyring.ended("face") if each.startswith(bob)]
    assert len(keyring.ended("face")) == 1
    assert keyring.ended("user") == {}
    assert bob in keyring.ended("subject")


def test_a_face_taken_from_a_user_and_a_user_who_was_deleted_stay_so(
    app: Sayso, data: Path, backup: Path, tmp_path: Path
) -> None:
    for name in ("ada", "cy"):
        app.create_user("club", name)
    wrong, right = _face(app, "bob"), _face(app, "ada")
    app.associate_faces("club", "ada", [wrong, right], min_similarity=0)
    app.backup(backup)
    app.disassociate_faces("club", "ada", [wrong])
    app.delete_user("club", "cy")
    restore(data, backup)
    assert [face.id for face in app.enrolled_faces("club", user="ada")] == [right]
    assert [user.name for user in app.users("club")] == ["ada"]
    # What was made anew before the next backup stands in it.
    app.associate_faces("club", "ada", [wrong], min_similarity=0)
    app.create_user("club", "cy")
    newer = tmp_path / "newer.backup"
    app.backup(newer)
    restore(data, newer)
    assert len(app.enrolled_faces("club", user="ada")) == 2
    assert len(app.users("club")) == 2
    # And ended once more, it does not come back from there, either.
    app.disassociate_faces("club", "ada", [wrong])
    restore(data, newer)
    assert [face.id for face in app.enrolled_faces("club", user="ada")] == [right]
