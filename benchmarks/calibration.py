"""Make the calibration that ships: ``python -m benchmarks.calibration [OUT.json]``.

Measured on Labeled Faces in the Wild, View 2, and on the templates in ``calibration/`` (Balanced
Faces in the Wild, with the labels of that set). The normaliser that ships is fitted to both, and
rates measured on what it was fitted to would be too low: so people are parted in folds, and the
pairs between two folds, or within one, are scored by a normaliser that was fitted to all other
folds. Of either set only the table of rates and the normaliser are kept.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tests.data import data_folder

from benchmarks import lfw
from benchmarks.normalisation import Source as Fitted
from benchmarks.normalisation import fit
from sayso.evaluation.calibrating import Calibrated, Source, calibrate
from sayso.evaluation.folder import Measured
from sayso.evaluation.groups import group_numbers
from sayso.evidence.calibration import Calibration, dumps, loads
from sayso.models.registry import describe

MODEL = "sface-2021dec"
TARGET = Path(__file__).resolve().parent.parent / f"src/sayso/evidence/calibrations/{MODEL}.json"
#: Raised with the landmarks and the alignment that the templates come from; see ``analyzer``.
TEMPLATE_VERSION = f"{MODEL}/yunet+centerface/1"
#: LFW lists these people twice, under two names or spellings: pairs of them are no strangers.
LISTED_TWICE = (
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
MISLABELLED = (
    "Diana_Taurasi/Diana_Taurasi_0002.jpg",
    "Diana_Taurasi/Diana_Taurasi_0001.jpg",
    "Flor_Montulo/Flor_Montulo_0002.jpg",
    "Lane_Bryant/Lane_Bryant_0001.jpg",
    "Martha_Bowen/Martha_Bowen_0002.jpg",
)
#: Two identities of one group whose pictures are this alike on average are one person who stands
#: in the set twice: two strangers never are, over 25 times 25 pairs.
SAME_PERSON = 0.45
#: A picture that is so much more like another person's, on average, than like its own.
CLEARLY = 0.1
#: These are identical twins, who are told apart by nobody's recogniser.
TWINS = (("Carolina_Moraes", "Isabela_Moraes"), ("Johnny_Htu", "Luther_Htu"))
#: Into so many are people parted: fewer leave less to fit to, more take longer.
FOLDS = 6
_PROVENANCE = (
    "the highest of the rates over pairs of pictures of different people in Labeled Faces in the "
    "Wild, View 2, balanced mode, without people listed twice, mislabelled pictures and pairs of "
    "identical twins ({lfw}); and over pairs within eight groups of 50 people each of Balanced "
    "Faces in the Wild, without people who stand in it twice and pictures filed under somebody "
    "else, on CenterFace landmarks ({groups}). The normaliser was fitted to the same pictures; the "
    "rates are of normalisers fitted without the people whose pairs were counted: {folds} folds, "
    "two of them left out each time"
)


def main(target: Path = TARGET) -> str:
    balanced, other = group_templates(), lfw_templates()
    found = calibrate(
        parted(other, balanced),
        model=MODEL,
        model_sha256=describe(MODEL).sha256,
        template_version=TEMPLATE_VERSION,
        provenance="to be told",
        normaliser=fit(to_fit(balanced), to_fit(other)),
    )
    text = dumps(_described(found))
    calibration = loads(text)
    target.parent.mkdir(exist_ok=True)
    target.write_text(text, "utf-8")
    return "\n".join(_table(calibration, found))


def parted(other: Measured, balanced: Measured, folds: int = FOLDS) -> list[Source]:
    """Both sets in folds of people, each of as many of every group, with their normalisers."""
    both = [(each, folds_of(each, folds)) for each in (other, balanced)]
    without = {}
    for left_out in combinations_with_replacement(range(folds), 2):
        first, second = (to_fit(each, ~np.isin(fold, left_out)) for each, fold in both)
        without[left_out] = fit(second, first)
        if sys.stderr.isatty():
            print(f"\rfitted without folds {left_out}", end="", file=sys.stderr)
    return [Source(each, fold, without) for each, fold in both]


def folds_of(measured: Measured, folds: int) -> NDArray[np.int64]:
    """Return int64 (people,): the fold of each, drawn evenly within each group."""
    groups = group_numbers(measured)
    chance = np.random.default_rng(0)
    found = np.zeros(len(groups), np.int64)
    for group in np.unique(groups):
        members = chance.permutation(np.flatnonzero(groups == group))
        found[members] = np.arange(len(members)) % folds
    return found


def lfw_templates() -> Measured:
    """Labeled Faces in the Wild, once its mislabelled people are mended or left out."""
    data = lfw.load("balanced")
    other_name = {second: first for first, second in (*LISTED_TWICE, *TWINS)}
    kept = data.found & np.array([name not in MISLABELLED for name in data.names])
    files = tuple(name for name, good in zip(data.names, kept, strict=True) if good)
    people = [name.split("/")[0] for name in files]
    return as_measured(
        files, [other_name.get(each, each) for each in people], data.templates[kept], {}
    )


def group_templates() -> Measured:
    """The group templates, without pictures filed wrongly, and doubled people as one."""
    folder = data_folder()
    if folder is None:
        sys.exit("the calibration material is not here: set SAYSO_TEST_DATA")
    with np.load(folder / "calibration" / "group_templates.npz") as file:
        templates = file["templates"].astype(np.float32)
        people, groups = file["identity"].astype(np.int64), file["group"]
    templates /= np.linalg.norm(templates, axis=1, keepdims=True)
    kept = np.ones(len(people), np.bool_)
    whose = people.copy()
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        scores = templates[rows] @ templates[rows].T
        kept[rows], whose[rows] = _cleaned(scores, people[rows])
    files = [f"{person}/{row}" for row, person in enumerate(people)]
    of_group = dict(zip(whose.astype(str).tolist(), groups.astype(str).tolist(), strict=True))
    return as_measured(
        tuple(name for name, good in zip(files, kept, strict=True) if good),
        whose[kept].astype(str).tolist(),
        templates[kept],
        of_group,
    )


def _cleaned(
    scores: NDArray[np.float32], people: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return which pictures of one group are filed rightly, bool (n,), and whose they are."""
    names, own = np.unique(people, return_inverse=True)
    kept = ~_filed_wrongly(scores, own, len(names))
    one_of = np.arange(len(names))
    for first in range(len(names)):
        for second in range(first + 1, len(names)):
            block = scores[np.ix_((own == first) & kept, (own == second) & kept)]
            if block.size and block.mean() >= SAME_PERSON:
                one_of[one_of == one_of[second]] = one_of[first]
    return kept, names[one_of[own]]


