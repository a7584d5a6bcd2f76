"""A standby: a gallery that only ever restored follows another by its backups."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sayso.core import Sayso, restore
from sayso.errors import BackupError, KeyringError, NameConflict, SubjectNotFound
from sayso.keyring.store import Keyring
from sayso.results import Consent, Restoration
from tests.gallery.synthetic import PURPOSE, VERSION, enrol, named, templates


@dataclass
class Pair:
    """A primary that is open, and the folder of its standby."""

    primary: Sayso
    folder: Path
    standby: Path
    copies: int = 0

    def copy(self) -> tuple[Path, Path]:
        """Make a backup and a copy of the keyring."""
        self.copies += 1
        backup = self.folder / f"{self.copies}.backup"
        keys = self.folder / "keys"
        keys.mkdir(exist_ok=True)
        keyring = keys / f"{self.copies}.sqlite"
        self.primary.backup(backup, keyring=keyring)
        return backup, keyring

    def follow(self) -> Restoration:
        backup, keyring = self.copy()
        return restore(self.standby, backup, keyring=keyring)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with Sayso(tmp_path / "primary") as primary:
        primary.create_collection("club")
        enrol(primary, ["ada", "bob", "cy"])
        standby = tmp_path / "standby"
        standby.mkdir()
        shutil.copy(tmp_path / "primary" / "master.key", standby)
        yield Pair(primary, tmp_path, standby)


def _found(folder: Path, count: int = 5) -> list[str | None]:
    with Sayso(folder) as app:
        assert app.audit_verify().ok
        return named(app, templates(count))


def test_each_backup_of_the_primary_takes_the_place_of_the_last(pair: Pair) -> None:
    assert pair.follow().subjects == 3
    enrol(pair.primary, ["ada", "bob", "cy", "dee"], allow_lookalike=True)
    pair.primary.erase_subject("club", "bob")
    face = next(f.id for f in pair.primary.enrolled_faces("club") if f.subject == "cy")
    pair.primary.delete_faces("club", [face])
    done = pair.follow()
    assert (done.subjects, done.erased) == (3, 0)
    assert pair.follow().subjects == 3
    assert _found(pair.standby) == named(pair.primary, templates(5))
    # What only the standby has on record stands behind what the primary has.
    with Sayso(pair.standby) as app:
        kinds = [entry.event.kind for entry in app.audit_entries(limit=1000)]
        assert kinds.count("restored") == 3
        assert kinds.count("backup-made") == 3
        head = pair.primary.audit_head()
        assert kinds[: head.number - 5].count("subject-erased") == 1


def test_a_refusal_at_the_standby_is_no_change_of_its_own(pair: Pair) -> None:
    pair.follow()
    with Sayso(pair.standby) as app, pytest.raises(NameConflict):
        app.enroll_templates(
            "club",
            subjects=["ada"],
            templates=templates(4)[[3]],
            consent=Consent(["door"], "form"),
            version=VERSION,
            allow_lookalike=True,
        )
    assert pair.follow().subjects == 3


def test_keys_that_were_destroyed_are_gone_there_too(pair: Pair) -> None:
    pair.follow()
    bob = pair.primary.subject("club", "bob").id
    with closing(Keyring(pair.standby, create=False)) as keyring:
        assert keyring.find([bob])
    wrapped = pair.standby / "keyring.sqlite"
    before = wrapped.read_bytes()
    pair.primary.erase_subject("club", "bob")
    pair.follow()
    with closing(Keyring(pair.standby, create=False)) as keyring:
        assert not keyring.find([bob])
        assert bob in keyring.ended("subject")
    assert wrapped.read_bytes() != before
    with Sayso(pair.standby) as app, pytest.raises(SubjectNotFound):
        app.subject("club", "bob")


def test_a_standby_may_be_looked_into_and_that_stays_on_record(pair: Pair) -> None:
    pair.follow()
    with Sayso(pair.standby, actor="operator") as app:
        assert named(app, templates(3)) == ["ada", "bob", "cy"]
        app.backup(pair.folder / "of-the-standby")
    enrol(pair.primary, ["dee"], seed=3, allow_lookalike=True)
    pair.follow()
    with Sayso(pair.standby) as app:
        looks = app.audit_entries(actor="operator")
        assert [entry.event.kind for entry in looks] == ["picture-searched", "backup-made"]
        assert app.audit_verify().ok
        # So that whoever was searched for is told of it.
        about = app.audit_entries(subject=("club", "ada"))
        assert looks[0].number in [entry.number for entry in about]


@pytest.mark.parametrize("change", ["enrol", "erase", "withdraw", "rotate", "revoke"])
def test_one_with_changes_of_its_own_follows_nobody(pair: Pair, change: str) -> None:
    key = pair.primary.create_key("door", purpose=PURPOSE, actions=["search"]).key.id
    pair.follow()
    with Sayso(pair.standby) as app:
        match change:
            case "enrol":
                enrol(app, ["eve"], seed=9)
            case "erase":
                app.erase_subject("club", "ada")
            case "withdraw":
                app.withdraw_consent("club", "ada")
            case "revoke":
                app.revoke_key(key)
            case _:
                app.rotate_master_key()
    pair.primary.collections()
    backup, keyring = pair.copy()
    before = _found(pair.standby)
    with pytest.raises(BackupError, match="another course"):
        restore(pair.standby, backup)
    with pytest.raises((BackupError, KeyringError)):
        restore(pair.standby, backup, keyring=keyring)
    assert _found(pair.standby) == before


def test_an_older_copy_of_the_keyring_is_refused(pair: Pair) -> None:
    backup, keyring = pair.copy()
    pair.primary.erase_subject("club", "bob")
    pair.follow()
    with pytest.raises(KeyringError, match="older than the one that was put in place"):
        restore(pair.standby, pair.copy()[0], keyring=keyring)
    # Nor does an older backup bring anybody back.
    with pytest.raises(BackupError, match="restore without the copy"):
        restore(pair.standby, backup, keyring=keyring)
    restore(pair.standby, backup)
    assert _found(pair.standby, 3) == ["ada", None, "cy"]


def test_a_copy_of_the_keyring_does_not_undo_what_ended_where_it_is_put(
    pair: Pair, tmp_path: Path
) -> None:
    backup, keyring = pair.copy()
    pair.primary.erase_subject("club", "bob")
    with pytest.raises(BackupError, match="restore without the copy"):
        restore(tmp_path / "primary", backup, keyring=keyring)
    pair.primary.close()
    for file in (tmp_path / "primary").glob("gallery.sqlite*"):
        file.unlink()
    with pytest.raises(BackupError, match="restore without the copy"):
        restore(tmp_path / "primary", backup, keyring=keyring)
    restore(tmp_path / "primary", backup)
    assert _found(tmp_path / "primary", 3) == ["ada", None, "cy"]


def test_whoever_the_primary_keeps_is_not_lost_by_a_standby_that_knew_less(
    tmp_path: Path, pair: Pair
) -> None:
    """Their consent ended as the standby knew it, and they have renewed it since."""
    end = datetime.now(UTC) + timedelta(seconds=2)
    enrol(pair.primary, ["fay"], seed=40, consent=Consent([PURPOSE], "form", until=end))
    pair.follow()
    pair.primary.add_consent("club", "fay", Consent([PURPOSE], "renewed"))
    while datetime.now(UTC) < end:
        pass
    probe = templates(1, 40)
    with Sayso(pair.standby) as app:
        app.sweep()
        assert named(app, probe) == [None]
    pair.follow()
    with Sayso(pair.standby) as app:
        assert named(app, probe) == named(pair.primary, probe)


def test_a_standby_takes_over_and_the_old_primary_follows_it(pair: Pair, tmp_path: Path) -> None:
    pair.follow()
    pair.primary.close()
    with Sayso(pair.standby) as promoted:
        enrol(promoted, ["eve"], seed=9)
        promoted.backup(tmp_path / "back", keyring=tmp_path / "keys" / "back")
    old = tmp_path / "primary"
    for file in [*old.glob("gallery.sqlite*"), *old.glob("keyring.sqlite*")]:
        file.unlink()
    assert restore(old, tmp_path / "back", keyring=tmp_path / "keys" / "back").subjects == 4
    with Sayso(old) as app:
        assert named(app, templates(1, 9)) == ["eve"]


def test_a_standby_follows_through_a_rotation_of_the_master_key(pair: Pair) -> None:
    pair.follow()
    pair.primary.rotate_master_key()
    backup, keyring = pair.copy()
    with pytest.raises(KeyringError):  # its own key file is the one of before
        restore(pair.standby, backup, keyring=keyring)
    for file in pair.standby.glob("keyring.sqlite*"):
        file.unlink()
    shutil.copy(pair.folder / "primary" / "master.key", pair.standby / "master.key")
    assert restore(pair.standby, backup, keyring=keyring).subjects == 3
    assert _found(pair.standby, 3) == ["ada", "bob", "cy"]
