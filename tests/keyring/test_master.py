from __future__ import annotations

import base64
import logging
import os
import pickle
import stat
from pathlib import Path

import pytest

from sayso.errors import KeyringUnavailable, MasterKeyMissing, MasterKeyWrong, SealBroken
from sayso.keyring.master import KeyFile, MasterKey

RAW = bytes(range(32))
KEY = MasterKey(RAW)


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "master.key", "the key file")


def prints(file: KeyFile) -> list[str]:
    return [key.fingerprint for key in file.read()]


def test_the_file_is_text_that_says_what_it_is(file: KeyFile) -> None:
    file.create(KEY)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    *comments, line = file.path.read_text().splitlines()
    assert all(comment.startswith("# ") for comment in comments)
    assert "loses the gallery" in comments[0]
    tag, fingerprint, encoded = line.split(" ")
    assert tag == "sayso-master-key-1"
    assert fingerprint == KEY.fingerprint == "576f4dc1fed59956"
    assert base64.b64decode(encoded) == RAW
    assert list(file.path.parent.iterdir()) == [file.path]


def test_a_key_wraps_in_a_context(file: KeyFile) -> None:
    file.create(KEY)
    (read,) = file.read()
    wrapped = KEY.wrap(bytes(32), b"one")
    assert read.unwrap(wrapped, b"one") == bytes(32)
    with pytest.raises(SealBroken):
        read.unwrap(wrapped, b"two")
    with pytest.raises(SealBroken):
        MasterKey.generate().unwrap(wrapped, b"one")


def test_it_never_shows_itself() -> None:
    assert repr(KEY) == f"MasterKey({KEY.fingerprint})"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(KEY)


def test_a_file_that_is_there_is_never_overwritten(file: KeyFile) -> None:
    file.create(KEY)
    before = file.path.read_bytes()
    with pytest.raises(KeyringUnavailable, match="never overwritten"):
        file.create(MasterKey.generate())
    assert file.path.read_bytes() == before
    assert list(file.path.parent.iterdir()) == [file.path]


def test_a_link_to_nothing_is_neither_read_nor_overwritten(file: KeyFile, tmp_path: Path) -> None:
    file.path.symlink_to(tmp_path / "elsewhere")
    assert file.there()
    with pytest.raises(MasterKeyMissing, match="link to nothing"):
        file.read()
    with pytest.raises(KeyringUnavailable, match="never overwritten"):
        file.create(KEY)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"\n \n", "it is empty"),
        (b"# a comment\n", "it has no key in it"),
        (b"# a comment\nsayso-master-key-1 0123\n", "line 2 is damaged"),
        (KEY.line().encode().replace(b"key-1", b"key-2"), "line 1 is damaged"),
        (KEY.line().encode().replace(KEY.fingerprint.encode(), b"0" * 16), "line 1 is damaged"),
        (KEY.line().encode()[:-9] + b"\n", "line 1 is damaged"),
        (KEY.line().encode() + b"\xff\xfe", "line 2 is damaged"),
        (bytes(100_000), "it is too large"),
    ],
)
def test_damaged_content_is_told_without_showing_it(
    file: KeyFile, content: bytes, reason: str
) -> None:
    file.path.write_bytes(content)
    with pytest.raises(MasterKeyWrong, match=reason) as caught:
        file.read()
    message = str(caught.value)
    assert "the key file" in message
    assert "from your copy" in message
    assert base64.b64encode(RAW).decode()[:20] not in message
    assert str(file.path) not in message


def test_a_truncated_file_is_never_taken_for_a_key(file: KeyFile) -> None:
    line = KEY.line().encode()
    for length in range(len(line) - 1):
        file.path.write_bytes(line[:length])
        with pytest.raises(MasterKeyWrong):
            file.read()


def test_a_file_that_cannot_be_read_says_so(file: KeyFile) -> None:
    with pytest.raises(MasterKeyMissing, match=r"no such file.*SAYSO_KEY_FILE"):
        file.read()
    file.path.mkdir()
    with pytest.raises(MasterKeyMissing, match="Is a directory"):
        file.read()
    file.path.rmdir()
    os.mkfifo(file.path)
    with pytest.raises(MasterKeyMissing, match="not a file"):
        file.read()


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(KeyringUnavailable, match="No such file or directory"):
        KeyFile(tmp_path / "secrets" / "master.key", "the key file").create(KEY)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o620, 0o666])
def test_a_file_for_others_is_used_with_a_warning(
    file: KeyFile, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    file.create(KEY)
    file.path.chmod(mode)
    assert prints(file) == [KEY.fingerprint]
    file.path.chmod(0o600)  # what is told is of the file that was read
    with caplog.at_level(logging.WARNING, "sayso"):
        file.warn()
    assert f"(mode {mode:o})" in caplog.text


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o440, 0o640])
def test_a_file_for_owner_or_group_is_used_without(
    file: KeyFile, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    file.create(KEY)
    file.path.chmod(mode)
    file.read()
    file.warn()
    assert caplog.text == ""


def test_replacing_keeps_the_mode_and_what_links_to_the_file(tmp_path: Path) -> None:
    real, link = tmp_path / "real.key", tmp_path / "master.key"
    KeyFile(real, "it").create(KEY)
    real.chmod(0o640)
    link.symlink_to(real)
    new = MasterKey.generate()
    KeyFile(link, "it").replace([new, KEY])
    assert link.is_symlink()
    assert prints(KeyFile(real, "it")) == [new.fingerprint, KEY.fingerprint]
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_replacing_keeps_the_owner(file: KeyFile) -> None:
    file.create(KEY)
    os.chown(file.path, 1234, 2345)
    file.replace([MasterKey.generate()])
    assert (file.path.stat().st_uid, file.path.stat().st_gid) == (1234, 2345)


def test_a_read_only_file_is_not_replaced(file: KeyFile) -> None:
    file.create(KEY)
    file.path.chmod(0o400)
    with pytest.raises(KeyringUnavailable, match=r"read-only; .* with --to FILE"):
        file.replace([MasterKey.generate()])
    assert prints(file) == [KEY.fingerprint]


def test_replacing_sweeps_up_after_one_that_was_killed(file: KeyFile) -> None:
    file.create(KEY)
    leftover = file.path.with_name(".master.key.new-abc")
    leftover.write_text(KEY.line())
    file.replace([KEY])
    assert list(file.path.parent.iterdir()) == [file.path]
