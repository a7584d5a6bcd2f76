"""JSON Lines: a line for each picture, on the disk as soon as it is done; what work goes on from.

The line of a picture that is done has its ``sha256``, and ``asked``, a digest of all that was asked
for: where both are as before, ``--resume`` leaves the picture out. Lines of pictures that failed do
not count, nor does a last line that a kill has torn. While a job runs lines are only added; once it
is done the file is replaced by one with what holds alone, in the order of the pictures.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

import click

from sayso.cli.files import FileError, written
from sayso.cli.output import shown
from sayso.errors import PictureError
from sayso.folders import WHY, PassedOver
from sayso.models.files import sha256_of

T = TypeVar("T")
Line = dict[str, Any]

_STANDARD_OUTPUT = "-"

lines_option = click.option(
    "--jsonl",
    metavar="FILE",
    help="Write a JSON document of each picture to FILE as soon as it is done, one a line; - "
    "prints them.",
)
resume_option = click.option(
    "--resume",
    is_flag=True,
    help="Go on after an interruption: leave out the pictures that are in the file of --jsonl "
    "already, unchanged and with the same options.",
)


def check_options(jsonl: str | None, *, resume: bool, as_json: bool = False) -> None:
    """Raise a usage error for options that do not go together."""
    if jsonl == "":
        raise click.BadParameter("the name is empty; name a file, or -", param_hint="--jsonl")
    if jsonl is not None and as_json:
        raise click.UsageError("--json and --jsonl say the same in two ways; give one of them")
    if resume and jsonl in {None, _STANDARD_OUTPUT}:
        raise click.UsageError(
            "--resume goes on from the file of --jsonl: give --jsonl FILE, from the first run on"
        )


def are_printed(jsonl: str | None) -> bool:
    """Return whether the lines are what the command prints."""
    return jsonl == _STANDARD_OUTPUT


def asked_of(command: str, **options: Any) -> str:
    """Return a digest, in hex, of all that makes the result for a picture another."""
    text = json.dumps([command, options], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class Lines(Generic[T]):
    """The lines of a job. Raises FileError for a file that cannot be used.

    ``document`` makes the line of a result. ``file`` may be ``-``, standard output.
    """

    def __init__(
        self, file: str, asked: str, document: Callable[[Path, T], Line], *, resume: bool = False
    ) -> None:
        self._asked, self._document = asked, document
        self._file = None if file == _STANDARD_OUTPUT else Path(file)
        self._kept: dict[str, Line] = {}
        self._now: dict[str, Line] = {}
        self.before: tuple[Line, ...] = ()
        if self._file is not None:
            self._descriptor = _taken(self._file)
            try:
                self.before = tuple(_lines_of(self._file, self._descriptor, resume=resume))
            except BaseException:
                os.close(self._descriptor)
                raise

    def keep(
        self,
        paths: Sequence[Path],
        read: Callable[[Path], bytes],
        holds: Callable[[Path, Line], bool] = lambda _path, _line: True,
    ) -> None:
        """Keep what an earlier run did of these pictures, where it still ``holds``.

        ``read`` returns a picture's bytes or raises PictureError.
        """
        found: dict[str, dict[str, Line]] = {}
        for line in self.before:
            if line.get("asked") == self._asked and "error" not in line:
                found.setdefault(line["picture"], {})[line["sha256"]] = line
        for path in paths:
            if str(path) not in found:
                continue
            with contextlib.suppress(PictureError):
                same = found[str(path)].get(sha256_of(read(path)))
                if same is not None and holds(path, same):
                    self._kept[str(path)] = same

    def __contains__(self, path: Path) -> bool:
        return str(path) in self._kept

    def __getitem__(self, path: Path) -> Line:
        """Return the line of a picture that is done, in this run or before."""
        return self._now.get(str(path)) or self._kept[str(path)]

    def add(self, path: Path, data: bytes, result: T) -> None:
        """Write the line of a picture that is done."""
        self._write(
            {
                "picture": str(path),
                **self._document(path, result),
                "sha256": sha256_of(data),
                "asked": self._asked,
                "at": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            }
        )

    def fail(self, path: Path, why: str) -> None:
        """Write the line of a picture that failed: the next run tries it again."""
        self._write({"picture": str(path), "error": why})

    def finish(self, paths: Sequence[Path], passed_over: Sequence[PassedOver] = ()) -> None:
        """Write what was passed over, and how many pictures were done: the job is complete."""
        lines = [{**self._kept, **self._now}.get(str(path)) for path in dict.fromkeys(paths)]
        told = [line for line in lines if line is not None]
        failed = sum("error" in line for line in told)
        last: list[Line] = [
            *(
                {"passed_over": str(each.path), "reason": each.reason, "why": WHY[each.reason]}
                for each in passed_over
            ),
            {"done": len(told) - failed, "failed": failed, "passed_over": len(passed_over)},
        ]
        if self._file is None:
            for line in last:
                _print(line)
            return
        with written(self._file) as out:
            out.writelines(_text(line) for line in (*told, *last))

    def close(self) -> None:
        """Let go of the file; another run may go on with it."""
        if self._file is not None:
            os.close(self._descriptor)

    @property
    def are_printed(self) -> bool:
        """Whether the lines go to standard output."""
        return self._file is None

    @property
    def hint(self) -> str:
        """What to say to somebody who interrupts the job."""
        if self._file is None:
            return ""
        return f"; what is done is in {shown(self._file)}: --resume goes on from there"

    def _write(self, line: Line) -> None:
        self._now[line["picture"]] = line
        if self._file is None:
            _print(line)
            return
        try:
            rest = memoryview(_text(line).encode())
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            os.fsync(self._descriptor)
        except OSError as error:
            raise FileError(f"{self._file} cannot be written: {error.strerror}") from error


#: What every line has one of, and how the first one begins.
_OURS = frozenset({"picture", "passed_over", "done"})
_BEGINS = b'{"picture": '


def _taken(file: Path) -> int:
    """Open a file to add lines to it, for this process alone; raises FileError."""
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(file, flags, 0o600)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise FileError(f"{file} cannot be written: {why}") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FileError(f"{file} is not a regular file: name a file")
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever held it may have put another file in its place when they were done.
        if os.fstat(descriptor).st_ino != file.stat().st_ino:
            raise BlockingIOError(errno.EWOULDBLOCK, "")
    except BlockingIOError:
        os.close(descriptor)
        raise FileError(f"{file} is being written by another run: wait until it is done") from None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _lines_of(file: Path, descriptor: int, *, resume: bool) -> Iterator[Line]:
    """Yield the lines of pictures that are whole, and cut off what a kill has left of the last."""
    with open(descriptor, "rb", closefd=False) as source:
        source.seek(0)
        content = source.read()
    if content and not resume:
        raise FileError(f"{file} is there already: go on with --resume, or name another")
    whole = content[: content.rfind(b"\n") + 1]
    lines = [_parsed(line) for line in whole.splitlines()]
    torn = b"" if whole else content
    if None in lines or torn[: len(_BEGINS)] != _BEGINS[: len(torn)]:
        raise FileError(f"{file} is not a file of --jsonl: name another")
    os.ftruncate(descriptor, len(whole))
    for line in lines:
        if line is not None and "picture" in line and ("sha256" in line or "error" in line):
            yield line


def _parsed(line: bytes) -> Line | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    # Nothing is added to, or cut off, a file that somebody keeps something else in.
    return found if isinstance(found, dict) and not _OURS.isdisjoint(found) else None


def _text(line: Line) -> str:
    return json.dumps(line, allow_nan=False) + "\n"


def _print(line: Line) -> None:
    click.echo(_text(line), nl=False)
    sys.stdout.flush()
