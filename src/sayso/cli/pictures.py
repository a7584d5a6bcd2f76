"""What the commands that take pictures share: arguments, reading, carrying on, annotated copies."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from sayso.cli.output import complain, count, print_json, shown
from sayso.cli.passed_over import tell_passed_over
from sayso.cli.progress import PictureProgress, TerminalProgress
from sayso.errors import PictureError, SaysoError
from sayso.folders import PassedOver, identity, look_through
from sayso.models.files import write_atomically
from sayso.pictures import PICTURE_SUFFIXES, read_picture_file

if TYPE_CHECKING:
    from sayso.cli.lines import Lines
    from sayso.vision.annotation import FaceLabel
    from sayso.vision.limits import PictureLimits
    from sayso.vision.types import Picture

T = TypeVar("T")

#: What the names of annotated pictures may end in.
_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


class OutputError(SaysoError):
    """An annotated picture cannot be written."""


pictures_argument = click.argument(
    "pictures",
    metavar="PICTURE...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path),
)
mode_option = click.option(
    "--mode",
    type=click.Choice(["fast", "balanced", "thorough"]),
    default="balanced",
    show_default=True,
    help="How much work goes into finding faces.",
)

recursive_option = click.option(
    "--recursive", is_flag=True, help="Look into the subfolders of folders, too."
)


def place(context: click.Context, option: click.Parameter, value: str | None) -> Path | None:
    """Read where copies go; the empty name, which Path takes for this folder, is no place."""
    if value == "":
        raise click.BadParameter("the name is empty; name a file or a folder", context, option)
    return None if value is None else Path(value)


out_option = click.option(
    "--out",
    metavar="ANNOTATED",
    callback=place,
    help="Write the picture with its faces boxed: a file, or a folder for several pictures. A "
    "file that is there already is replaced, unless it is one of the pictures.",
)


@dataclass(frozen=True, slots=True)
class Job:
    """The pictures of one command: ``many`` when a list was asked for, not one picture.

    ``failures`` says which folders and files could not be looked at, and why; ``passed_over`` what
    of the folders was not taken for a picture.
    """

    paths: tuple[Path, ...]
    many: bool
    limits: PictureLimits
    failures: tuple[PictureError, ...] = ()
    passed_over: tuple[PassedOver, ...] = ()

    def read(self, path: Path) -> bytes:
        """Return the bytes of a picture; raises PictureError."""
        return read_picture_file(path, self.limits)

    def decode(self, data: bytes) -> Picture:
        """Return a picture's pixels, reduced where there are too many; raises PictureError."""
        from sayso.vision.picture import decode

        return decode(data, self.limits, whole=False)

    def tell_failures(self) -> bool:
        """Tell of the folders that gave no pictures on standard error; True when there are none."""
        for failure in self.failures:
            complain(shown(str(failure)))
        return not self.failures

    def run(
        self,
        what: str,
        work: Callable[[Path, bytes], T],
        show: Callable[[Path, T], None],
        lines: Lines[T] | None = None,
    ) -> bool:
        """Do ``work`` on each picture's bytes and ``show`` its result; True when all went well.

        A picture or folder that fails is reported on standard error, and the rest go on. With
        ``lines`` each result is written there before it is shown, and those that are there already
        are left out. What was passed over is reported in the end, also of an interrupted job.
        """
        well = self.tell_failures()
        todo = [path for path in self.paths if lines is None or path not in lines]
        if len(todo) < len(self.paths):
            complain(f"{len(self.paths) - len(todo):,} of {len(self.paths):,} were done before")
        done = 0
        try:
            with PictureProgress(what, len(todo)) as progress:
                for path in todo:
                    try:
                        data = self.read(path)
                        result = work(path, data)
                    except PictureError as error:
                        well = well and isinstance(error, PictureSkipped)
                        if lines is not None:
                            lines.fail(path, about(path, error))
                        with progress.paused():
                            complain(shown(about(path, error)))
                    else:
                        if lines is not None:
                            lines.add(path, data, result)
                        with progress.paused():
                            show(path, result)
                    done += 1
                    progress.advance()
        except KeyboardInterrupt:
            hint = "" if lines is None else lines.hint
            complain(f"stopped after {done:,} of {count(len(todo), 'picture')}{hint}")
            raise
        finally:
            tell_passed_over(self.passed_over)
        if lines is not None:
            lines.finish(self.paths, self.passed_over)
        return well


class PictureSkipped(PictureError):
    """A picture is left out, and that is no failure of the job; a later run tries it again."""


def job_of(
    pictures: Sequence[Path],
    *,
    as_json: bool = False,
    recursive: bool = False,
    output: Path | None = None,
) -> Job:
    """Return what is to be done; raises PictureError when no picture is left to look at.

    That is so only of folders, for which ``as_json`` promises an array: an empty one, then.
    ``recursive`` enters subfolders, but not ``output``, where copies go.
    """
    from sayso.settings import load_settings

    # os.path, here and below: Path's own questions raise for a name that cannot be looked at.
    many = len(pictures) > 1 or os.path.isdir(pictures[0])  # noqa: PTH112
    found = look_through(pictures, recursive=recursive, output=output)
    failures = (*found.failures, *found.barren)
    if not found.pictures:
        tell_passed_over(found.passed_over)
        for failure in failures[:-1]:
            complain(shown(str(failure)))
        if as_json:
            print_json([])
        raise failures[-1]
    limits = load_settings().picture_limits
    return Job(found.pictures, many, limits, failures, found.passed_over)


