from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path
from types import FrameType

import pytest

from sayso.models.files import TEMPORARY_PREFIX, sweep_temporaries, write_atomically


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_files_get_the_mode_that_the_user_gives_files(tmp_path: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        write_atomically(tmp_path / "file", b"content")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode
    assert (tmp_path / "file").read_bytes() == b"content"


def test_the_mask_of_other_threads_files_is_left_alone(tmp_path: Path) -> None:
    called: list[object] = []

    def note(_frame: FrameType, event: str, argument: object) -> None:
        if event == "c_call":
            called.append(argument)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        write_atomically(tmp_path / "file", b"content")
    finally:
        sys.setprofile(before)
    assert os.fsync in called
    assert os.umask not in called


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_atomically(tmp_path / "folder", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_what_a_killed_writer_left_is_swept(tmp_path: Path) -> None:
    (tmp_path / f"{TEMPORARY_PREFIX}left").touch()
    (tmp_path / "kept").touch()
    sweep_temporaries(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


@pytest.mark.parametrize("links", [True, False])
def test_what_is_there_is_left_where_nothing_may_be_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    def without_links(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "as exFAT says")

    if not links:
        monkeypatch.setattr(os, "link", without_links)
    write_atomically(tmp_path / "file", b"content", replace=False)
    assert (tmp_path / "file").read_bytes() == b"content"
    with pytest.raises(FileExistsError):
        write_atomically(tmp_path / "file", b"another", replace=False)
    assert (tmp_path / "file").read_bytes() == b"content"
    (tmp_path / "link").symlink_to("nothing")
    with pytest.raises(FileExistsError):
        write_atomically(tmp_path / "link", b"another", replace=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]
