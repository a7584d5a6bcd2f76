"""Backups: whole, of one moment, without a readable word, and never beside their keys."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from sayso.audit.verification import verify
from sayso.core import Sayso
from sayso.core.restoring import check
from sayso.errors import BackupError, KeyringError
from sayso.gallery.restorable import check_seal, opened
from sayso.results import Consent, EvidenceFile
from tests.gallery.synthetic import PURPOSE, enrol, named


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "kept").mkdir()
    return tmp_path / "kept" / "monday.backup"


def _check(target: Path, app: Sayso) -> None:
    with opened(target) as held:
        check_seal(held, target, _public_key(app))


def _names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def _public_key(app: Sayso) -> bytes:
    return bytes.fromhex(app.audit_head().public_key)


def test_a_backup_says_what_it_holds(app: Sayso, target: Path) -> None:
    enrol(app, ["ada", "bob", "cy"])
    made = app.backup(target)
    assert (made.subjects, made.faces, made.bytes) == (3, 3, target.stat().st_size)
    with opened(target) as held:
        found = check(held, target, _public_key(app))
        assert found.events == made.events
        assert verify(held.connection, _public_key(app)).ok
    # Only its owner may read it, and nothing is left beside it.
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert _names(target.parent) == [target.name]


def test_a_name_may_have_any_sign_that_is_text(app: Sayso, target: Path) -> None:
    odd = target.with_name("100 %? #1 'größe'.backup")
    app.backup(odd)
    with opened(odd) as held:
        assert check(held, odd, _public_key(app)).events
    with pytest.raises(BackupError, match="UTF-8"):
        app.backup(target.with_name("\udcff.backup"))
    assert _names(target.parent) == [odd.name]


def test_a_backup_sweeps_up_after_one_that_was_killed(app: Sayso, target: Path) -> None:
    odd = target.with_name("[monday].backup")
    for end in ("abc", "abc-journal"):
        target.with_name(f".[monday].backup.new-{end}").write_bytes(b"templates")
    target.with_name(".monday.backup.new-abc").write_bytes(b"of another one")
    app.backup(odd)
    assert _names(target.parent) == [".monday.backup.new-abc", odd.name]


def test_backups_of_a_gallery_are_written_one_after_the_other(app: Sayso, target: Path) -> None:
    """So that none sweeps up what another one is writing."""
    targets = [target] * 4 + [target.with_name(f"{number}") for number in range(2)]
    with ThreadPoolExecutor(len(targets)) as pool:
        made = list(pool.map(app.backup, targets))
    assert [each.subjects for each in made] == [0] * len(targets)
    for each in set(targets):
        _check(each, app)
    assert _names(target.parent) == sorted({each.name for each in targets})


def test_a_backup_replaces_an_older_one_also_through_a_link(app: Sayso, target: Path) -> None:
    app.backup(target)
    older = target.read_bytes()
    link = target.with_name("latest")
    link.symlink_to(target)
    enrol(app, ["ada"])
    app.backup(link)
    assert link.is_symlink()
    assert target.read_bytes() != older
    assert _names(target.parent) == ["latest", target.name]


def test_a_backup_holds_neither_template_nor_evidence_nor_name(app: Sayso, target: Path) -> None:
    document = EvidenceFile("lovelace-form.pdf", hashlib.sha256(b"form").hexdigest())
    probes = enrol(app, ["ada-lovelace"], consent=Consent([PURPOSE], "signed by Ada Lovelace"))
    app.add_consent("club", "ada-lovelace", Consent([PURPOSE], document))
    app.create_key("desk", purpose=PURPOSE, actions=["search"])
    secret = app.create_key("door", purpose=PURPOSE, actions=["search"]).secret
    app.backup(target)
    raw = target.read_bytes()
    # Any run of four numbers, in any layout, would do to find the template by.
    layouts = ("<f4", ">f4", "<f8", ">f8", "<f2", ">f2")
    for layout in layouts:
        plain = probes[0].astype(layout)
        runs = {plain[at : at + 4].tobytes() for at in range(len(plain) - 3)}
        assert not [run for run in runs if run in raw]
    texts = [json.dumps(probes[0].tolist()), repr(probes[0].tolist()), str(probes[0].tolist())]
    texts += [" ".join(map(str, probes[0])), ",".join(f"{each:.6f}" for each in probes[0])]
    needles = [text.encode()[:24] for text in texts]
    needles += [b"lovelace", b"signed by", b"form.pdf"]
    needles += [document.sha256.encode(), bytes.fromhex(document.sha256), secret.encode()]
    for needle in needles:
        assert needle.lower() not in raw.lower()
    # What was looked through is the backup of these people all the same.
    with closing(sqlite3.connect(target)) as connection:
        assert connection.execute("SELECT count(*) FROM faces").fetchone() == (1,)


def test_a_backup_is_of_one_moment_while_others_enrol_and_search(app: Sayso, target: Path) -> None:
    stop, problems = threading.Event(), []

    def work(seed: int) -> None:
        number = 0
        try:
            while not stop.is_set():
                # Two people at once, or none of them.
                seeds = seed + number
                probes = enrol(app, [f"{seed}-{number}-a", f"{seed}-{number}-b"], seed=seeds)
                assert named(app, probes) == [f"{seed}-{number}-a", f"{seed}-{number}-b"]
                number += 1
        except Exception as error:  # noqa: BLE001 - told by the test
            problems.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (10_000, 20_000)]
    for thread in threads:
        thread.start()
    try:
        sizes = []
        for _ in range(12):
            made = app.backup(target)
            sizes.append(made.subjects)
            assert made.subjects == made.faces
            assert made.subjects % 2 == 0
            with opened(target) as held:
                source = check(held, target, _public_key(app))
                counted = held.connection.exec_driver_sql(
                    "SELECT (SELECT count(*) FROM subjects), (SELECT count(*) FROM faces), "
                    "(SELECT count(*) FROM consents), (SELECT count(*) FROM audit)"
                ).one()
                bulk = held.connection.exec_driver_sql(
                    "SELECT count(*) FROM audit WHERE kind = 'templates-enrolled'"
                ).scalar_one()
            assert tuple(counted) == (made.subjects,) * 3 + (made.events,)
            assert bulk * 2 == made.subjects
            assert source.events == made.events
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not problems
    assert sizes[0] < sizes[-1]


def test_it_does_not_go_where_the_gallery_is(app: Sayso, tmp_path: Path) -> None:
    data = tmp_path / "data"
    before = {file.name: file.stat().st_ino for file in data.iterdir()}
    link = tmp_path / "innocent"
    link.symlink_to(data / "gallery.sqlite")
    names = ["gallery.sqlite", "gallery.sqlite-wal", "gallery.lock", "master.key"]
    names += ["keyring.sqlite", "keyring.sqlite-wal", "keyring.lock"]
    for target in [data / name for name in names] + [data / ".." / "data" / "master.key", link]:
        with pytest.raises(BackupError) as caught:
            app.backup(target)
        assert repr(str(target)) in str(caught.value)
    assert {file.name: file.stat().st_ino for file in data.iterdir()} == before


def test_it_does_not_go_over_another_gallery_in_use(app: Sayso, tmp_path: Path) -> None:
    with Sayso(tmp_path / "other") as other:
        other.create_collection("theirs")
        with pytest.raises(BackupError, match="in use"):
            app.backup(tmp_path / "other" / "gallery.sqlite")
        assert other.collection("theirs").subjects == 0


def test_a_target_that_cannot_be_is_told(app: Sayso, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(BackupError, match="no folder"):
        app.backup(tmp_path / "nowhere" / "b.backup")
    with pytest.raises(BackupError, match="name a file"):
        app.backup(tmp_path / "folder")
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(BackupError):
        app.backup(loop)
    kinds = [entry.event.kind for entry in app.audit_entries()]
    assert "backup-made" not in kinds


_ON_A_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from sayso.core import Sayso
with Sayso(Path(sys.argv[1])) as app:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    app.backup(Path(sys.argv[2]))
"""