def about(path: Path, error: SaysoError) -> str:
    """Return an error's message, beginning with the picture that it is about."""
    message = str(error)
    return message if message.startswith(str(path)) else f"{path}: {message}"


def complain_of(path: Path, notices: Iterable[str]) -> None:
    """Say on standard error what people are to know of a picture's file."""
    for each in notices:
        complain(shown(f"{path}: {each}"))


def require_models() -> None:
    """Install what is missing of the default models, with a progress bar of its own."""
    from sayso.models.store import ModelStore

    store = ModelStore(progress=TerminalProgress())
    for name in store.defaults():
        store.read(name)


class Annotations:
    """Where the annotated copies of a job's pictures go, decided before any work is done."""

    def __init__(self, out: Path | None, job: Job) -> None:
        self._targets = {} if out is None else targets_of(out, job, _SUFFIXES, "--out")

    def __bool__(self) -> bool:
        return bool(self._targets)

    def are_there(self, path: Path) -> bool:
        """Whether the copy of ``path`` is there already, or none is asked for."""
        return not self or self._targets[path].is_file()

    def write(self, path: Path, picture: Picture, labels: Sequence[FaceLabel]) -> None:
        """Write the annotated copy of ``path``; raises OutputError."""
        from sayso.vision.annotation import annotate
        from sayso.vision.encoding import encode

        target = self._targets[path]
        # Boxes are in pixels of the picture itself, also where it was reduced.
        x, y = picture.width / picture.whole[0], picture.height / picture.whole[1]
        fitting = [each.scaled(x, y) for each in labels]
        content = encode(annotate(picture, fitting), target.suffix)
        try:
            write_atomically(target, content)
        except OSError as error:
            raise OutputError(f"{target} cannot be written: {error.strerror or error}") from error


def targets_of(out: Path, job: Job, suffixes: Sequence[str], hint: str) -> dict[Path, Path]:
    """Return where the copy of each picture of a job goes, none of which is one of the pictures.

    A file, or a folder, which is made. ``suffixes`` are what copies can be written as, and ``hint``
    what messages call ``out``. A usage error for what it cannot be; raises OutputError.
    """
    if job.many or os.path.isdir(out):  # noqa: PTH112
        targets = _in_folder(out, job.paths, suffixes, hint)
    else:
        if out.suffix.lower() not in suffixes:
            raise click.BadParameter(
                f"{out} must end in one of {', '.join(suffixes)}", param_hint=hint
            )
        if not os.path.isdir(out.parent):  # noqa: PTH112
            raise OutputError(f"{out} cannot be written: there is no folder {out.parent}")
        targets = {job.paths[0]: out}
    require_others(targets.values(), job, hint)
    return targets


def require_others(targets: Iterable[Path], job: Job, hint: str) -> None:
    """Raise a usage error for a file to be written that is, by any name, one of the pictures."""
    sources = {identity(path) for path in job.paths} - {None}
    for target in targets:
        if identity(target) in sources:
            raise click.BadParameter(
                f"{target} is one of the pictures, and would be overwritten", param_hint=hint
            )


def _in_folder(
    out: Path, paths: Sequence[Path], suffixes: Sequence[str], hint: str
) -> dict[Path, Path]:
    if out.suffix.lower() in PICTURE_SUFFIXES and not os.path.isdir(out):  # noqa: PTH112
        raise click.BadParameter(
            f"{out} is named like a picture; several pictures, or those of a folder, need a folder",
            param_hint=hint,
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise click.BadParameter(
            f"{out} is a file; several pictures need a folder", param_hint=hint
        ) from None
    except OSError as error:
        raise OutputError(f"{out} cannot be made: {error.strerror or error}") from error
    targets: dict[Path, Path] = {}
    taken: set[str] = set()
    for path in dict.fromkeys(paths):
        name = next(name for name in _names(path, suffixes) if _alike(name) not in taken)
        taken.add(_alike(name))
        targets[path] = out / name
    return targets


def place_of(path: Path) -> str:
    """Return what is equal for two names of the same place, also one where nothing is yet.

    A symbolic link itself is a place of its own: whoever writes there replaces the link.
    """
    whole = os.path.realpath(path if path.name in {"", ".."} else path.parent)
    return _alike(whole if path.name in {"", ".."} else os.path.join(whole, path.name))  # noqa: PTH118


def _alike(name: str) -> str:
    """Return what is equal for names that some file systems take for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _names(path: Path, suffixes: Sequence[str]) -> Iterator[str]:
    """Yield names for the copy of ``path``, for when others of that name are there already."""
    suffix = path.suffix if path.suffix.lower() in suffixes else ".jpg"
    yield f"{path.stem}{suffix}"
    number = 2
    while True:
        yield f"{path.stem}-{number}{suffix}"
        number += 1
