from __future__ import annotations

import random
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

import pytest

from sayso.errors import (
    KeyringError,
    KeyringUnavailable,
    MasterKeyMissing,
    MasterKeyWrong,
    SealBroken,
)
from sayso.keyring.endings import Ending
from sayso.keyring.master import KeyFile, MasterKey
from sayso.keyring.store import Keyring

Opening = Callable[..., Keyring]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def opening() -> Iterator[Opening]:
    """Open keyrings that are closed after the test."""
    opened = []

    def opening(folder: Path, *, key_file: Path | None = None, create: bool = True) -> Keyring:
        opened.append(Keyring(folder, key_file=key_file, create=create, busy_timeout=20))
        return opened[-1]

    yield opening
    for keyring in opened:
        keyring.close()


@pytest.fixture
def keyring(folder: Path, opening: Opening) -> Keyring:
    return opening(folder)


def ids(count: int, seed: int = 0) -> list[str]:
    chance = random.Random(seed)
    return [str(UUID(bytes=chance.randbytes(16), version=4)) for _ in range(count)]


def raws(keyring: Keyring, subjects: list[str]) -> dict[str, bytes]:
    return {subject: key.raw for subject, key in keyring.find(subjects).items()}


def own(keyring: Keyring) -> list[bytes]:
    signing = keyring.signing_key().private_bytes_raw()
    return [signing, keyring.secrets().raw, keyring.digests().raw]


def wraps(folder: Path) -> dict[str, bytes]:
    """The wrapped keys as they are in the database."""
    with sqlite3.connect(folder / "keyring.sqlite") as raw:
        found = dict(raw.execute("SELECT subject, wrapped FROM data_keys"))
    raw.close()
    return {str(UUID(bytes=subject)): wrapped for subject, wrapped in found.items()}


def content(folder: Path) -> bytes:
    """Everything that the keyring has on the disk, but for the key file."""
    return b"".join(path.read_bytes() for path in sorted(folder.glob("keyring*")))


def subject_ending(subject: str, at: int = 1) -> Ending:
    return Ending("subject", subject, at)


def test_everything_is_for_its_owner_alone(keyring: Keyring, folder: Path) -> None:
    keyring.make(ids(1))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    names = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert set(names.values()) == {0o600}
    assert {"keyring.sqlite", "keyring.sqlite-wal", "master.key"} <= set(names)
    assert not any("new" in name for name in names)


def test_a_key_stays_the_same_over_openings(
    keyring: Keyring, folder: Path, opening: Opening
) -> None:
    subjects = ids(3)
    made = {subject: key.raw for subject, key in keyring.make(subjects).items()}
    assert len(set(made.values())) == 3
    assert {subject: key.raw for subject, key in keyring.make(subjects[1:]).items()} == {
        subject: made[subject] for subject in subjects[1:]
    }
    again = opening(folder)
    assert raws(again, [*subjects, *ids(2, seed=1)]) == made
    assert again.count() == 3
    assert own(again) == own(keyring)
    assert len(set(own(again))) == 3
    assert again.fingerprint == keyring.fingerprint


def test_only_the_opening_that_made_the_master_key_says_so(folder: Path, opening: Opening) -> None:
    assert opening(folder).made_key_file == folder / "master.key"
    again = opening(folder)
    assert again.made_key_file is None
    assert again.key_file == folder / "master.key"


def test_many_are_found_as_few_are(keyring: Keyring) -> None:
    subjects = ids(12_000)
    made = {subject: key.raw for subject, key in keyring.make(subjects).items()}
    assert raws(keyring, subjects) == made
    assert raws(keyring, subjects[:700]) == {s: made[s] for s in subjects[:700]}
    assert raws(keyring, subjects[:10_500]) == {s: made[s] for s in subjects[:10_500]}
    assert keyring.find([]) == {}


@pytest.mark.parametrize("bad", ["", "ada", "12345678-1234-1234-1234-12345678901", "é" * 32])
def test_what_is_no_uuid_is_refused(keyring: Keyring, bad: str) -> None:
    for call in (keyring.make, keyring.find):
        with pytest.raises(KeyringError, match="should be a UUID"):
            call([bad])
    with pytest.raises(KeyringError, match="should be a UUID"):
        keyring.end([subject_ending(bad)])


