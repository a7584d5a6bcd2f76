"""``sayso recognize``: who of those who agreed is in a picture."""

from __future__ import annotations

import contextlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sayso.cli.documents import of_face, of_picture, of_threshold
from sayso.cli.gallery import collection_argument, gallery
from sayso.cli.lines import (
    Line,
    Lines,
    are_printed,
    asked_of,
    check_options,
    lines_option,
    resume_option,
)
from sayso.cli.notes import tell_undeclared
from sayso.cli.output import (
    UNKNOWN,
    count,
    in_words,
    json_option,
    print_json,
    print_table,
    shown,
)
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
from sayso.cli.standing import Standing

if TYPE_CHECKING:
    from sayso.results import Recognition, Threshold
    from sayso.vision.types import Mode


@click.command(short_help="Name those in pictures who agreed to the purpose.")
@collection_argument
@pictures_argument
@click.option("--purpose", metavar="P", required=True, help="What the names are wanted for.")
@click.option(
    "--min-similarity",
    type=click.FloatRange(0, 100),
    default=0.0,
    help="Name nobody who is less similar than this. The collection's rule decides unless this "
    "asks for more.",
)
@mode_option
@recursive_option
@json_option
@lines_option
@resume_option
@out_option
def recognize(
    *,
    collection: str,
    pictures: tuple[Path, ...],
    purpose: str,
    min_similarity: float,
    mode: Mode,
    recursive: bool,
    as_json: bool,
    jsonl: str | None,
    resume: bool,
    out: Path | None,
) -> int:
    """Name everybody in pictures whose consent covers the purpose; all others are unknown.

    With --json, one picture gives an object, and several or a folder an array of them.
    """
    from sayso.vision.annotation import FaceLabel

    documents: list[dict[str, Any]] = []
    check_options(jsonl, resume=resume, as_json=as_json)
    with contextlib.ExitStack() as stack:
        app = stack.enter_context(gallery())
        rule = app.collection(collection).rule  # refuse before any work is done
        job = job_of(pictures, as_json=as_json, recursive=recursive, output=out)
        annotations = Annotations(out, job)
        require_models()

        def look(path: Path, data: bytes) -> Recognition:
            result = app.recognize(
                collection, data, purpose=purpose, mode=mode, min_similarity=min_similarity
            )
            if annotations:
                labels = [FaceLabel(each.box, each.subject, each.similarity) for each in result]
                annotations.write(path, job.decode(data), labels)
            return result

        def show(path: Path, result: Recognition) -> None:
            complain_of(path, result.notices)
            if as_json:
                documents.append(_document(path, result))
            elif not are_printed(jsonl):
                _print(path, result)

        lines = None
        if jsonl is not None:
            asked = asked_of(
                "recognize",
                collection=collection,
                purpose=purpose,
                mode=mode,
                min_similarity=min_similarity,
                rule=[rule.max_expected, rule.per],
                version=app.template_version,
            )
            lines = Lines(jsonl, asked, _document, resume=resume)
            stack.callback(lines.close)
            standing = Standing.of(app, collection, purpose) if lines.before else None
            lines.keep(
                job.paths,
                job.read,
                lambda path, line: (
                    annotations.are_there(path)
                    and standing is not None
                    and standing.holds(_named(line), line["at"])
                ),
            )
        well = job.run("recognising", look, show, lines)
        if well:
            tell_undeclared(app, collection, purpose)
    if as_json and (job.many or documents):
        print_json(documents if job.many else documents[0])
    return 0 if well else 1


def _document(path: Path, result: Recognition) -> dict[str, Any]:
    faces = [of_face(each.face, each) for each in result]
    document = of_picture(path, result.width, result.height, faces, result.notices)
    return {**document, "threshold": of_threshold(result.threshold)}


def _named(line: Line) -> set[str]:
    return {face["subject"] for face in line["faces"] if face["subject"] is not None}


def _print(path: Path, result: Recognition) -> None:
    named = sum(each.subject is not None for each in result)
    size = f"{result.width} x {result.height}"
    click.echo(f"{shown(path)}: {count(len(result), 'face')}, {named} named ({size})")
    if not len(result):
        return
    _print_threshold(result.threshold)
    rows = [
        [
            each.subject or UNKNOWN,
            "" if each.similarity is None else f"{each.similarity:.1f}",
            in_words(each.expected_false_matches),
            ", ".join(f"{side:.0f}" for side in each.box),
            f"{each.quality.overall:.0f}",
        ]
        for each in sorted(result, key=lambda each: -(each.similarity or 0))
    ]
    headers = ["name", "similarity", "expected false matches", "box", "quality"]
    print_table(headers, rows, right="lrlrr")
    times = Counter(each.subject for each in result if each.duplicate and each.subject)
    for subject, often in times.items():
        click.echo(
            f"  {shown(subject)} is named {often} times: a mirror or a picture in the picture, or "
            "one of the names is wrong"
        )


def _print_threshold(threshold: Threshold) -> None:
    """Say where the collection's rule wanted more than was asked for."""
    if not threshold.raised:
        return
    most = in_words(threshold.max_expected_false_matches)
    rule = f"at most {most} false matches expected in a {threshold.per}"
    looked = f"{count(threshold.probes, 'face')}, {threshold.population:,} enrolled"
    if threshold.similarity is None:
        click.echo(f"  not measured: no similarity is known to keep to {rule} ({looked})")
    else:
        click.echo(f"  named from similarity {threshold.similarity:.1f} on: {rule} ({looked})")
