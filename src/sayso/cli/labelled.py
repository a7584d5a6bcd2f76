"""What the commands share that measure a folder of pictures whose people are known."""

from __future__ import annotations

import base64
import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from sayso.cli.files import FileError, require_writable
from sayso.cli.lines import Line, Lines, asked_of
from sayso.cli.output import complain, count, shown
from sayso.cli.passed_over import tell_passed_over
from sayso.cli.progress import PictureProgress
from sayso.errors import PictureError
from sayso.pictures import read_picture_file

if TYPE_CHECKING:
    from sayso.core import Sayso
    from sayso.core.evaluating import KeptPicture
    from sayso.evaluation.folder import LabelledFolder, Measured
    from sayso.folders import PassedOver
    from sayso.vision.types import Mode

#: What the core says of a picture in which nobody is to be seen: that is a measurement.
NO_FACE = "no face was found"
#: Pictures that could not be used, of which each is named.
_NAMED = 20


def read_labelled(
    folder: Path, groups: Path | None, *, pairs: bool, recursive: bool = False
) -> LabelledFolder:
    """Read a labelled folder as ``labelled_folder`` does, and say who has no group."""
    from sayso.evaluation.folder import labelled_folder

    labelled = labelled_folder(folder, groups, pairs=pairs, recursive=recursive)
    unlabelled = sum(each is None for each in labelled.groups)
    if groups is not None and unlabelled:
        people = count(unlabelled, "person").replace("persons", "people")
        complain(f"{groups}: {people} of {len(labelled.names):,} without a group")
    return labelled


class Kept:
    """The file of --jsonl of an evaluation: what was made of each picture, its template sealed."""

    def __init__(self, jsonl: str, mode: Mode, version: str, *, resume: bool) -> None:
        asked = asked_of("evaluate", mode=mode, version=version)
        self._lines: Lines[tuple[str, KeptPicture]] = Lines(jsonl, asked, _line_of, resume=resume)
        self._measured: list[Path] = []
        self._passed_over: list[PassedOver] = []

    def measure(
        self, app: Sayso, folder: LabelledFolder, mode: Mode, progress: PictureProgress
    ) -> Measured:
        """Make a template of each picture that has none in the file yet."""
        from sayso.settings import load_settings

        limits = load_settings().picture_limits

        def read(path: Path) -> bytes:
            return read_picture_file(path, limits)

        def keep(picture: KeptPicture) -> None:
            path = folder.root / picture.file
            if picture.sealed is None:
                self._lines.fail(path, picture.why)
                return
            with contextlib.suppress(PictureError):  # it has gone since
                person = picture.file.partition(os.sep)[0]
                self._lines.add(path, read(path), (person, picture))

        paths = [folder.root / file for file in folder.files]
        self._lines.keep(paths, read)
        kept = {
            file: base64.b64decode(self._lines[path]["sealed"])
            for file, path in zip(folder.files, paths, strict=True)
            if path in self._lines
        }
        if kept:
            complain(f"{len(kept):,} of {len(paths):,} were done before")
        self._measured += paths
        self._passed_over += folder.passed_over
        return app.measure(folder, mode=mode, progress=progress.advance, kept=kept, keep=keep)

    def finish(self) -> None:
        """Say that all was measured."""
        self._lines.finish(self._measured, self._passed_over)

    def close(self) -> None:
        """Let go of the file."""
        self._lines.close()

    @property
    def hint(self) -> str:
        """What to say to somebody who interrupts the evaluation."""
        return self._lines.hint


def measure(app: Sayso, folder: LabelledFolder, mode: Mode, kept: Kept | None = None) -> Measured:
    """Make a template of each picture, and show how far that is."""
    what = f"measuring {len(folder.files):,} pictures"
    try:
        with PictureProgress(what, len(folder.files)) as progress:
            if kept is not None:
                return kept.measure(app, folder, mode, progress)
            return app.measure(folder, mode=mode, progress=progress.advance)
    except KeyboardInterrupt:
        complain(f"stopped while {what}{kept.hint if kept is not None else ''}")
        raise


def tell_unlooked(folder: LabelledFolder, measured: Measured) -> bool:
    """Report what was passed over or could not be read; True where everything could be."""
    for each in folder.unread:
        complain(shown(each))
    unread = [(file, why) for file, why in measured.failures if why != NO_FACE]
    for file, why in unread[:_NAMED]:
        complain(shown(f"{folder.root / file}: {why}"))
    if len(unread) > _NAMED:
        complain(f"and {len(unread) - _NAMED:,} more pictures could not be used")
    tell_passed_over(folder.passed_over)
    return not unread and not folder.unread


def _line_of(_: Path, made: tuple[str, KeptPicture]) -> Line:
    person, picture = made
    sealed = picture.sealed or b""
    return {
        "person": person,
        "faces": picture.faces,
        "quality": picture.quality,
        "why": picture.why or None,
        "sealed": base64.b64encode(sealed).decode(),
    }


def name_of(folder: Path) -> str:
    """Return the name of a folder: where it lies on this machine is not the reader's business."""
    return folder.name or str(folder)


def today() -> str:
    """Return the date, here."""
    from datetime import datetime

    return datetime.now().astimezone().date().isoformat()


def require_room(target: Path) -> None:
    """Raise FileError before the work rather than after it, where a file cannot be written."""
    try:
        there = target.parent.is_dir()
    except ValueError as error:  # a name with a null character
        raise FileError(f"{str(target)!r}: {error}") from None
    if not there:
        raise FileError(f"{target} cannot be written: there is no folder {target.parent}")
    require_writable(target)