def test_a_key_file_that_is_there_is_used(tmp_path: Path, opening: Opening) -> None:
    given, key = tmp_path / "given", MasterKey.generate()
    KeyFile(given, "it").create(key)
    before = given.read_bytes()
    keyring = opening(tmp_path / "data", key_file=given)
    assert keyring.fingerprint == key.fingerprint
    assert keyring.made_key_file is None
    assert given.read_bytes() == before
    assert not (tmp_path / "data" / "master.key").exists()


def test_a_damaged_key_file_is_left_as_it_is(tmp_path: Path, opening: Opening) -> None:
    given = tmp_path / "given"
    given.write_text("sayso-master-key-1 0123")
    with pytest.raises(MasterKeyWrong):
        opening(tmp_path / "data", key_file=given)
    assert given.read_text() == "sayso-master-key-1 0123"
    assert not (tmp_path / "data" / "keyring.sqlite").exists()


def test_without_the_key_file_it_says_what_is_lost(
    keyring: Keyring, folder: Path, opening: Opening
) -> None:
    keyring.close()
    (folder / "master.key").unlink()
    with pytest.raises(MasterKeyMissing, match=r"no such file; .* nobody can read the gallery"):
        opening(folder)
    assert not (folder / "master.key").exists()


def test_another_key_is_refused(keyring: Keyring, folder: Path, opening: Opening) -> None:
    other = opening(folder.parent / "other")
    with pytest.raises(MasterKeyWrong, match=keyring.fingerprint):
        opening(folder, key_file=other.key_file)


def test_messages_call_things_as_they_are_told(folder: Path) -> None:
    Keyring(folder).close()
    (folder / "master.key").unlink()
    with pytest.raises(MasterKeyMissing) as caught:
        Keyring(folder, shown="your data folder")
    assert "master.key in your data folder" in str(caught.value)
    assert str(folder) not in str(caught.value)


def test_none_is_made_where_none_is_wanted(folder: Path, opening: Opening) -> None:
    with pytest.raises(KeyringUnavailable, match="is not there; put it back"):
        opening(folder, create=False)
    assert not folder.exists()
    opening(folder).close()
    opening(folder, create=False)


def test_a_start_that_was_cut_off_is_done_again(folder: Path, opening: Opening) -> None:
    folder.mkdir()
    KeyFile(folder / "master.key", "it").create(key := MasterKey.generate())
    (folder / "keyring.new").write_bytes(b"SQLite format 3\x00 and no more")
    (folder / "keyring.new-journal").write_bytes(b"half")
    (folder / "keyring.lock").touch()
    keyring = opening(folder)
    assert keyring.fingerprint == key.fingerprint
    assert keyring.count() == 0
    assert not list(folder.glob("keyring.new*"))


@pytest.mark.parametrize("damage", [b"", b"not a database", b"SQLite format 3\x00" + bytes(4000)])
def test_a_damaged_file_is_refused_and_kept(
    keyring: Keyring, folder: Path, opening: Opening, damage: bytes
) -> None:
    keyring.close()
    (folder / "keyring.sqlite").write_bytes(damage)
    with pytest.raises(KeyringUnavailable, match=r"from your copy of the keyring|no keyring"):
        opening(folder)
    assert (folder / "keyring.sqlite").read_bytes() == damage


@pytest.mark.parametrize(("version", "reason"), [(0, "no keyring of Sayso's"), (2, "newer")])
def test_a_file_of_another_form_is_refused(
    keyring: Keyring, folder: Path, opening: Opening, version: int, reason: str
) -> None:
    keyring.close()
    with sqlite3.connect(folder / "keyring.sqlite") as raw:
        raw.execute(f"PRAGMA user_version={version}")
    raw.close()
    with pytest.raises(KeyringUnavailable, match=reason):
        opening(folder)


