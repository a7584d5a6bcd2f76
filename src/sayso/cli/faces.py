"""``sayso faces``: every face of a picture, compared with nobody's."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sayso.cli.documents import of_face, of_picture
from sayso.cli.lines import (
    Lines,
    are_printed,
    asked_of,
    check_options,
    lines_option,
    resume_option,
)
from sayso.cli.output import count, json_option, print_json, print_table, shown
from sayso.cli.pictures import (
    Annotations,
    complain_of,
    job_of,
    mode_option,
    out_option,
    pictures_argument,
    recursive_option,
    require_models,
)

if TYPE_CHECKING:
    from sayso.vision.types import Analysis, Mode


@click.command(short_help="Find every face in pictures.")
@pictures_argument
@mode_option
@recursive_option
@json_option
@lines_option
@resume_option
@out_option
def faces(
    *,
    pictures: tuple[Path, ...],
    mode: Mode,
    recursive: bool,
    as_json: bool,
    jsonl: str | None,
    resume: bool,
    out: Path | None,
) -> int:
    """Find every face in pictures, or in folders of pictures; nobody is looked for.

    With --json, one picture gives an object, and several or a folder an array of them.
    """
    check_options(jsonl, resume=resume, as_json=as_json)
    job = job_of(pictures, as_json=as_json, recursive=recursive, output=out)
    annotations = Annotations(out, job)
    require_models()
    from sayso.cli.gallery import any_gallery
    from sayso.vision.annotation import FaceLabel

    documents: list[dict[str, Any]] = []

    def look(path: Path, data: bytes) -> Analysis:
        analysis = app.detect(data, mode=mode)
        if annotations:
            labels = [FaceLabel(face.box) for face in analysis.faces]
            annotations.write(path, job.decode(data), labels)
        return analysis

    def show(path: Path, analysis: Analysis) -> None:
        complain_of(path, analysis.notices)
        if as_json:
            documents.append(_document(path, analysis))
        elif not are_printed(jsonl):
            _print(path, analysis)

    with contextlib.ExitStack() as stack:
        app = stack.enter_context(any_gallery())
        lines = None
        if jsonl is not None:
            asked = asked_of("faces", mode=mode, version=app.template_version)
            lines = Lines(jsonl, asked, _document, resume=resume)
            stack.callback(lines.close)
            lines.keep(job.paths, job.read, lambda path, _: annotations.are_there(path))
        well = job.run("finding faces", look, show, lines)
    if as_json and (job.many or documents):
        print_json(documents if job.many else documents[0])
    return 0 if well else 1


def _document(path: Path, analysis: Analysis) -> dict[str, Any]:
    found = [of_face(face) for face in analysis.faces]
    return of_picture(path, analysis.width, analysis.height, found, analysis.notices)


def _print(path: Path, analysis: Analysis) -> None:
    size = f"{analysis.width} x {analysis.height}"
    click.echo(f"{shown(path)}: {count(len(analysis.faces), 'face')} ({size})")
    if not analysis.faces:
        return
    rows = [
        [
            ", ".join(f"{side:.0f}" for side in face.box),
            f"{face.height:.0f}",
            f"{face.score:.2f}",
            f"{face.quality.overall:.0f}",
            f"{face.quality.yaw:+.0f} {face.quality.pitch:+.0f} {face.quality.roll:+.0f}",
            f"{face.quality.sharpness:.0f}",
            f"{face.quality.brightness:.0f}",
        ]
        for face in analysis.faces
    ]
    headers = ["box", "height", "score", "quality", "yaw pitch roll", "sharp", "bright"]
    print_table(headers, rows, right="rrrrrrr")
