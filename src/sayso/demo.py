"""What ``make demo`` shows: one person who agreed is named in a group picture, nobody else is.

The person is astronaut Eileen Collins, in the portrait (NASA, public domain) that scikit-image
ships; the bystanders are tiny faces of its ``lfw_subset``, enlarged. The group picture is composed
here. With pictures named on the command line those are looked at instead.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sayso.cli.gallery import gallery
from sayso.cli.run import run

OUT = Path("out")
COLLECTION, SUBJECT, PURPOSE = "demo", "eileen-collins", "demonstration"


def main() -> int:
    """Enrol the portrait, recognise it in the pictures, print the table, write the pictures."""
    import skimage.data as shipped  # it has no types

    data: Any = shipped

    OUT.mkdir(exist_ok=True)
    portrait = OUT / "portrait.png"
    Image.fromarray(data.astronaut()).save(portrait)
    pictures = sys.argv[1:]
    if not pictures:
        group = OUT / "group.png"
        Image.fromarray(compose(data.astronaut(), data.lfw_subset())).save(group)
        pictures = [str(group)]
    # A gallery of its own: the demonstration touches nobody's data.
    os.environ["SAYSO_DATA"] = str(OUT / "data")
    with gallery(make=True) as app:
        known = {collection.name for collection in app.collections()}
    if COLLECTION not in known:
        _run("collections", "create", COLLECTION)
    evidence = "the portrait is in the public domain and is used to show how this works"
    _run(
        "enroll", COLLECTION, SUBJECT, str(portrait),
        "--purpose", PURPOSE, "--evidence", evidence,
    )  # fmt: skip
    annotated = OUT / "recognised.png" if len(pictures) == 1 else OUT / "recognised"
    status = _run(
        "recognize", COLLECTION, *pictures,
        "--purpose", PURPOSE, "--out", str(annotated),
    )  # fmt: skip
    if status == 0:
        print(f"The annotated picture is {annotated}", file=sys.stderr)  # noqa: T201
    return status


def compose(portrait: NDArray[np.uint8], crops: NDArray[np.float64]) -> NDArray[np.uint8]:
    """A group picture, uint8 (720, 1280, 3) RGB, of one portrait several times and of bystanders.

    ``portrait`` is uint8 (512, 512, 3) RGB; ``crops`` is float (200, 25, 25) grey, faces first.
    """
    canvas = Image.new("RGB", (1280, 720), (196, 190, 180))
    whole = Image.fromarray(portrait)
    for x, y, side, angle, light in [
        (40, 40, 420, 0, 1.0), (520, 60, 260, 14, 0.75), (860, 30, 330, -18, 1.15),
        (90, 500, 170, 0, 0.6), (1010, 430, 230, 25, 0.9),
    ]:  # fmt: skip
        copy = whole.resize((side, side), Image.Resampling.LANCZOS).point(
            lambda value, light=light: min(255, int(value * light))
        )
        canvas.paste(
            copy.rotate(angle, Image.Resampling.BICUBIC, fillcolor=(196, 190, 180)), (x, y)
        )
    for column, crop in enumerate(crops[:8]):
        grey = Image.fromarray((crop * 255).astype(np.uint8)).convert("RGB")
        place = (320 + 165 * (column % 4), 400 + 150 * (column // 4))
        canvas.paste(grey.resize((120, 120), Image.Resampling.BICUBIC), place)
    return np.asarray(canvas)


def _run(*arguments: str) -> int:
    shown = " ".join(shlex.quote(argument) for argument in arguments)
    print(f"$ sayso {shown}", file=sys.stderr, flush=True)  # noqa: T201
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
