"""Which face of a picture is enrolled: ``-m benchmarks.choosing``.

LFW's pictures are each of the person in the middle; others are in one in eight of them.
"""

from __future__ import annotations

import numpy as np

from benchmarks import lfw
from benchmarks.timing import table
from sayso.analyzer import Analyzer
from sayso.choosing import COMPARABLE, choose_row, side
from sayso.core.evaluating import central_face
from sayso.errors import AmbiguousFace, NoFaceFound

_PEOPLE = 600


def main() -> str:
    analyzer = Analyzer()
    people = sorted((lfw.folder() / "images").iterdir())
    chosen = np.random.default_rng(17).permutation(len(people))[:_PEOPLE]
    several = by_size = ambiguous = missing = wrong = 0
    for person in chosen:
        found = analyzer.analyze(min(people[person].glob("*.jpg")), every_turn=True)
        sides = np.array([side(face) for face in found.faces])
        several += len(sides) > 1
        by_size += len(sides) > 0 and int((sides >= COMPARABLE * sides.max()).sum()) > 1
        try:
            wrong += choose_row(found) != central_face(found)
        except AmbiguousFace:
            ambiguous += 1
        except NoFaceFound:
            missing += 1
    rows = [
        ("with several faces", several),
        ("with another face of about the largest one's size", by_size),
        ("refused, since it is not clear which face it is", ambiguous),
        ("without a face", missing),
        ("another face is enrolled than the one in the middle", wrong),
    ]
    return "\n".join(
        (
            "## Choosing",
            "",
            f"The first picture of each of {_PEOPLE} people of LFW, as enrolment takes it.",
            "",
            table(("pictures", "how many"), [(name, str(count)) for name, count in rows]),
            "",
        )
    )


if __name__ == "__main__":
    print(main())
