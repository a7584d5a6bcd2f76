"""Folders of files that people have: which are pictures, by their content, and what is passed over.

A file is a picture when its first bytes are one's, whatever it is called, or when it is called
like one: then it is for the decoder to say what is wrong with it. All else is passed over and
named with its reason, so that nothing is left out in silence.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from sayso.errors import UnreadablePicture
from sayso.pictures import PICTURE_SUFFIXES
from sayso.vision.containers import raw_name, sniff

Reason = Literal[
    "apple-double",
    "hidden",
    "link-to-folder",
    "link-to-nowhere",
    "not-a-file",
    "not-a-picture",
    "not-of-a-person",
    "output",
    "same-file",
    "subfolder",
    "system",
]
#: Why something was passed over, as messages have it.
WHY: Final[dict[Reason, str]] = {
    "apple-double": "AppleDouble, what a Mac keeps beside a file",
    "hidden": "hidden",
    "link-to-folder": "a link to a folder, which is not followed",
    "link-to-nowhere": "a link that leads nowhere",
    "not-a-file": "not a regular file",
    "not-a-picture": "not a picture that Sayso knows",
    "not-of-a-person": "not in a person's folder",
    "output": "where the copies go",
    "same-file": "the same file as another one",
    "subfolder": "a subfolder, entered with --recursive only",
    "system": "kept by a system for itself",
}
#: What systems put among pictures; some of the folders hold small copies of every picture.
_SYSTEM: Final = frozenset(
    {
        *(".ds_store", ".localized", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"),
        *("@eadir", "__macosx", "$recycle.bin", "system volume information", "lost+found"),
    }
)
_APPLE_DOUBLE: Final = b"\x00\x05\x16\x07"
#: As much of a file as ``sniff`` looks at.
_HEAD: Final = 256


@dataclass(frozen=True, slots=True)
class PassedOver:
    """Something in a folder that is not taken for a picture, and why."""

    path: Path
    reason: Reason


@dataclass(frozen=True, slots=True)
class Listing:
    """The pictures that were meant, what was passed over, and what could not be looked at.

    ``barren`` has an error for each folder that was named and has no picture to be seen.
    """

    pictures: tuple[Path, ...]
    passed_over: tuple[PassedOver, ...] = ()
    failures: tuple[UnreadablePicture, ...] = ()
    barren: tuple[UnreadablePicture, ...] = ()


def look_through(
    paths: Sequence[Path], *, recursive: bool = False, output: Path | None = None
) -> Listing:
    """Return the pictures among ``paths`` and in the folders among them, in order of name.

    A path that is not a folder was named on purpose: it is left to the reading, whatever is in it,
    unless it is a file that came before. Only with ``recursive`` subfolders are entered, after the
    files beside them; links to folders never are, so that no loop can be. The folder ``output`` is
    not entered.
    """
    walk = _Walk(recursive, output)
    for path in paths:
        # Unlike Path.is_dir, this takes a name that cannot be looked at for no folder.
        if os.path.isdir(path):  # noqa: PTH112
            walk.enter(path)
        else:
            walk.take(path)
    return Listing(
        tuple(walk.pictures), tuple(walk.passed_over), tuple(walk.failures), tuple(walk.barren)
    )


class _Walk:
    """What was found so far; files are known again by device and inode."""

    def __init__(self, recursive: bool, output: Path | None) -> None:
        self.pictures: list[Path] = []
        self.passed_over: list[PassedOver] = []
        self.failures: list[UnreadablePicture] = []
        self.barren: list[UnreadablePicture] = []
        self._recursive = recursive
        self._output = None if output is None else identity(output)
        self._seen: set[tuple[int, int]] = set()

    def enter(self, folder: Path) -> None:
        """Look through a folder; no stack of calls grows with its depth."""
        before = len(self.pictures), len(self.failures)
        folders = [folder]
        while folders:
            # Those of one folder come before those of the next beside it.
            folders += reversed(list(self._one(folders.pop())))
        if (len(self.pictures), len(self.failures)) == before:
            below = any(
                each.reason == "subfolder" and each.path.is_relative_to(folder)
                for each in self.passed_over
            )
            hint = "; its subfolders were not entered (--recursive enters them)" if below else ""
            self.barren.append(
                UnreadablePicture(f"{folder}: the folder has no pictures in it{hint}")
            )

    def take(self, path: Path) -> None:
        """Take a file for a picture, unless it came before."""
        found = identity(path)
        if found is not None and found in self._seen:
            self.passed_over.append(PassedOver(path, "same-file"))
            return
        if found is not None:
            self._seen.add(found)
        self.pictures.append(path)

    def _one(self, folder: Path) -> Iterator[Path]:
        """Look at what is directly in a folder; yield the folders to enter, in order."""
        try:
            names = sorted(os.listdir(folder))  # noqa: PTH208
        except OSError as error:
            self._fail(folder, error)
            return
        for name in names:
            path = folder / name
            try:
                reason = self._reason(path)
            except OSError as error:
                self._fail(path, error)
                continue
            if reason == "subfolder" and self._recursive:
                yield path
            elif reason is None:
                self.take(path)
            else:
                self.passed_over.append(PassedOver(path, reason))

    def _reason(self, path: Path) -> Reason | None:
        """Return why something is passed over, None for a picture; raises OSError."""
        if (reason := reason_by_name(path)) is not None:
            return reason
        linked = stat.S_ISLNK(path.lstat().st_mode)
        try:
            found = path.stat()
        except FileNotFoundError:
            if linked:
                return "link-to-nowhere"
            raise
        if stat.S_ISDIR(found.st_mode):
            if (found.st_dev, found.st_ino) == self._output:
                return "output"
            return "link-to-folder" if linked else "subfolder"
        if not stat.S_ISREG(found.st_mode):
            return "not-a-file"
        return None if is_picture(path) else "not-a-picture"

    def _fail(self, path: Path, error: OSError) -> None:
        self.failures.append(UnreadablePicture(f"{path}: {error.strerror or error}"))


def reason_by_name(path: Path) -> Reason | None:
    """Return why something is passed over whose name says so; raises OSError."""
    name = path.name
    if name.casefold() in _SYSTEM:
        return "system"
    if not name.startswith("."):
        return None
    double = name.startswith("._") and _head(path).startswith(_APPLE_DOUBLE)
    return "apple-double" if double else "hidden"


def is_picture(path: Path) -> bool:
    """Return whether a file's first bytes are a picture's, or its name is; raises OSError."""
    if path.suffix.lower() in PICTURE_SUFFIXES:
        return True
    head = _head(path)
    if raw_name(head) is not None:  # so that it is refused by its name
        return True
    form = sniff(head)
    # "BM" begins many a text, too; in a picture four zeros follow the length.
    return form is not None and (form != "BMP" or head[6:10] == bytes(4))


def _head(path: Path) -> bytes:
    """Return the first bytes of a regular file, and of all else none; raises OSError."""
    if not stat.S_ISREG(path.stat().st_mode):
        return b""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.read(descriptor, _HEAD)
    finally:
        os.close(descriptor)


def identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from all others; None where there is none to be seen."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino
