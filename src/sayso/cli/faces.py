"""``sayso faces``: every face of a picture, compared with nobody's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sayso.cli.documents import of_face, of_picture
from sayso.cli.output import count, json_option, print_json, print_table, shown
from sayso.cli.pictures import (
    Annotations,
    job_of,
    mode_option,
    out_option,
    pictures_argument,
    require_models,
)

if TYPE_CHECKING:
    from sayso.vision.types import Analysis, Mode


@click.command(short_help="Find every face in pictures.")
@pictures_argument
@mode_option
@json_option
@out_option
def faces(pictures: tuple[Path, ...], mode: Mode, as_json: bool, out: Path | None) -> int:
    """Find every face in pictures, or in folders of pictures; nobody is looked for.

    With --json, one picture gives an object, and several or a folder an array of them.
    """
    job = job_of(pictures, as_json=as_json)
    annotations = Annotations(out, job)
    require_models()
    from sayso.cli.gallery import any_gallery
    from sayso.vision.annotation import FaceLabel

    documents: list[dict[str, Any]] = []

    def look(path: Path) -> tuple[Path, Analysis]:
        data = job.read(path)
        analysis = app.detect(data, mode=mode)
        if annotations:
            labels = [FaceLabel(face.box) for face in analysis.faces]
            annotations.write(path, job.decode(data), labels)
        return path, analysis

    def show(result: tuple[Path, Analysis]) -> None:
        path, analysis = result
        if as_json:
            found = [of_face(face) for face in analysis.faces]
            documents.append(of_picture(path, analysis.width, analysis.height, found))
        else:
            _print(path, analysis)

    with any_gallery() as app:
        well = job.run("finding faces", look, show)
    if as_json and (job.many or documents):
        print_json(documents if job.many else documents[0])
    return 0 if well else 1


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
