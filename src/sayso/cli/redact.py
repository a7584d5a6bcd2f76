"""``sayso redact``: copies of pictures with everybody covered but those who agreed to be seen."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sayso.cli.copies import OUTPUT, Copies
from sayso.cli.gallery import gallery
from sayso.cli.lines import asked_of
from sayso.cli.notes import tell_undeclared
from sayso.cli.output import count, json_option, print_json, shown
from sayso.cli.pictures import (
    Job,
    complain_of,
    job_of,
    place,
    recursive_option,
    require_models,
)
from sayso.cli.standing import Standing

if TYPE_CHECKING:
    from sayso.redaction.types import Style
    from sayso.results import Redacted

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
@click.argument("output", metavar=OUTPUT, callback=place)
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
@click.option(
    "--jsonl",
    "record",
    metavar="FILE",
    callback=place,
    help="Where each copy of several pictures is recorded as it is made, one a line, for --resume "
    "to go on from: beside the manifest, with an l behind its name, unless given. It names those "
    "who are kept.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Go on after an interruption, or with pictures that came since: leave out those whose "
    "copies are there, of the same picture with the same options. Where somebody who is shown has "
    "withdrawn, the copy is made anew.",
)
@recursive_option
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
    record: Path | None,
    resume: bool,
    recursive: bool,
    force: bool,
    as_json: bool,
) -> int:
    """Copy a picture, or those of a folder, with everybody covered who did not agree.

    Only those stay visible who are recognised by the collection's rule, at a similarity of 50 or
    more, and whose consent covers the purpose. Unsure means covered. Copies have no metadata but
    their colours' profile.

    OUTPUT is a file for one picture, and a folder for several. A format that cannot be written,
    such as HEIC, becomes .jpg. With --json the manifest is printed, too: for one picture an object,
    and for several or a folder an array of them. Copies of pictures in subfolders are put into
    OUTPUT itself.
    """
    with contextlib.ExitStack() as stack:
        app = stack.enter_context(gallery())
        rule = app.collection(collection).rule  # refuse before any work is done
        job = job_of(inputs, as_json=as_json, recursive=recursive, output=output)
        _check(job, by_hand=bool(cover or uncover), recorded=bool(resume or record))
        copies = Copies(output, manifest, record, job, force=force, resume=resume)
        require_models()
        if job.many:
            asked = asked_of(
                "redact",
                collection=collection,
                purpose=purpose,
                style=style,
                thorough=thorough,
                rule=[rule.max_expected, rule.per],
                version=app.template_version,
            )
            stack.callback(copies.close)
            copies.open(asked, lambda: Standing.of(app, collection, purpose))

        def look(path: Path, data: bytes) -> Redacted:
            return app.redact(
                collection,
                data,
                purpose=purpose,
                style=style,
                cover=cover,
                uncover=uncover,
                thorough=thorough,
                suffix=copies.targets[path].suffix,
            )

        def show(path: Path, redacted: Redacted) -> None:
            # After its line: a copy that is there is one that the next run knows.
            copies.write(path, redacted)
            complain_of(path, redacted.notices)
            if not as_json:
                told = _tally([copies.done[path]])
                click.echo(f"{shown(path)} -> {shown(copies.targets[path])}: {told}")

        try:
            well = job.run("redacting", look, show, copies.lines)
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


def _check(job: Job, *, by_hand: bool, recorded: bool) -> None:
    """Raise a usage error for what is for one picture, or for several, and not for these."""
    if job.many and by_hand:
        raise click.UsageError("--cover and --uncover are for one picture at a time")
    if not job.many and recorded:
        raise click.UsageError("--resume and --jsonl are for several pictures, or a folder")


def _tally(done: Iterable[dict[str, Any]]) -> str:
    """Count the faces of manifests of copies."""
    faces = covered = kept = 0
    for each in done:
        faces += len(each["faces"])
        covered, kept = covered + each["covered"], kept + each["kept"]
    return f"{count(faces, 'face')}, {covered:,} covered, {kept:,} kept"
