"""Make the calibration that ships: ``python -m benchmarks.calibration``.

Overall false-match rates from all pairs of different people in LFW, the worst group's from the
templates in ``calibration/`` (Balanced Faces in the Wild, labels of that set). Of either only the
table of rates is kept.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta
from tests.data import data_folder

from benchmarks import lfw
from benchmarks.verification import impostor_scores
from sayso.evidence.calibration import Calibration, dumps

TARGET = Path(__file__).resolve().parent.parent / "src/sayso/evidence/calibrations"
_GRID = np.round(np.arange(0.0, 0.9001, 0.005), 4)
_CONFIDENCE = 0.95
#: LFW lists these people twice, under two names or spellings: pairs of them are no strangers.
_LISTED_TWICE = (
    ("Chyung_Dai-chul", "Dai_Chul_Chyung"),
    ("Cristina_Fernandez", "Cristina_Kirchner"),
    ("Felipe_De_Borbon", "Prince_Felipe"),
    ("Hasan_Wirayuda", "Hassan_Wirajuda"),
    ("John_Barnett", "John_Burnett"),
    ("John_Gruden", "Jon_Gruden"),
    ("Joseph_Blatter", "Sepp_Blatter"),
    ("Mireya_Elisa_Moscoso_Rodriguez", "Mireya_Moscoso"),
    ("Nan_Wang", "Wang_Nan"),
)
#: Pictures that show a person of another name in the set, unlike the rest of their own.
_MISLABELLED = (
    "Diana_Taurasi/Diana_Taurasi_0002.jpg",
    "Diana_Taurasi/Diana_Taurasi_0001.jpg",
    "Flor_Montulo/Flor_Montulo_0002.jpg",
    "Lane_Bryant/Lane_Bryant_0001.jpg",
    "Martha_Bowen/Martha_Bowen_0002.jpg",
)
#: Two identities of one group whose pictures are this alike on average are one person who stands
#: in the set twice: two strangers never are, over 25 times 25 pairs.
_SAME_PERSON = 0.45
_CLEARLY = 0.1


def main() -> str:
    data = lfw.load("balanced")
    everybody = upper_bounds(_lfw_impostors(data))
    worst = np.zeros(len(_GRID))
    lines = []
    for group, scores in _groups():
        bounds = upper_bounds(scores)
        worst = np.maximum(worst, bounds)
        at = [f"{bounds[int(np.searchsorted(_GRID, cosine))]:.1e}" for cosine in (0.4, 0.5, 0.6)]
        lines.append(f"{group}: {len(scores)} pairs, FMR at .4, .5, .6 at most {', '.join(at)}")
    calibration = Calibration(
        "sface-2021dec",
        "everybody: all pairs of pictures of different people among the 7,701 pictures of Labeled "
        "Faces in the Wild, View 2, balanced mode, without nine people listed twice and five "
        "mislabelled pictures; worst_group: the highest of eight groups of 50 "
        "people each of Balanced Faces in the Wild, pairs within a group, without people "
        "who stand in it twice and pictures filed under somebody else, single embeddings on "
        "CenterFace landmarks",
        _GRID,
        everybody,
        worst,
    )
    TARGET.mkdir(exist_ok=True)
    (TARGET / "sface-2021dec.json").write_text(dumps(calibration), "utf-8")
    for similarity in (50, 60, 70, 75, 80, 85, 87.5, 90, 95):
        cosine = calibration.cosine(similarity)
        rates = calibration.false_match_rate(np.array([cosine + 1e-6], np.float32))
        lines.append(f"similarity {similarity}: cosine {cosine:.3f}, worst group {rates[0]:.1e}")
    return "\n".join(lines)


def upper_bounds(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Upper confidence bounds of the share of scores at or above each cosine of the grid."""
    ranked = np.sort(scores)
    above = len(ranked) - np.searchsorted(ranked, _GRID.astype(np.float32), side="left")
    bounds = beta.ppf(_CONFIDENCE, above + 1, np.maximum(len(ranked) - above, 1))
    falling: NDArray[np.float64] = np.minimum.accumulate(np.where(above == len(ranked), 1, bounds))
    return falling


def _lfw_impostors(data: lfw.Lfw) -> NDArray[np.float32]:
    """All pairs of different people, once the set's mislabelled ones are mended or left out."""
    people = [name.split("/")[0] for name in data.names]
    other_name = {second: first for first, second in _LISTED_TWICE}
    people = [other_name.get(person, person) for person in people]
    identities = np.unique(people, return_inverse=True)[1]
    kept = np.array([name not in _MISLABELLED for name in data.names])
    return impostor_scores(replace(data, identities=identities[kept]), data.templates[kept])


def _groups() -> list[tuple[str, NDArray[np.float32]]]:
    """Per group the scores of all pairs of different people in it."""
    folder = data_folder()
    if folder is None:
        sys.exit("the calibration material is not here: set SAYSO_TEST_DATA")
    with np.load(folder / "calibration" / "group_templates.npz") as kept:
        templates = kept["templates"].astype(np.float32)
        identities, groups = kept["identity"], kept["group"]
    templates /= np.linalg.norm(templates, axis=1, keepdims=True)
    return [
        (str(group), _impostors(templates[groups == group], identities[groups == group]))
        for group in np.unique(groups)
    ]


def _impostors(
    templates: NDArray[np.float32], identities: NDArray[np.int16]
) -> NDArray[np.float32]:
    names = np.unique(identities)
    scores = templates @ templates.T
    kept = ~_filed_wrongly(scores, identities, names)
    parts = []
    for position, name in enumerate(names):
        for other in names[position + 1 :]:
            block = scores[np.ix_((identities == name) & kept, (identities == other) & kept)]
            if block.size and block.mean() < _SAME_PERSON:
                parts.append(block.ravel())
    return np.concatenate(parts)


def _filed_wrongly(
    scores: NDArray[np.float32], identities: NDArray[np.int16], names: NDArray[np.int16]
) -> NDArray[np.bool_]:
    """Pictures clearly more like another person's, on average, than like the rest of their own."""
    means = np.stack([scores[:, identities == name].mean(axis=1) for name in names], axis=1)
    own = np.searchsorted(names, identities)
    rows = np.arange(len(identities))
    count = np.bincount(own)[own]
    # A picture's cosine with itself is no evidence.
    mine = (means[rows, own] * count - 1) / np.maximum(count - 1, 1)
    means[rows, own] = -1
    wrong: NDArray[np.bool_] = means.max(axis=1) > mine + _CLEARLY
    return wrong


if __name__ == "__main__":
    print(main())
