"""Backups and restorations among processes that work, and some that are killed."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import sayso
from sayso.audit.events import BackupMade, Restored
from sayso.callers import Caller
from sayso.core import Sayso, restore
from sayso.errors import AccessDenied, BackupError
from tests.gallery.synthetic import PURPOSE, enrol, named, templates

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parent.parent
MANY = 1500

_PRELUDE = """
import json, sys
from pathlib import Path
from sayso.core import Sayso, restore
from tests.gallery.synthetic import enrol, named, templates
"""

_SEARCHER = (
    _PRELUDE
    + """
app = Sayso(Path(sys.argv[1]))
for line in sys.stdin:
    print(json.dumps(named(app, templates(4))), flush=True)
"""
)

_ENROLLER = (
    _PRELUDE
    + """
app = Sayso(Path(sys.argv[1]))
for number in range(10_000):
    enrol(app, [f"x{number}"], seed=1000 + number)
    print(number, flush=True)
"""
)

_RESTORER = (
    _PRELUDE
    + """
import os, signal
folder, backup, kill_at = sys.argv[1:4]
seen = 0
def watch(event, arguments):
    # Python tells its audit hooks of each of these before it happens.
    global seen
    about = str(arguments[0]) if arguments else ""
    if event in ("sqlite3.connect", "os.mkdir", "os.rename", "os.remove", "os.rmdir"):
        if about.startswith(folder):
            seen += 1
            if seen == int(kill_at):
                os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