def _filed_wrongly(
    scores: NDArray[np.float32], own: NDArray[np.int64], people: int
) -> NDArray[np.bool_]:
    """Pictures clearly more like another person's, on average, than like the rest of their own."""
    means = np.stack([scores[:, own == each].mean(axis=1) for each in range(people)], axis=1)
    rows = np.arange(len(own))
    count = np.bincount(own)[own]
    # A picture's cosine with itself is no evidence.
    mine = (means[rows, own] * count - 1) / np.maximum(count - 1, 1)
    means[rows, own] = -1
    wrong: NDArray[np.bool_] = means.max(axis=1) > mine + CLEARLY
    return wrong


def as_measured(
    files: tuple[str, ...],
    people: list[str],
    templates: NDArray[np.float32],
    group_of: dict[str, str],
) -> Measured:
    names, numbers = np.unique(people, return_inverse=True)
    return Measured(
        files,
        numbers.astype(np.int64),
        tuple(names.tolist()),
        tuple(group_of.get(name) for name in names.tolist()),
        templates,
        np.zeros(len(files), np.float32),
        (),
    )


def to_fit(measured: Measured, people: NDArray[np.bool_] | None = None) -> Fitted:
    """Return what a normaliser is fitted to: everybody, or these people, bool (people,)."""
    labels = np.array([each or "" for each in measured.groups], dtype=np.str_)
    rows = np.ones(len(measured.people), np.bool_) if people is None else people[measured.people]
    groups = labels[measured.people][rows] if labels.any() else np.zeros(0, np.str_)
    return Fitted(measured.templates[rows], measured.people[rows], groups)


def _described(found: Calibrated) -> Calibration:
    lines = [
        f"{each.pictures:,} pictures of {each.people:,} people, {each.pairs:,} pairs"
        for each in found.sources
    ]
    lines[1] += f", {found.sources[1].within:,} of them within a group"
    provenance = _PROVENANCE.format(lfw=lines[0], groups=lines[1], folds=FOLDS)
    return replace(found.calibration, provenance=provenance)


def _table(calibration: Calibration, found: Calibrated) -> list[str]:
    counted = (
        f"counted to a score of {calibration.counted_to:.4f}, claimed to "
        f"{calibration.scores[-1]:.4f}: {calibration.lowest_rate:.1e}; a picture with itself "
        f"scores {calibration.ceiling:.4f}"
    )
    lines = [calibration.provenance, counted]
    for similarity in (25, 37.5, 50, 62.5, 75, 80, 87.5, 95):
        score = np.array([calibration.score(similarity)])
        worst = calibration.worst_group_rate(score)
        lines.append(
            f"similarity {similarity}: score {score[0]:.4f}, FMR "
            f"{calibration.false_match_rate(score)[0]:.1e}, of the worst group "
            f"{worst[0] if worst is not None else np.nan:.1e}"
        )
    lines += [f"highest pair: {each.a} {each.b} {each.score:.4f}" for each in found.highest]
    return lines


if __name__ == "__main__":
    print(main(*map(Path, sys.argv[1:2])))
