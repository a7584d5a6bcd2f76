from __future__ import annotations

import os
import random
import shutil
import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from sayso.core import Sayso
from sayso.errors import SaysoError, StoreUnavailable
from sayso.gallery import collections
from sayso.gallery.opening import open_gallery
from sayso.gallery.store import Store, current_sequence
from sayso.settings import Settings
from tests.gallery.synthetic import CONSENT, VERSION, named, templates


def test_folder_and_file_are_for_their_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    with Sayso(folder) as app:
        app.create_collection("club")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        for file in folder.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Store]:
    """A store of its own, in ``tmp_path``."""
    store, keyring = open_gallery(tmp_path, Settings())
    yield store
    store.close()
    keyring.close()


def test_commits_are_synced_and_deletions_overwritten(opened: Store) -> None:
    store = opened
    with store.read() as connection:
        pragma = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        }
    assert pragma == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "secure_delete": 1,
    }


def test_a_change_that_fails_leaves_nothing(opened: Store) -> None:
    store = opened

    def fail() -> None:
        with store.write() as change:
            collections.create(change, "club")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with store.read() as connection:
        assert collections.describe_all(connection) == ()
        assert current_sequence(connection) == 0


def test_a_reader_sees_one_state(opened: Store) -> None:
    store = opened
    with store.read() as connection:
        before = current_sequence(connection)
        with store.write() as change:
            collections.create(change, "club")
        assert current_sequence(connection) == before
        assert collections.describe_all(connection) == ()
    with store.read() as connection:
        assert current_sequence(connection) == before + 1


def test_threads_take_turns_to_write(tmp_path: Path) -> None:
    with Sayso(tmp_path) as app:
        threads = [
            threading.Thread(target=app.create_collection, args=(f"c{i}",)) for i in range(24)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(app.collections()) == 24


def test_a_lock_held_by_another_process_too_long_is_told(tmp_path: Path, opened: Store) -> None:
    other = sqlite3.connect(tmp_path / "gallery.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store = Store(tmp_path, opened.keyring, busy_timeout=0.2)
    with pytest.raises(StoreUnavailable, match="locked for too long"), store.write():
        pass
    other.execute("ROLLBACK")
    other.close()
    with store.write() as change:
        assert change.sequence == 1
    store.close()


@pytest.mark.parametrize("content", [b"", b"x", b"SQLite format 2\0", bytes(4096)])
def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "gallery.sqlite"
    file.write_bytes(content)
    with pytest.raises(StoreUnavailable, match=r"gallery\.sqlite"):
        Sayso(tmp_path)
    assert file.read_bytes() == content


def test_somebody_elses_database_is_refused(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "gallery.sqlite")
    other.execute("CREATE TABLE recipes (name TEXT)")
    other.commit()
    other.close()
    with pytest.raises(StoreUnavailable, match="not one of Sayso's"):
        Sayso(tmp_path)


def test_a_newer_database_is_refused(tmp_path: Path, opened: Store) -> None:
    with opened.write() as change:
        change.connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreUnavailable, match=r"9999.*newer Sayso.*Upgrade"):
        Sayso(tmp_path)


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(StoreUnavailable):
        Sayso(file)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreUnavailable):
        Sayso(tmp_path)


def test_a_killed_first_start_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "gallery.new").write_bytes(b"half a database")
    (tmp_path / "gallery.new-journal").write_bytes(b"half a journal")
    with Sayso(tmp_path) as app:
        app.create_collection("club")
    assert not list(tmp_path.glob("*.new*"))


def test_a_damaged_database_gives_errors_of_ours_only(tmp_path: Path) -> None:
    good = tmp_path / "good"
    with Sayso(good) as app:
        app.create_collection("club")
        probes = templates(20)
        names = [f"s{i}" for i in range(20)]
        app.enroll_templates(
            "club", subjects=names, templates=probes, consent=CONSENT, version=VERSION
        )
    content = (good / "gallery.sqlite").read_bytes()
    chance = random.Random(7)
    refused = 0
    for number in range(40):
        folder = tmp_path / str(number)
        folder.mkdir()
        broken = bytearray(content)
        if number % 4 == 0:
            del broken[chance.randrange(len(broken)) :]
        else:
            at = chance.randrange(len(broken) - 600)
            broken[at : at + 600] = chance.randbytes(600)
        (folder / "gallery.sqlite").write_bytes(broken)
        for name in ("keyring.sqlite", "master.key"):
            shutil.copy(good / name, folder)
        try:
            with Sayso(folder) as app:
                named(app, probes)
                app.subjects("club")
                app.consents("club", "s1")
                app.erase_subject("club", "s2")
                app.delete_collection("club", erase_subjects=True)
        except SaysoError:
            refused += 1
        shutil.rmtree(folder)
    assert refused > 10