def test_a_file_that_lost_its_log_is_not_begun_anew(
    keyring: Keyring, folder: Path, opening: Opening
) -> None:
    keyring.make(ids(1))
    (folder / "keyring.sqlite").rename(folder / "aside")
    with pytest.raises(KeyringUnavailable, match=r"keyring.sqlite-wal, which belongs to it"):
        opening(folder)
    assert not (folder / "keyring.sqlite").exists()


def test_a_file_where_the_folder_should_be(tmp_path: Path, opening: Opening) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KeyringUnavailable, match="a file is where its folder should be"):
        opening(tmp_path / "file")


def test_what_ended_has_no_key_and_gets_none(keyring: Keyring) -> None:
    one, two, three = subjects = ids(3)
    keyring.make(subjects)
    keyring.end([subject_ending(two.upper(), at=17), Ending("withdrawal", "w", 5)])
    assert set(keyring.find(subjects)) == {one, three}
    assert keyring.count() == 2
    assert keyring.ended("subject") == {two: 17}
    assert keyring.ended("withdrawal") == {"w": 5}
    assert keyring.ended("purpose") == {}
    with pytest.raises(KeyringError, match=f"subject {two} was destroyed"):
        keyring.make([*ids(1, seed=5), two])
    assert keyring.count() == 2


def test_an_ending_keeps_its_first_time(keyring: Keyring) -> None:
    (subject,) = ids(1)
    keyring.end([subject_ending(subject, 1)])
    keyring.end([subject_ending(subject, 2), Ending("access-key", "k", 3)])
    assert keyring.ended("subject") == {subject: 1}
    assert keyring.ended("access-key") == {"k": 3}


def test_nothing_of_an_ended_key_is_in_the_files(keyring: Keyring, folder: Path) -> None:
    subjects = ids(3000)
    keys = {subject: key.raw for subject, key in keyring.make(subjects).items()}
    wrapped = wraps(folder)
    gone = random.Random(1).sample(subjects, 1000)
    for subject in gone[:10]:
        assert wrapped[subject] in content(folder)  # else the test would prove nothing
    for start in range(0, 1000, 100):
        keyring.end([subject_ending(subject) for subject in gone[start : start + 100]])
        # Keys that come and go move the rows of others within the file.
        keyring.make(ids(50, seed=start + 1))
    keyring.end([subject_ending(ids(1, seed=1)[0])])
    on_disk = content(folder)
    for subject in gone:
        # Nonce and ciphertext are what unwraps; the tag only proves it.
        assert wrapped[subject][:44] not in on_disk
        assert wrapped[subject][12:44] not in on_disk
        assert keys[subject] not in on_disk
    assert not set(gone) & set(keyring.find(subjects))
    assert (folder / "keyring.sqlite-wal").stat().st_size == 0


def test_a_reader_delays_the_scrub_but_not_the_ending(
    keyring: Keyring, folder: Path, opening: Opening
) -> None:
    (subject,) = ids(1)
    keyring.make([subject])
    wrapped = wraps(folder)[subject]
    reader = sqlite3.connect(folder / "keyring.sqlite", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM data_keys").fetchall()
    keyring.end([subject_ending(subject)])
    assert keyring.find([subject]) == {}
    assert wrapped in content(folder)
    reader.execute("COMMIT")
    keyring.make(ids(1, seed=1))
    assert wrapped not in content(folder)
    reader.close()


def test_no_key_is_in_the_clear(keyring: Keyring, folder: Path) -> None:
    made = keyring.make(ids(20))
    on_disk = content(folder)
    for raw in [*(key.raw for key in made.values()), *own(keyring)]:
        assert raw not in on_disk


def test_wraps_cannot_be_swapped(keyring: Keyring, folder: Path, opening: Opening) -> None:
    one, two = subjects = ids(2)
    keyring.make(subjects)
    found = wraps(folder)
    with sqlite3.connect(folder / "keyring.sqlite") as raw:
        for subject, other in ((one, two), (two, one)):
            raw.execute(
                "UPDATE data_keys SET wrapped = ? WHERE subject = ?",
                (found[other], UUID(subject).bytes),
            )
    raw.close()
    with pytest.raises(SealBroken, match=f"the key of subject {one} is not as it was"):
        keyring.find([one])
    with pytest.raises(SealBroken, match="a key in it"):
        keyring.rotate()
    assert raws(keyring, []) == {}


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE system_keys SET wrapped = (SELECT wrapped FROM system_keys WHERE name='digests')",
        "DELETE FROM system_keys WHERE name = 'signing'",
        "UPDATE system_keys SET wrapped = x'00' WHERE name = 'secrets'",
    ],
)
def test_own_keys_that_were_tampered_with_are_refused(
    keyring: Keyring, folder: Path, opening: Opening, tampering: str
) -> None:
    with sqlite3.connect(folder / "keyring.sqlite") as raw:
        raw.execute(tampering)
    raw.close()
    with pytest.raises(SealBroken, match="a key of the gallery's own"):
        opening(folder)


