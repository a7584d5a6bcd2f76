"""The file that work goes on from, whatever a kill has left of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sayso.cli.files import FileError
from sayso.cli.lines import Line, Lines
from sayso.folders import PassedOver
from sayso.pictures import read_picture_file
from sayso.vision.picture import PictureLimits


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{place}.jpg" for place in range(3)]
    for path in paths:
        path.write_bytes(path.name.encode())
    return paths


def line_of(_: Path, result: int) -> Line:
    return {"result": result}


def opened(
    file: Path, pictures: Sequence[Path], asked: str = "a", *, resume: bool = True
) -> Lines[int]:
    lines: Lines[int] = Lines(str(file), asked, line_of, resume=resume)
    lines.keep(pictures, lambda path: read_picture_file(path, PictureLimits()))
    return lines


def read(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_line_is_there_once_it_is_added_and_a_torn_one_does_not_count(
    tmp_path: Path, pictures: list[Path]
) -> None:
    file = tmp_path / "lines.jsonl"
    lines = opened(file, pictures, resume=False)
    for place, path in enumerate(pictures[:2]):
        lines.add(path, path.read_bytes(), place)
        assert [each["result"] for each in read(file)] == list(range(place + 1))
    lines.close()
    whole = file.read_bytes()
    # Killed at any byte of the second line, and again when a third is there.
    for size in range(whole.index(b"\n") + 1, len(whole)):
        file.write_bytes(whole[:size])
        lines = opened(file, pictures)
        assert [path in lines for path in pictures] == [True, False, False]
        lines.add(pictures[2], pictures[2].read_bytes(), 2)
        lines.close()
        lines = opened(file, pictures)
        assert [path in lines for path in pictures] == [True, False, True]
        lines.close()
    lines = opened(file, pictures)
    lines.add(pictures[1], pictures[1].read_bytes(), 1)
    lines.finish(pictures, [PassedOver(tmp_path / "x.txt", "not-a-picture")])
    lines.close()
    *done, passed_over, last = read(file)
    assert [each["result"] for each in done] == [0, 1, 2]
    assert passed_over["reason"] == "not-a-picture"
    assert last == {"done": 3, "failed": 0, "passed_over": 1}


def test_only_what_is_the_same_is_left_out(tmp_path: Path, pictures: list[Path]) -> None:
    file = tmp_path / "lines.jsonl"
    lines = opened(file, pictures, resume=False)
    lines.add(pictures[0], pictures[0].read_bytes(), 0)
    lines.add(pictures[1], pictures[1].read_bytes(), 1)
    lines.fail(pictures[2], "it is damaged")
    lines.finish(pictures)
    lines.close()
    assert read(file)[-1] == {"done": 2, "failed": 1, "passed_over": 0}
    pictures[0].write_bytes(b"another picture")
    for asked, kept in (("a", [False, True, False]), ("b", [False] * 3)):
        lines = opened(file, pictures, asked)
        assert [path in lines for path in pictures] == kept
        lines.close()
    pictures[1].unlink()
    lines = opened(file, pictures)
    assert pictures[1] not in lines
    lines.close()


def test_a_file_is_one_runs_at_a_time_and_nothing_else_is_written_over(
    tmp_path: Path, pictures: list[Path]
) -> None:
    file = tmp_path / "lines.jsonl"
    lines = opened(file, pictures, resume=False)
    with pytest.raises(FileError, match="being written by another run"):
        opened(file, pictures)
    lines.add(pictures[0], b"", 0)
    lines.close()
    with pytest.raises(FileError, match="is there already: go on with --resume"):
        opened(file, pictures, resume=False)
    for content in (b"notes\n", b"notes", b"[1]\n", b"\xff\xd8\xff\n{}\n"):
        file.write_bytes(content)
        with pytest.raises(FileError, match="not a file of --jsonl"):
            opened(file, pictures)
        assert file.read_bytes() == content
    with pytest.raises(FileError, match="cannot be written"):
        opened(tmp_path / "no" / "lines.jsonl", pictures)
    with pytest.raises(FileError, match="cannot be written"):
        opened(tmp_path, pictures)
