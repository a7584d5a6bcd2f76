"""What a search finds at a similarity of 80, and where the collection's rule alone decides.

One picture of each of many people of LFW is enrolled; searched for are their other pictures, and
pictures of people who are not enrolled. Pictures are looked at by the sheet, as in the tests.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tests.lfw_faces import by_name

from benchmarks import lfw
from benchmarks.calibration import LISTED_TWICE, MISLABELLED, TWINS
from sayso.analyzer import Analyzer
from sayso.evidence import calibration
from sayso.evidence.calibration import Calibration
from sayso.evidence.decision import Decision
from sayso.evidence.rule import FalseMatchRule

SIZES = (1_000, 4_000)
#: Pictures of a person that are searched for, at most.
MOST_PROBES = 3
_ASKED = (80.0, 0.0)


@dataclass(frozen=True, slots=True)
class Probes:
    """Templates float32 (n, d), and whose they are: int64 (n,) rows of the gallery, or -1."""

    templates: NDArray[np.float32]
    owners: NDArray[np.int64]


def main() -> str:
    templates = _templates()
    rows = [_row(templates, size, asked) for size in SIZES for asked in _ASKED]
    head = (
        "people enrolled",
        "asked",
        "needed",
        "pictures of the enrolled: found",
        "pictures of strangers: named",
    )
    lines = ["| " + " | ".join(each) + " |" for each in (head, ("---",) * len(head), *rows)]
    about = (
        f"One picture each of people of LFW is enrolled, drawn at random; at most {MOST_PROBES} "
        "others of each are searched for, and as many of everybody who is not enrolled. Asked is "
        "the caller's similarity; the rule is at most 0.01 expected false matches in a picture, of "
        "one face each. Found means that the right person comes first."
    )
    return "\n".join(("## Defaults", "", about, "", *lines))


def _templates() -> dict[str, NDArray[np.float32]]:
    """Return float32 (n, d) of each person, by name, of those who are rightly labelled."""
    doubtful = {name for names in (*LISTED_TWICE, *TWINS) for name in names}
    images = lfw.folder() / "images"
    paths = [
        path
        for path in sorted(images.glob("*/*.jpg"))
        if path.parent.name not in doubtful
        and f"{path.parent.name}/{path.name}" not in MISLABELLED
        and int(path.stem[-4:]) <= MOST_PROBES + 1
    ]
    found: dict[str, list[NDArray[np.float32]]] = {}
    for path, template in by_name(paths, Analyzer()):
        found.setdefault(path.parent.name, []).append(template)
    return {name: np.stack(each) for name, each in found.items()}


def _row(templates: dict[str, NDArray[np.float32]], size: int, asked: float) -> tuple[str, ...]:
    known = calibration.default()
    chance = np.random.default_rng(size)
    names = [sorted(templates)[place] for place in chance.permutation(len(templates))]
    enrolled, others = names[:size], names[size:]
    gallery = np.stack([templates[name][0] for name in enrolled])
    mated = _probes([templates[name][1:] for name in enrolled], range(len(enrolled)))
    strangers = _probes([templates[name][:MOST_PROBES] for name in others], [-1] * len(others))
    decision = Decision(known, FalseMatchRule(), asked, probes=1)
    least = decision.least_score(len(gallery))
    found = int((mated.owners == _first(known, mated, gallery, least)).sum())
    named = int((_first(known, strangers, gallery, least) >= 0).sum())
    needed = decision.threshold(len(gallery)).similarity
    return (
        f"{len(gallery):,}",
        f"{asked:g}" if asked else "nothing",
        "not measured" if needed is None else f"{needed:.1f}",
        f"{found:,} of {len(mated.owners):,} ({found / len(mated.owners):.1%})",
        f"{named:,} of {len(strangers.owners):,}",
    )


def _probes(templates: list[NDArray[np.float32]], owners: range | list[int]) -> Probes:
    whose = np.repeat(np.array(owners, np.int64), [len(each) for each in templates])
    return Probes(np.concatenate(templates), whose)


def _first(
    known: Calibration, probes: Probes, gallery: NDArray[np.float32], least: float
) -> NDArray[np.int64]:
    """Return who comes first for each probe, int64 (n,), -2 where nobody reaches ``least``."""
    scores = known.between(probes.templates, gallery)
    best = scores.argmax(axis=1)
    reached = scores[np.arange(len(best)), best] >= least
    return np.where(reached, best, -2).astype(np.int64)


if __name__ == "__main__":
    print(main())