def test_a_lost_row_is_told(keyring: Keyring, folder: Path) -> None:
    with sqlite3.connect(folder / "keyring.sqlite") as raw:
        raw.execute("DELETE FROM master")
    raw.close()
    with pytest.raises(KeyringUnavailable, match="damaged"):
        keyring.find(ids(1))


def test_rotation_changes_every_wrap_and_no_key(
    keyring: Keyring, folder: Path, opening: Opening
) -> None:
    subjects = ids(500)
    keyring.make(subjects)
    before, before_own, old_wraps = raws(keyring, subjects), own(keyring), wraps(folder)
    old_file, old = (folder / "master.key").read_bytes(), keyring.fingerprint
    new = keyring.rotate()
    assert new != old
    assert keyring.fingerprint == new
    assert [k.fingerprint for k in KeyFile(folder / "master.key", "it").read()] == [new]
    assert not any(wrapped in content(folder) for wrapped in old_wraps.values())
    for each in (keyring, opening(folder)):
        assert raws(each, subjects) == before
        assert own(each) == before_own
    keyring.make(ids(1, seed=1))
    (folder.parent / "old").write_bytes(old_file)
    with pytest.raises(MasterKeyWrong, match=new):
        opening(folder, key_file=folder.parent / "old")


def test_others_that_have_it_open_go_on_after_a_rotation(
    keyring: Keyring, folder: Path, opening: Opening
) -> None:
    subjects = ids(20)
    keyring.make(subjects)
    before = raws(keyring, subjects)
    reading, writing = opening(folder), opening(folder)
    for _ in range(2):
        keyring.rotate()
        assert raws(reading, subjects) == before
        more = ids(1, seed=writing.count())
        before |= {subject: key.raw for subject, key in writing.make(more).items()}
        subjects += more
        assert raws(keyring, subjects) == before
    assert writing.rotate() == reading.fingerprint
    assert raws(keyring, subjects) == before


@pytest.mark.parametrize("there", [True, False])
def test_rotation_to_another_file_leaves_the_old_one(
    keyring: Keyring, folder: Path, opening: Opening, tmp_path: Path, there: bool
) -> None:
    subjects, to = ids(5), tmp_path / "new.key"
    keyring.make(subjects)
    before, old_file = raws(keyring, subjects), (folder / "master.key").read_bytes()
    if there:
        KeyFile(to, "it").create(MasterKey.generate())
    new = keyring.rotate(to)
    assert [key.fingerprint for key in KeyFile(to, "it").read()] == [new]
    assert stat.S_IMODE(to.stat().st_mode) == 0o600
    assert (folder / "master.key").read_bytes() == old_file
    assert keyring.key_file == to
    for each in (keyring, opening(folder, key_file=to)):
        assert raws(each, subjects) == before
    with pytest.raises(MasterKeyWrong, match="rotated to another file"):
        opening(folder)


def test_rotation_to_the_key_in_use_is_refused(keyring: Keyring, tmp_path: Path) -> None:
    shutil.copy(keyring.key_file, tmp_path / "same")
    for to in (keyring.key_file, tmp_path / "same"):
        with pytest.raises(KeyringError, match="has the master key that is in use"):
            keyring.rotate(to)
    keyring.make(ids(1))