print("begins", flush=True)
print(restore(folder, backup).subjects, flush=True)
"""
)


def _start(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _ask(process: subprocess.Popen[str]) -> Any:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


class Prepared:
    """A gallery of many, closed, that changed since its backup, and what is in either."""

    before: tuple[int, list[str | None]] = (MANY, ["s0", None, "s2", "new"])
    after: tuple[int, list[str | None]] = (MANY - 1, ["s0", None, "s2", None])

    def __init__(self, folder: Path) -> None:
        self.data, self.backup = folder / "data", folder / "monday.backup"
        names = [f"s{i}" for i in range(MANY)]
        with Sayso(self.data) as app:
            app.create_collection("club")
            enrol(app, names)
            app.backup(self.backup)
            app.erase_subject("club", "s1")
            enrol(app, ["new"], seed=77)
            self.head = app.audit_head()

    def copied(self, folder: Path, *, lost: bool = False) -> Path:
        shutil.copytree(self.data, folder)
        if lost:
            (folder / "gallery.sqlite").unlink()
        return folder


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return Prepared(tmp_path_factory.mktemp("prepared"))


def _state(folder: Path) -> tuple[int, list[str | None]]:
    with Sayso(folder) as app:
        found = app.collection("club")
        assert found.subjects == found.faces
        people = named(app, templates(3)) + named(app, templates(1, 77))
        assert app.audit_verify().ok
        # Whoever is there can be read: nobody lacks a key.
        assert len(app.subjects("club", limit=10)) == 10
    return found.subjects, people


def test_a_backup_and_a_restoration_are_on_record(tmp_path: Path) -> None:
    with Sayso(tmp_path / "data", actor="night") as app:
        made = app.backup(tmp_path / "b.backup")
        # The first entry of all, and the backup's own, which it holds.
        assert made.events == 2
        sayso.restore(tmp_path / "data", tmp_path / "b.backup", actor="day")
        backup, restored = app.audit_entries(after=1, limit=2)
        assert (backup.actor, restored.actor) == ("night", "day")
        assert backup.event == BackupMade(events=1)
        assert restored.event == Restored(events=2, subjects=0, erased=0)


def test_only_who_may_admin_makes_a_backup(tmp_path: Path) -> None:
    with Sayso(tmp_path / "data") as app:
        other = app.acting_as(Caller("desk", PURPOSE, frozenset({"search", "erase"})))
        with pytest.raises(AccessDenied):
            other.backup(tmp_path / "b.backup")
        assert not (tmp_path / "b.backup").exists()
        assert "call-refused" in [entry.event.kind for entry in app.audit_entries()]


def test_backups_while_another_process_enrols_are_whole(tmp_path: Path) -> None:
    data, backup = tmp_path / "data", tmp_path / "b.backup"
    with Sayso(data) as app:
        app.create_collection("club")
        with _start(_ENROLLER, data) as enroller:
            assert enroller.stdout is not None
            enroller.stdout.readline()
            backups = []
            for number in range(4):
                kept = tmp_path / f"{number}.backup"
                backups.append((kept, app.backup(kept).subjects))
                time.sleep(0.1)
            enroller.kill()
            acknowledged = 1 + len(enroller.stdout.readlines())
        assert backups[0][1] < backups[-1][1] <= acknowledged + 1
        app.backup(backup)
        restored = []
        for kept, subjects in backups:
            folder = tmp_path / f"from-{kept.stem}"
            folder.mkdir()
            for file in ("keyring.sqlite", "master.key"):
                shutil.copy(data / file, folder / file)
            app.copy_keyring(folder / "keys")
            (folder / "keys").rename(folder / "keyring.sqlite")
            restored.append((restore(folder, kept).subjects, subjects))
            with Sayso(folder) as copy:
                assert named(copy, templates(1, 1000)) == ["x0"]
                assert copy.audit_verify().ok
        assert all(found == subjects for found, subjects in restored)


def test_another_process_answers_from_what_was_restored(prepared: Prepared, tmp_path: Path) -> None:
    data = prepared.copied(tmp_path / "data")
    with _start(_SEARCHER, data) as searcher:
        old, new = ["s0", None, "s2", "s3"], ["s0", None, "s2", "s3"]
        assert _ask(searcher) == old
        with Sayso(data) as app:
            app.erase_subject("club", "s2")
            assert _ask(searcher) == ["s0", None, None, "s3"]
        old[2] = new[2] = None
        assert restore(data, prepared.backup).erased == 2
        assert _ask(searcher) == new
        with Sayso(data) as app:
            app.erase_subject("club", "s3")
            enrol(app, ["late"], seed=500)
            assert named(app, templates(1, 500)) == ["late"]
        assert _ask(searcher) == ["s0", None, None, None]
        searcher.communicate()


def test_another_process_sees_the_old_or_the_new_whole(prepared: Prepared, tmp_path: Path) -> None:
    data = prepared.copied(tmp_path / "data")
    older = tmp_path / "older.backup"
    with Sayso(data) as app:
        app.backup(older)
        for name in ("s0", "s3"):  # so that the answer tells the two states apart
            app.withdraw_consent("club", name)
        enrol(app, ["zoe"], seed=0, allow_lookalike=True)
    # Now the first template is zoe's; the backup, without s0 and s3, knows it for nobody.
    old, new = ["zoe", None, "s2", None], [None, None, "s2", None]
    answers = []
    with _start(_SEARCHER, data) as searcher:
        assert _ask(searcher) == old
        with _start(_RESTORER, data, older, 0) as restorer:
            assert restorer.stdout is not None
            assert restorer.stdout.readline() == "begins\n"
            while restorer.poll() is None:
                answers.append(_ask(searcher))
            assert restorer.stdout.readline() == f"{MANY - 2}\n"
        answers.append(_ask(searcher))
        searcher.communicate()
    assert answers[-1] == new
    turn = answers.index(new)
    assert turn > 0
    assert answers == [old] * turn + [new] * (len(answers) - turn)


@pytest.mark.parametrize("lost", [False, True], ids=["replaced", "lost"])
def test_whenever_a_restoration_is_killed_the_old_or_the_new_is_whole(
    prepared: Prepared, tmp_path: Path, lost: bool
) -> None:
    """By the clock, since most of it is one transaction, where nothing else tells the time."""
    folder = prepared.copied(tmp_path / "measured", lost=lost)
    with _start(_RESTORER, folder, prepared.backup, 0) as restorer:
        assert restorer.stdout is not None
        restorer.stdout.readline()
        begun = time.monotonic()
        assert restorer.wait() == 0
        duration = time.monotonic() - begun
    moments = random.Random(8)
    outcomes = set()
    for number in range(6):
        folder = prepared.copied(tmp_path / str(number), lost=lost)
        with _start(_RESTORER, folder, prepared.backup, 0) as restorer:
            assert restorer.stdout is not None
            restorer.stdout.readline()
            time.sleep(duration * (number + moments.random()) / 6)
            restorer.send_signal(signal.SIGKILL)
            done = bool(restorer.stdout.read())
        outcomes.add(_check_killed(prepared, folder, lost=lost, done=done))
    assert "old" in outcomes


@pytest.mark.parametrize("lost", [False, True], ids=["replaced", "lost"])
def test_killed_at_each_of_its_files_a_restoration_leaves_the_old_or_the_new(
    prepared: Prepared, tmp_path: Path, lost: bool
) -> None:
    outcomes = []
    for step in range(1, 60):
        folder = prepared.copied(tmp_path / str(step), lost=lost)
        with _start(_RESTORER, folder, prepared.backup, step) as restorer:
            restorer.communicate()
        outcomes.append(_check_killed(prepared, folder, lost=lost, done=not restorer.returncode))
        shutil.rmtree(folder)
        if restorer.returncode == 0:
            break
        assert restorer.returncode == -signal.SIGKILL
    else:
        pytest.fail("it never ended")
    assert outcomes[0] == "old"
    assert outcomes[-1] == "new"
    assert outcomes == sorted(outcomes, reverse=True)  # and never back


def _check_killed(prepared: Prepared, folder: Path, *, lost: bool, done: bool) -> str:
    """Check what is left, and that restoring again ends it; tell which it was."""
    if lost and not (folder / "gallery.sqlite").exists():
        outcome = "old"
    else:
        state = _state(folder)
        assert state in ((prepared.after,) if lost else (prepared.before, prepared.after))
        outcome = "new" if state == prepared.after else "old"
    assert outcome == "new" or not done
    restore(folder, prepared.backup)
    assert _state(folder) == prepared.after
    assert not [file for file in folder.iterdir() if file.name.startswith(".restoring-")]
    if not lost:
        with Sayso(folder) as app:
            assert app.audit_verify(prepared.head).ok
    return outcome


def test_no_two_restorations_of_a_lost_gallery_meet(prepared: Prepared, tmp_path: Path) -> None:
    data = prepared.copied(tmp_path / "data", lost=True)
    both = [_start(_RESTORER, data, prepared.backup, 0) for _ in range(2)]
    outputs = [process.communicate()[0] for process in both]
    assert f"begins\n{MANY - 1}\n" in outputs
    assert _state(data) == prepared.after


def test_a_log_that_was_tampered_with_is_not_gone_on_with(
    prepared: Prepared, tmp_path: Path
) -> None:
    data = prepared.copied(tmp_path / "data")
    with Sayso(data) as app, app._resources.store.write() as change:
        change.connection.exec_driver_sql(
            "UPDATE audit SET signature = zeroblob(64) WHERE number = (SELECT events FROM state)"
        )
    with pytest.raises(BackupError, match="audit log is damaged"):
        restore(data, prepared.backup)
    for file in data.glob("gallery.sqlite*"):
        file.unlink()
    restore(data, prepared.backup)
    assert _state(data) == prepared.after
