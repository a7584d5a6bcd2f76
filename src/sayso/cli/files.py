"""Files that options name: read as a text, or written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TextIO

import click

from sayso.cli.output import shown
from sayso.durable import put_in_place, sync_folder
from sayso.errors import SaysoError

#: What asking for a file says of a text that names none.
_NO_FILE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG})
#: How the documents end that people keep, when a path leads to one.
_DOCUMENT = re.compile(
    r"\.(?:docx?|odt|rtf|pdf|txt|md|html?|json|eml|msg|asc|sig|p7[ms]|zip|"
    r"jpe?g|png|webp|heic|avif|tiff?)$",
    re.IGNORECASE,
)
#: No text that is read from a file, such as a notice or a saved head, is nearly as long.
_LONGEST_TEXT = 1 << 20


class FileError(SaysoError):
    """A file that was named cannot be read or written."""


def file_named(given: str, *, option: str, what: str) -> Path | None:
    """Return the file that ``given`` names, or None where it is a text of its own.

    ``what`` is how messages call what was asked for. A usage error for what is neither: a folder,
    or a path with nothing there, which must not be taken for words.
    """
    try:
        given.encode()
    except UnicodeEncodeError:
        raise click.BadParameter(
            f"{shown(given)} is not valid UTF-8; correct it, or rename the file", param_hint=option
        ) from None
    try:
        mode = Path(given).stat().st_mode if given else 0
    except OSError as error:
        if error.errno not in _NO_FILE:
            raise click.BadParameter(
                f"{given} cannot be read: {error.strerror}", param_hint=option
            ) from error
        mode = 0
    except ValueError:  # a null character: no file, then
        mode = 0
    if stat.S_ISREG(mode):
        return Path(given)
    if mode:
        kind = "a folder" if stat.S_ISDIR(mode) else "no regular file"
        raise click.BadParameter(
            f"{shown(given)} is {kind}; name one file, or give {what} in words", param_hint=option
        )
    if _looks_like_path(given):
        raise click.BadParameter(
            f"{shown(given)} looks like a file, and there is none; correct it, or give {what} in "
            "words",
            param_hint=option,
        )
    return None


def _looks_like_path(given: str) -> bool:
    """Tell a mistyped path, which must not be taken for a text, from words and from addresses."""
    if "://" in given:
        return False
    return bool(_DOCUMENT.search(given)) or (os.sep in given and " " not in given)


def read_text(path: Path) -> str:
    """Return the content of a text file in UTF-8; raises FileError."""
    from sayso.models.files import read_bounded

    try:
        content = read_bounded(path, _LONGEST_TEXT)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise FileError(f"{path} is not a text in UTF-8") from None
    if len(content) > _LONGEST_TEXT:
        raise FileError(f"{path} has more than {_LONGEST_TEXT:,} bytes, which no such text has")
    return text


@contextlib.contextmanager
def lines_of(name: str) -> Iterator[IO[str]]:
    """Open a file, or standard input where it is called ``-``, to be read line by line.

    What is no UTF-8 in it is shown escaped, and so is no longer what was written. Raises
    FileError.
    """
    try:
        with click.open_file(name, encoding="utf-8", errors="backslashreplace") as lines:
            yield lines
    except OSError as error:
        raise FileError(f"{name} cannot be read: {error.strerror or error}") from error


@contextlib.contextmanager
def written(path: Path, *, replace: bool = True) -> Iterator[TextIO]:
    """Write a text file for its owner alone: it is there when all of it is on the disk, or not.

    Raises FileError, without ``replace`` also for a path that is taken.
    """
    with _told(path):
        require_writable(path)
        temporary = path.parent / f".tmp-{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8", newline="\n") as file:  # noqa: PTH123
            yield file
            with _told(path):
                file.flush()
                os.fsync(descriptor)
        with _told(path):
            put_in_place(temporary, path, replace=replace)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(path.parent)


def require_writable(path: Path) -> None:
    """Raise FileError where ``path`` is something that no file should take the place of."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror or error}") from error
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "no regular file"
        raise FileError(f"{path} is {kind}: name a file")


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror or error}") from error
