from __future__ import annotations

import contextlib
import os
from pathlib import Path

import click
import pytest

from sayso.cli.files import FileError, file_named, lines_of, read_text, written


def test_a_file_is_there_only_when_all_of_it_is(tmp_path: Path) -> None:
    target = tmp_path / "log"
    target.write_text("old")
    with contextlib.suppress(ZeroDivisionError), written(target) as file:
        file.write("half")
        raise ZeroDivisionError
    assert target.read_text() == "old"
    with written(target) as file:
        file.write("new\n")
        file.flush()
        assert target.read_text() == "old"
    assert target.read_bytes() == b"new\n"
    assert target.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [target]


def test_a_device_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="is no regular file"), written(Path("/dev/null")):
        pass
    assert not Path("/dev/null").is_file()


@pytest.mark.parametrize(
    ("given", "is_file"),
    [("notice.txt", True), ("a few words", False), ("word", False), ("https://a.example/b", False)],
)
def test_what_is_a_file_and_what_is_a_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, is_file: bool
) -> None:
    (tmp_path / "notice.txt").write_text("words")
    monkeypatch.chdir(tmp_path)
    found = file_named(given, option="--notice", what="the notice")
    assert (found == Path(given)) if is_file else (found is None)


@pytest.mark.parametrize("given", ["no-such.txt", "no/such/path", ".", "\udcff"])
def test_what_is_neither_is_wrong_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(click.BadParameter):
        file_named(given, option="--notice", what="the notice")


def test_texts_are_read_within_bounds(tmp_path: Path) -> None:
    file = tmp_path / "notice.txt"
    file.write_bytes(b"\xef\xbb\xbfwords")  # as some editors begin a file
    assert read_text(file) == "words"
    file.write_bytes(b"x" * ((1 << 20) + 1))
    with pytest.raises(FileError, match="has more than 1,048,576 bytes"):
        read_text(file)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileError, match="cannot be read: not a regular file"):
        read_text(tmp_path / "pipe")


def test_lines_that_are_no_text_are_not_what_was_written(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_bytes(b"one\n\xff\n")
    with lines_of(str(file)) as lines:
        assert list(lines) == ["one\n", "\\xff\n"]
    with pytest.raises(FileError, match="cannot be read"), lines_of(str(tmp_path / "none")):
        pass
