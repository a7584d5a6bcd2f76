"""``sayso compare``: how alike the largest faces of two pictures are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sayso.cli.documents import of_face, significant
from sayso.cli.output import in_words, json_option, print_json, print_table, shown
from sayso.cli.pictures import mode_option, require_models

if TYPE_CHECKING:
    from sayso.vision.types import Mode


@click.command(short_help="Compare the largest faces of two pictures.")
@click.argument("a", metavar="A", type=click.Path(path_type=Path))
@click.argument("b", metavar="B", type=click.Path(path_type=Path))
@mode_option
@json_option
def compare(a: Path, b: Path, mode: Mode, as_json: bool) -> None:
    """Compare the largest face of picture A with that of picture B; no gallery is involved."""
    from sayso.cli.gallery import any_gallery
    from sayso.pictures import read_picture_file
    from sayso.settings import load_settings

    limits = load_settings().picture_limits
    for path in (a, b):  # tell a missing picture before a missing model is fetched
        read_picture_file(path, limits)
    require_models()
    with any_gallery() as app:
        result = app.compare(a, b, mode=mode)
    if as_json:
        print_json(
            {
                "a": {"picture": str(a), "face": of_face(result.a)},
                "b": {"picture": str(b), "face": of_face(result.b)},
                "similarity": round(result.similarity, 2),
                "cosine": round(result.cosine, 6),
                "false_match_rate": significant(result.false_match_rate),
            }
        )
        return
    rows = [
        [shown(path), ", ".join(f"{side:.0f}" for side in face.box), f"{face.quality.overall:.0f}"]
        for path, face in ((a, result.a), (b, result.b))
    ]
    print_table(["picture", "largest face", "quality"], rows, right="lrr")
    click.echo(f"similarity {result.similarity:.1f} (cosine {result.cosine:.3f})")
    click.echo(
        "pairs of strangers that look at least this alike: at most "
        + in_words(result.false_match_rate)
    )