def test_rotation_of_a_read_only_key_file_changes_nothing(
    keyring: Keyring, folder: Path, opening: Opening
) -> None:
    subjects = ids(3)
    keyring.make(subjects)
    before, fingerprint, on_disk = raws(keyring, subjects), keyring.fingerprint, wraps(folder)
    (folder / "master.key").chmod(0o444)
    with pytest.raises(KeyringUnavailable, match=r"master.key in .* read-only; .* --to FILE"):
        keyring.rotate()
    assert keyring.fingerprint == fingerprint
    assert wraps(folder) == on_disk
    assert raws(opening(folder), subjects) == before
    assert keyring.rotate(folder / "new.key") != fingerprint


def test_a_rotation_that_was_cut_off_is_done_again(
    keyring: Keyring, folder: Path, opening: Opening
) -> None:
    old = KeyFile(folder / "master.key", "it").read()[0]
    KeyFile(folder / "master.key", "it").replace([MasterKey.generate(), old])
    again = opening(folder)
    assert again.fingerprint == old.fingerprint
    new = again.rotate()
    assert [k.fingerprint for k in KeyFile(folder / "master.key", "it").read()] == [new]


def test_the_next_opening_removes_what_a_rotation_that_was_killed_has_left(
    keyring: Keyring, folder: Path, opening: Opening
) -> None:
    file = KeyFile(folder / "master.key", "it")
    (current,) = file.read()
    file.replace([current, MasterKey.generate()])  # killed before the old one was taken out
    leftover = folder / ".master.key.new-abc"  # killed before it had its name
    leftover.write_text(MasterKey.generate().line())
    subjects = ids(2)
    keyring.make(subjects)
    again = opening(folder)
    assert [key.fingerprint for key in file.read()] == [current.fingerprint]
    assert not leftover.exists()
    assert raws(again, subjects) == raws(keyring, subjects)
    assert raws(opening(folder), subjects) == raws(keyring, subjects)


def test_nothing_is_removed_from_a_rotation_that_goes_on(
    keyring: Keyring, folder: Path, opening: Opening
) -> None:
    file = KeyFile(folder / "master.key", "it")
    (current,) = file.read()
    leftover = folder / ".master.key.new-abc"
    with keyring._database.locked():
        file.replace([current, MasterKey.generate()])
        leftover.write_text(MasterKey.generate().line())
        opening(folder)  # which does not wait, either
        assert len(file.read()) == 2
        assert leftover.exists()


def test_a_key_that_is_not_in_use_yet_does_not_push_out_the_one_that_is(
    keyring: Keyring, folder: Path, opening: Opening
) -> None:
    file = KeyFile(folder / "master.key", "it")
    (current,) = file.read()
    file.replace([MasterKey.generate(), current])  # killed before the keyring was wrapped anew
    for _ in range(2):
        assert opening(folder).fingerprint == current.fingerprint


def test_an_old_key_in_a_read_only_file_is_told(
    keyring: Keyring, folder: Path, opening: Opening, caplog: pytest.LogCaptureFixture
) -> None:
    file = KeyFile(folder / "master.key", "it")
    (current,) = file.read()
    file.replace([current, MasterKey.generate()])
    file.path.chmod(0o400)
    assert opening(folder).fingerprint == current.fingerprint
    assert len(file.read()) == 2
    assert "an old master key is still in its file" in caplog.text
    assert "read-only" in caplog.text


def test_a_copy_opens_with_the_same_key_file(
    keyring: Keyring, folder: Path, opening: Opening, tmp_path: Path
) -> None:
    subjects = ids(50)
    keyring.make(subjects)
    keyring.end([subject_ending(subjects[0], 7)])
    other = tmp_path / "other"
    other.mkdir()
    target = other / "keyring.sqlite"
    target.write_text("an older copy")
    keyring.copy(target)
    assert list(other.iterdir()) == [target]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    copied = opening(other, key_file=folder / "master.key", create=False)
    assert raws(copied, subjects) == raws(keyring, subjects)
    assert copied.count() == 49
    assert copied.ended("subject") == {subjects[0]: 7}
    assert own(copied) == own(keyring)
    with sqlite3.connect(target) as raw:
        assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    raw.close()


