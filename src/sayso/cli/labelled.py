"""What the commands share that measure a folder of pictures whose people are known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sayso.cli.files import FileError, require_writable
from sayso.cli.output import complain, count
from sayso.cli.progress import PictureProgress

if TYPE_CHECKING:
    from sayso.core import Sayso
    from sayso.evaluation.folder import LabelledFolder, Measured
    from sayso.vision.types import Mode


def read_labelled(folder: Path, groups: Path | None, *, pairs: bool) -> LabelledFolder:
    """Read a labelled folder as ``labelled_folder`` does, and say who has no group."""
    from sayso.evaluation.folder import labelled_folder

    labelled = labelled_folder(folder, groups, pairs=pairs)
    unlabelled = sum(each is None for each in labelled.groups)
    if groups is not None and unlabelled:
        people = count(unlabelled, "person").replace("persons", "people")
        complain(f"{groups}: {people} of {len(labelled.names):,} without a group")
    return labelled


def measure(app: Sayso, folder: LabelledFolder, mode: Mode) -> Measured:
    """Make a template of each picture, and show how far that is."""
    what = f"measuring {len(folder.files):,} pictures"
    with PictureProgress(what, len(folder.files)) as progress:
        return app.measure(folder, mode=mode, progress=progress.advance)


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