def test_a_backup_that_does_not_fit_leaves_what_was_there(tmp_path: Path, target: Path) -> None:
    folder = tmp_path / "large"
    with Sayso(folder) as app:  # closed, so that its write-ahead log begins anew below the limit
        app.create_collection("club")
        app.backup(target)
        before = target.read_bytes()
        enrol(app, [f"s{i}" for i in range(300)])
    done = subprocess.run(
        [sys.executable, "-c", _ON_A_FULL_DISK, str(folder), str(target)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "BackupError" in done.stderr
    assert f"the backup {str(target)!r} cannot be written" in done.stderr.splitlines()[-1]
    assert ".new-" not in done.stderr.splitlines()[-1]
    assert target.read_bytes() == before
    assert _names(target.parent) == [target.name]


@pytest.mark.parametrize("spelling", ["plain", "dots", "link"])
def test_a_backup_and_its_keys_are_kept_apart(app: Sayso, target: Path, spelling: str) -> None:
    folder = target.parent
    (folder / "deeper").mkdir()
    alias = folder.with_name("alias")
    alias.symlink_to(folder)
    copy = {"plain": folder, "dots": folder / "deeper" / "..", "link": alias}[spelling] / "keys"
    with pytest.raises(BackupError, match="kept apart") as caught:
        app.backup(target, keyring=copy)
    assert repr(str(copy)) in str(caught.value)
    assert not target.exists()
    assert not copy.exists()


def test_the_keyring_is_copied_to_its_own_place(app: Sayso, target: Path, tmp_path: Path) -> None:
    (tmp_path / "safe").mkdir()
    enrol(app, ["ada"])
    app.backup(target, keyring=tmp_path / "safe" / "keys")
    assert (tmp_path / "safe" / "keys").read_bytes().startswith(b"SQLite format 3\x00")
    with pytest.raises((BackupError, KeyringError)):
        app.backup(target, keyring=tmp_path / "data" / "gallery.sqlite")
    assert app.subject("club", "ada").faces == 1


def test_every_change_of_a_backup_shows(app: Sayso, target: Path) -> None:
    enrol(app, ["ada", "bob"])
    app.backup(target)
    whole = target.read_bytes()
    _check(target, app)
    random = np.random.default_rng(4)
    for at in random.integers(0, len(whole), 100).tolist():
        changed = bytearray(whole)
        changed[at] ^= 1 << int(random.integers(8))
        target.write_bytes(changed)
        with pytest.raises(BackupError), opened(target) as held:
            check(held, target, _public_key(app))
    for size in (0, 15, 100, len(whole) // 2, len(whole) - 79, len(whole) - 64, len(whole) - 1):
        target.write_bytes(whole[:size])
        with pytest.raises(BackupError), opened(target):
            pass
    target.write_bytes(whole)
    with opened(target) as held:
        assert check(held, target, _public_key(app)).path == target


def test_what_is_read_of_a_backup_changes_nothing(app: Sayso, target: Path) -> None:
    enrol(app, ["ada"])
    app.backup(target)
    whole = target.read_bytes()
    target.chmod(0o400)
    with opened(target) as held:
        check(held, target, _public_key(app))
        with pytest.raises(sqlite3.OperationalError):
            held.connection.connection.cursor().execute("DELETE FROM faces")
    assert target.read_bytes() == whole
    assert _names(target.parent) == [target.name]


def test_what_was_erased_before_is_not_in_the_free_pages_of_a_backup(
    app: Sayso, target: Path
) -> None:
    names = [f"s{i}" for i in range(100)]
    enrol(app, names)
    app.backup(target)
    with closing(sqlite3.connect(target)) as connection:
        sealed = connection.execute("SELECT template FROM faces").fetchall()
    assert len(sealed) == 100
    for name in names:
        app.erase_subject("club", name)
    app.backup(target)
    raw = target.read_bytes()
    assert not [each for (each,) in sealed if each in raw]
    with closing(sqlite3.connect(target)) as connection:
        assert connection.execute("PRAGMA freelist_count").fetchone() == (0,)
