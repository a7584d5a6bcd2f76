"""Files that are pulled from under a process, and disks that are full."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sayso.core import Sayso, restore
from sayso.errors import BackupError, KeyringUnavailable, MasterKeyMissing, StoreUnavailable
from sayso.inuse import InUse, Use, alone
from sayso.reserve import FILE, SIZE, Reserves
from sayso.settings import Settings
from tests.gallery.synthetic import enrol, named, templates

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def app(data: Path) -> Iterator[Sayso]:
    with Sayso(data) as app:
        app.create_collection("club")
        enrol(app, ["ada", "bob"])
        yield app


def _away(data: Path, *patterns: str) -> dict[Path, Path]:
    """Move files of a gallery away, and return where each is now."""
    aside = data.parent / "aside"
    aside.mkdir()
    files = [file for pattern in patterns for file in data.glob(pattern)]
    assert files
    return {file: file.rename(aside / file.name) for file in files}


PULLS: dict[str, Callable[[Path], object]] = {
    "the gallery": lambda data: _away(data, "gallery.sqlite*"),
    "its file": lambda data: _away(data, "gallery.sqlite"),
    "its log": lambda data: _away(data, "gallery.sqlite-wal"),
    "its index of the log": lambda data: _away(data, "gallery.sqlite-shm"),
    "the keyring": lambda data: _away(data, "keyring.sqlite*"),
    "the folder": lambda data: data.rename(data.with_name("elsewhere")),
    "everything": shutil.rmtree,
    "another in its place": lambda data: (
        shutil.copy(shutil.copy(data / "gallery.sqlite", data / "copy"), data.parent / "copy")
        and (data / "copy").replace(data / "gallery.sqlite")
    ),
}


@pytest.mark.parametrize("pulled", PULLS)
def test_nothing_is_acknowledged_into_files_that_are_lost(
    app: Sayso, data: Path, pulled: str
) -> None:
    PULLS[pulled](data)
    for call in (
        lambda: enrol(app, ["cy"], seed=9),
        lambda: named(app, templates(2)),
        lambda: app.erase_subject("club", "ada"),
        app.collections,
    ):
        with pytest.raises((StoreUnavailable, KeyringUnavailable), match="stop every process"):
            call()


def test_files_that_are_put_back_are_used_again(app: Sayso, data: Path) -> None:
    moved = _away(data, "gallery.sqlite*")
    with pytest.raises(StoreUnavailable, match=r"gallery\.sqlite was moved"):
        app.collections()
    for place, now in moved.items():
        now.rename(place)
    assert named(app, templates(2)) == ["ada", "bob"]
    assert app.audit_verify().ok


def test_a_lost_gallery_is_not_restored_under_a_process_that_has_it_open(
    app: Sayso, data: Path, tmp_path: Path
) -> None:
    app.backup(tmp_path / "b.backup")
    _away(data, "gallery.sqlite*")
    with pytest.raises(BackupError, match=r"still runs.*stop every process"):
        restore(data, tmp_path / "b.backup")
    assert not (data / "gallery.sqlite").exists()
    app.close()
    assert restore(data, tmp_path / "b.backup").subjects == 2


def test_a_folder_is_used_by_many_or_replaced_by_one(tmp_path: Path) -> None:
    one, two = Use(tmp_path, 0), Use(tmp_path, 0)
    one.end()
    with pytest.raises(InUse), alone(tmp_path):
        pass
    two.end()
    two.end()
    with alone(tmp_path), pytest.raises(InUse):
        Use(tmp_path, 0.1)
    # One that was deleted meanwhile keeps nobody out.
    three = Use(tmp_path, 0)
    (tmp_path / "in-use.lock").unlink()
    with alone(tmp_path):
        pass
    three.end()


def test_it_is_not_ready_while_a_key_or_the_store_is_lost(data_dir: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Sayso(data, settings=Settings(data=data_dir)) as app:
        app.create_collection("club")
        enrol(app, ["ada"])
        events = app.audit_head().number
        app.ready()
        assert app.index_size() == 1  # loaded before anybody asks
        app.ready()
        assert app.audit_head().number == events + 1  # of the head; being asked leaves no entry
        key = data / "master.key"
        key.rename(tmp_path / "key")
        with pytest.raises(MasterKeyMissing):
            app.ready()
        (tmp_path / "key").rename(key)
        app.ready()
        _away(data, "gallery.sqlite*")
        with pytest.raises(StoreUnavailable, match="stop every process"):
            app.ready()


def test_the_reserve_is_given_back_where_there_is_no_room_and_taken_again(tmp_path: Path) -> None:
    reserves, file = Reserves(tmp_path, tmp_path), tmp_path / FILE
    reserves.tend()
    assert file.stat().st_size == SIZE
    assert file.stat().st_blocks * 512 >= SIZE
    with reserves.lent():
        assert file.stat().st_size == SIZE  # there is room
    reserves.noticed_full()
    with reserves.lent():
        assert file.stat().st_size == 0
        assert not reserves.room()  # not while it is in use
        assert not Reserves(tmp_path).room()
    assert reserves.room()
    assert file.stat().st_size == SIZE


_FULL_DISK = """
    import os, sys
    from pathlib import Path
    import pytest
    from sayso.core import Sayso, restore
    from sayso.errors import KeyringUnavailable, StoreUnavailable
    from sayso.reserve import FILE, SIZE
    from tests.gallery.synthetic import enrol, named, templates

    disk, keys, other = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
    FULL = "the disk is full"

    def fill(disk):
        with (disk / "junk").open("ab", buffering=0) as junk:
            for size in (1 << 16, 4096, 512, 1):
                try:
                    while True:
                        junk.write(bytes(size))
                except OSError:
                    pass

    app = Sayso(disk / "data")
    app.create_collection("club")
    names = [f"s{i}" for i in range(40)]
    enrol(app, names)
    app.close()
    with Sayso(disk / "data") as app:
        key = app.create_key("door", purpose="door", actions=["search"]).key.id
        enrol(app, ["late"], seed=99)
        [face] = [each.id for each in app.enrolled_faces("club") if each.subject == "s39"]
        fill(other or disk)
        fill(disk)
        fill(keys)
        refused = 0
        for number in range(200):  # what is left of the log is used up first
            try:
                enrol(app, [f"n{number}"], seed=1000 + number)
            except (StoreUnavailable, KeyringUnavailable) as error:
                assert FULL in str(error), error
                refused += 1
            if refused == 3:
                break
        assert refused == 3
        app._resources.analyzer = lambda: type("", (), {"load": lambda self: None})()
        with pytest.raises((StoreUnavailable, KeyringUnavailable), match=FULL):
            app.ready()
        for name in names[:20]:
            app.erase_subject("club", name)
        assert app.delete_faces("club", [face]) is not None
        app.withdraw_consent("club", names[20])
        app.revoke_key(key)
        with pytest.raises((StoreUnavailable, KeyringUnavailable), match=FULL):
            app.ready()
    # Nor does a process that only begins now need more.
    with Sayso(disk / "data") as app:
        app.erase_subject("club", names[21])
        for place in (disk, keys):
            (place / "junk").unlink(missing_ok=True)
        app._resources.analyzer = lambda: type("", (), {"load": lambda self: None})()
        app.ready()
        assert (disk / "data" / FILE).stat().st_size == SIZE
        assert app.audit_verify().ok
        found = named(app, templates(40))
        assert not any(found[:22]), found
        assert found[22:] == [*names[22:39], None]
    print("done")
"""


@pytest.mark.parametrize("apart", [False, True], ids=["one disk", "keyring on another"])
def test_on_a_full_disk_people_are_erased_and_nothing_else_is_done(
    tmp_path: Path, apart: bool
) -> None:
    disk, keys = tmp_path / "disk", tmp_path / "keys"
    for each in (disk, keys):
        each.mkdir()
    mounts = f"mount -t tmpfs -o size=24m tmpfs {disk} && mount -t tmpfs -o size=12m tmpfs {keys}"
    if (
        os.geteuid()
        or subprocess.run(
            ["unshare", "-m", "sh", "-c", mounts], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("a file system of its own takes root and the right to mount")
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(_FULL_DISK))
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    if apart:
        environment["SAYSO_KEYRING_DIR"] = str(keys)
    done = subprocess.run(
        [
            "unshare",
            "-m",
            "sh",
            "-c",
            f"{mounts} && exec {sys.executable} {script} {disk} {keys} {disk}",
        ],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == "done\n"
