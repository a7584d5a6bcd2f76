"""``sayso redact``: copies of pictures with everybody covered but those who agreed to be seen."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sayso.cli.files import written
from sayso.cli.gallery import gallery
from sayso.cli.notes import tell_undeclared
from sayso.cli.output import complain, count, json_option, print_json, shown
from sayso.cli.pictures import (
    Job,
    OutputError,
    job_of,
    place,
    place_of,
    require_models,
    require_others,
    targets_of,
)
from sayso.models.files import write_atomically

if TYPE_CHECKING:
    from sayso.redaction.types import Style
    from sayso.results import Redacted

_OUTPUT = "OUTPUT"
_SIDES = 4


def _boxes(
    context: click.Context, option: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[float, ...], ...]:
    """Read boxes such as 10,20,50,70."""
    found: list[tuple[float, ...]] = []
    for value in values:
        try:
            sides = tuple(float(side) for side in value.split(","))
        except ValueError:
            sides = ()
        if len(sides) != _SIDES:
            raise click.BadParameter(
                f"{shown(value)} is no box; give x1,y1,x2,y2 in pixels", context, option
            )
        found.append(sides)
    return tuple(found)


@click.command(short_help="Copy pictures with everybody covered who did not agree.")
@click.argument(
    "inputs",
    metavar="INPUT...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path),
)
@click.argument("output", metavar=_OUTPUT, callback=place)
@click.option("--collection", metavar="C", required=True, help="Who can be recognised.")
@click.option(
    "--purpose", metavar="P", required=True, help="What whoever is to be seen must agree to."
)
@click.option(
    "--style",
    type=click.Choice(["solid", "mosaic", "ellipse"]),
    default="solid",
    show_default=True,
    help="How faces are covered; none can be undone.",
)
@click.option(
    "--cover",
    metavar="X1,Y1,X2,Y2",
    multiple=True,
    callback=_boxes,
    help="Cover the face there, or what is there, in any case; of one picture, several times.",
)
@click.option(
    "--uncover",
    metavar="X1,Y1,X2,Y2",
    multiple=True,
    callback=_boxes,
    help="Show the face there in any case; of one picture, several times. This is on record.",
)
@click.option(
    "--manifest",
    metavar="FILE",
    callback=place,
    help="Where to tell what was covered and kept, and why: OUTPUT.json unless given, beside the "
    "copy or the folder. It names those who are kept.",
)
@click.option(
    "--thorough",
    is_flag=True,
    help="Look for faces more closely: some more are found, in several times the time.",
)
@click.option("--force", is_flag=True, help="Replace files that are there; never a picture given.")
@json_option
def redact(
    *,
    inputs: tuple[Path, ...],
    output: Path,
    collection: str,
    purpose: str,
    style: Style,
    cover: tuple[tuple[float, ...], ...],
    uncover: tuple[tuple[float, ...], ...],
    manifest: Path | None,
    thorough: bool,
    force: bool,
    as_json: bool,
) -> int:
    """Copy a picture, or those of a folder, with everybody covered who did not agree.

    Only those stay visible who are recognised by the collection's rule, at a similarity of 50 or
    more, and whose consent covers the purpose. Unsure means covered. Copies have no metadata but
    their colours' profile.

    OUTPUT is a file for one picture, and a folder for several. A format that cannot be written,
    such as HEIC, becomes .jpg. With --json the manifest is printed, too: for one picture an object,
    and for several or a folder an array of them.
    """
    with gallery() as app:
        app.collection(collection)  # refuse before any work is done
        job = job_of(inputs, as_json=as_json)
        if job.many and (cover or uncover):
            raise click.UsageError("--cover and --uncover are for one picture at a time")
        copies = _Copies(output, manifest, job, force=force)
        require_models()

        def look(path: Path) -> tuple[Path, Redacted]:
            redacted = app.redact(
                collection,
                job.read(path),
                purpose=purpose,
                style=style,
                cover=cover,
                uncover=uncover,
                thorough=thorough,
                suffix=copies.targets[path].suffix,
            )
            copies.write(path, redacted)
            return path, redacted

        def show(done: tuple[Path, Redacted]) -> None:
            path, redacted = done
            if not as_json:
                click.echo(f"{shown(path)} -> {shown(copies.targets[path])}: {_tally([redacted])}")

        try:
            well = job.run("redacting", look, show)
        finally:  # also of what was done before it was interrupted
            copies.tell_earlier()
            copies.write_manifest()
        if well:
            tell_undeclared(app, collection, purpose)
    if as_json:
        if job.many or copies.done:
            print_json(copies.document)
    elif job.many:
        click.echo(f"{count(len(copies.done), 'picture')}: {_tally(copies.done.values())}")
    return 0 if well else 1


class _Copies:
    """Where the copies of a job's pictures and their manifest go, decided before any work is done.

    Nothing that is there is replaced unless ``force``, even if it comes while the job runs; and
    never one of the pictures.
    """

    def __init__(self, output: Path, manifest: Path | None, job: Job, *, force: bool) -> None:
        from sayso.redacted import MEDIA_TYPES

        self.targets = targets_of(output, job, tuple(MEDIA_TYPES), _OUTPUT)
        self.done: dict[Path, Redacted] = {}
        self._many, self._force = job.many, force
        self._manifest = manifest = _beside(output) if manifest is None else manifest
        require_others([manifest], job, "--manifest")
        if place_of(manifest) in {place_of(target) for target in self.targets.values()}:
            raise click.BadParameter(
                f"{manifest} is where a copy goes; name another file", param_hint="--manifest"
            )
        for file in (*self.targets.values(), manifest):
            if not force and os.path.lexists(file):
                raise OutputError(_is_there(file))
        self._earlier = {target for target in self.targets.values() if os.path.lexists(target)}
        for path, target in self.targets.items():
            if target != output and path.suffix.lower() not in MEDIA_TYPES:
                complain(f"{path} becomes {target.name}: {path.suffix} cannot be written")

    @property
    def document(self) -> Any:
        """The manifest: of one picture, or an array of those of several."""
        told = [
            redacted.manifest(str(path), str(self.targets[path]))
            for path, redacted in self.done.items()
        ]
        return told if self._many else told[0]

    def write(self, path: Path, redacted: Redacted) -> None:
        """Write the copy of a picture; raises OutputError."""
        target = self.targets[path]
        try:
            write_atomically(target, redacted.data, replace=self._force)
        except FileExistsError:
            raise OutputError(_is_there(target)) from None
        except OSError as error:
            raise OutputError(f"{target} cannot be written: {error.strerror or error}") from error
        self.done[path] = redacted

    def tell_earlier(self) -> None:
        """Name the copies of an earlier run whose pictures gave none in this one.

        Somebody in them may have withdrawn since, so nobody should take them for new ones.
        """
        for path, target in self.targets.items():
            if target in self._earlier and path not in self.done and os.path.isfile(target):  # noqa: PTH113
                complain(
                    f"{target}: the copy of an earlier run is still there, and was not made anew"
                )

    def write_manifest(self) -> None:
        """Write the manifest, for its owner alone, if there is anything to tell."""
        if not self.done:
            return
        with written(self._manifest, replace=self._force) as file:
            json.dump(self.document, file, allow_nan=False, indent=1)
            file.write("\n")


def _beside(output: Path) -> Path:
    """Return where the manifest goes unless it is said: not into a folder that is published."""
    whole = Path(os.path.abspath(output)) if output.name in {"", ".."} else output  # noqa: PTH100
    if not whole.name:
        raise click.UsageError(f"say with --manifest where the manifest goes, not into {output}")
    return whole.with_name(f"{whole.name}.json")


def _is_there(file: Path) -> str:
    return f"{file} is there already: name another, or use --force"


def _tally(done: Iterable[Redacted]) -> str:
    faces = covered = kept = 0
    for each in done:
        faces, covered, kept = faces + len(each.faces), covered + each.covered, kept + each.kept
    return f"{count(faces, 'face')}, {covered:,} covered, {kept:,} kept"
