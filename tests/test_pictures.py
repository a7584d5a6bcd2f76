from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sayso.errors import PictureError, PictureTooLarge, UnreadablePicture
from sayso.pictures import read_picture_file
from sayso.vision.picture import PictureLimits

LIMITS = PictureLimits(max_bytes=1000)


@contextmanager
def powerless_in(folder: Path) -> Iterator[None]:
    """Be in ``folder``, and no superuser, who may read everything whatever the mode says."""
    folder.chmod(0o755)
    here = Path.cwd()
    os.chdir(folder)
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if was_root:
            os.seteuid(0)
        os.chdir(here)


def test_a_file_up_to_the_limit_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 1000)
    assert read_picture_file(tmp_path / "a", LIMITS) == b"x" * 1000
    assert read_picture_file(str(tmp_path / "a"), LIMITS) == b"x" * 1000


def test_a_larger_file_is_refused_without_being_read(tmp_path: Path) -> None:
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1 << 40)  # sparse: reading it whole would need a terabyte of memory
    with pytest.raises(PictureTooLarge, match=r"1,099,511,627,776 bytes; the limit is 1,000"):
        read_picture_file(tmp_path / "huge", LIMITS)


def test_what_is_no_file_is_told_and_nothing_waits(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").touch()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        for name, complaint in (
            ("pipe", "is a pipe"),
            ("socket", "is a socket"),
            (".", "is a folder"),
            ("none", "no such file"),
            ("empty", "is empty"),
            ("empty/below", "Not a directory"),
            ("n" * 300, "too long"),
            ("a\0b", "null"),
        ):
            with pytest.raises(UnreadablePicture, match=complaint):
                read_picture_file(tmp_path / name, LIMITS)
    with pytest.raises(UnreadablePicture, match="is a device"):
        read_picture_file("/dev/zero", LIMITS)


def test_a_link_in_a_circle_is_told(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(UnreadablePicture, match="symbolic links"):
        read_picture_file(tmp_path / "loop", LIMITS)


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"x")
    (tmp_path / "secret").chmod(0)
    with powerless_in(tmp_path), pytest.raises(PictureError, match="permitted"):
        read_picture_file("secret", LIMITS)


def test_only_what_was_typed_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnreadablePicture) as caught:
        read_picture_file("none.jpg", LIMITS)
    assert str(tmp_path) not in str(caught.value)