def test_a_copy_that_cannot_be_made_leaves_nothing(
    keyring: Keyring, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(KeyringUnavailable, match="No such file or directory"):
        keyring.copy(tmp_path / "nowhere" / "copy")
    (tmp_path / "folder").mkdir()
    with pytest.raises(KeyringUnavailable, match="Is a directory"):
        keyring.copy(tmp_path / "folder")
    with pytest.raises(KeyringError, match="is the keyring itself"):
        keyring.copy(folder / "keyring.sqlite")
    assert {path.name for path in tmp_path.iterdir()} == {"data", "folder"}


def test_a_copy_sweeps_up_after_one_that_was_killed(keyring: Keyring, tmp_path: Path) -> None:
    """A copy that was not finished may have the key of somebody who was erased since."""
    safe = tmp_path / "safe"
    safe.mkdir()
    target = safe / "keys[1]"  # which a pattern would take for a set of signs
    for name in (".keys[1].new-abc", ".keys[1].new-abc-journal"):
        (safe / name).write_bytes(b"wrapped keys")
    kept = (".keys[1].new", ".keys1.new-abc", ".other.new-abc")
    for name in kept:
        (safe / name).write_bytes(b"somebody else's")
    keyring.copy(target)
    assert sorted(file.name for file in safe.iterdir()) == sorted([*kept, target.name])


def test_a_copy_does_not_take_what_another_one_writes(keyring: Keyring, tmp_path: Path) -> None:
    writing = tmp_path / ".keys.new-abc"
    with ThreadPoolExecutor(1) as pool:
        with keyring._database.locked():
            writing.write_bytes(b"not finished")
            copying = pool.submit(keyring.copy, tmp_path / "keys")
            with pytest.raises(TimeoutError):
                copying.result(0.5)
            assert writing.exists()
        copying.result(20)
    assert (tmp_path / "keys").exists()


def test_a_copy_does_not_replace_a_database_in_use(
    keyring: Keyring, opening: Opening, tmp_path: Path
) -> None:
    other = opening(tmp_path / "other")
    other.make(ids(1))
    with pytest.raises(KeyringError, match="a database in use"):
        keyring.copy(tmp_path / "other" / "keyring.sqlite")
    assert other.count() == 1


def test_threads_share_one_keyring(keyring: Keyring) -> None:
    kept = ids(300)
    before = {subject: key.raw for subject, key in keyring.make(kept).items()}

    def make_and_end(seed: int) -> None:
        for step in range(10):
            subjects = ids(5, seed=100 * seed + step + 1)
            made = {subject: key.raw for subject, key in keyring.make(subjects).items()}
            assert raws(keyring, subjects) == made
            keyring.end([subject_ending(subject) for subject in subjects])
            assert raws(keyring, subjects) == {}

    def find(_seed: int) -> None:
        for _ in range(40):
            assert raws(keyring, kept) == before

    def rotate(_seed: int) -> None:
        for _ in range(8):
            keyring.rotate()

    works = [make_and_end, make_and_end, make_and_end, find, find, rotate, rotate]
    with ThreadPoolExecutor(len(works)) as pool:
        for done in [pool.submit(work, seed) for seed, work in enumerate(works)]:
            done.result()
    assert keyring.count() == 300
    assert len(keyring.ended("subject")) == 150
    assert raws(keyring, kept) == before


def test_errors_show_no_key(keyring: Keyring, folder: Path) -> None:
    (subject,) = ids(1)
    key = keyring.make([subject])[subject]
    with sqlite3.connect(folder / "keyring.sqlite") as raw:
        raw.execute("UPDATE data_keys SET wrapped = ?", (key.raw,))
    raw.close()
    with pytest.raises(SealBroken) as caught:
        keyring.find([subject])
    error: BaseException | None = caught.value
    while error is not None:
        assert repr(key.raw) not in repr(error)
        assert key.raw.hex() not in repr(error)
        error = error.__cause__ or error.__context__
