"""Random splits of people into enrolled ones and strangers, and searches of the galleries made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sayso.evaluation.folder import Measured
from sayso.evaluation.scoring import Scorer
from sayso.evidence.fusing import fused

#: The share of people who are held out as strangers.
HELD_OUT = 0.3
#: Probes of one person in one split, so that nobody with very many pictures decides.
MOST_PROBES = 10
_BLOCK = 256


@dataclass(slots=True)
class Searches:
    """What searches returned: per mated one the score of the mate where it came first, else -inf.

    Lists of arrays, one for each split: persons int64 and scores float32; ``rows`` of strangers,
    ``enrolled`` persons of the gallery, and ``close``, which scores strangers had with them.
    """

    mated_person: list[NDArray[np.int64]] = field(default_factory=list)
    mate: list[NDArray[np.float32]] = field(default_factory=list)
    stranger: list[NDArray[np.int64]] = field(default_factory=list)
    top: list[NDArray[np.float32]] = field(default_factory=list)
    rows: list[NDArray[np.int64]] = field(default_factory=list)
    enrolled: list[NDArray[np.int64]] = field(default_factory=list)
    close: list[Close] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Close:
    """Scores of strangers with enrolled people, float32 (m,), that reach a floor.

    ``search`` int32 (m,) numbers the searches for strangers; ``place`` int32 (m,) is where the
    enrolled person stands in the gallery.
    """

    search: NDArray[np.int32]
    place: NDArray[np.int32]
    scores: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Split:
    """Who is enrolled: ``enrolled`` int64 (s,) people, and ``gallery`` float32 (s, d) of theirs.

    ``probes`` int64 (m,) rows with the ``place`` int64 (m,) of each mate in the gallery;
    ``strangers`` int64 (k,) rows.
    """

    enrolled: NDArray[np.int64]
    gallery: NDArray[np.float32]
    probes: NDArray[np.int64]
    place: NDArray[np.int64]
    strangers: NDArray[np.int64]


def fuse(templates: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of unit templates float32 (k, d), made unit again, float32 (d,)."""
    if len(templates) == 1:
        return np.asarray(templates[0])
    return np.asarray(fused(templates, np.zeros(len(templates), np.int64), 1)[0])


def rows_by_person(measured: Measured) -> list[NDArray[np.int64]]:
    """Return for each person the rows, int64, of the pictures that gave a template."""
    found = measured.found
    order = np.argsort(np.where(found, measured.people, -1), kind="stable")[int((~found).sum()) :]
    ends = np.cumsum(np.bincount(measured.people[found], minlength=len(measured.names)))
    return np.split(order, ends[:-1])


def split_people(
    measured: Measured,
    rows: Sequence[NDArray[np.int64]],
    people: NDArray[np.int64],
    rng: np.random.Generator,
    *,
    pictures: int,
    spare: int = 1,
) -> Split:
    """Hold people out and enrol the others with ``pictures`` each; ``spare`` are never probes."""
    order = rng.permutation(people)
    held_out, enrolled = np.split(order, [round(HELD_OUT * len(people))])
    gallery, probes, place = [], [], []
    for position, person in enumerate(enrolled):
        own = rng.permutation(rows[person])
        gallery.append(fuse(measured.templates[own[:pictures]]))
        rest = own[spare : spare + MOST_PROBES]
        probes.append(rest)
        place += [position] * len(rest)
    strangers = [rng.permutation(rows[person])[:MOST_PROBES] for person in held_out]
    return Split(
        enrolled,
        np.stack(gallery),
        np.concatenate(probes),
        np.array(place, np.int64),
        np.concatenate(strangers),
    )


def search(
    measured: Measured,
    prepared: NDArray[np.float32],
    split: Split,
    scorer: Scorer,
    sizes: Sequence[int],
    floors: Sequence[float],
    searches: Sequence[Searches],
    scale: float = 1.0,
) -> None:
    """Search with all probes; the gallery of each size is the first so many of the largest.

    ``prepared`` float32 (n, p) are all templates as the scorer takes them. ``floors`` has for each
    size the lowest score of a stranger that is noted as close. ``scale`` is what scores are
    multiplied by, for a gallery of fused templates.
    """
    rows = np.concatenate([split.probes, split.strangers])
    gallery = scorer.prepare(split.gallery)
    top = np.empty((len(sizes), len(rows)), np.float32)
    mate = np.empty(len(split.probes), np.float32)
    count = len(split.probes)
    lowest = _lowest_floors(sizes, floors)
    close: list[Close] = []
    for start in range(0, len(rows), _BLOCK):
        block = scorer.scores(prepared[rows[start : start + _BLOCK]], gallery) * np.float32(scale)
        mated = np.arange(start, min(start + len(block), count))
        mate[mated] = block[mated - start, split.place[mated]]
        for number, size in enumerate(sizes):
            top[number, start : start + len(block)] = block[:, :size].max(axis=1)
        close.append(_close(block, max(count - start, 0), start - count, lowest))
    for size, least, best, found in zip(sizes, floors, top, searches, strict=True):
        here = np.flatnonzero(split.place < size)
        first = np.where(mate[here] >= best[:count][here], mate[here], -np.inf)
        found.mated_person.append(split.enrolled[split.place[here]])
        found.mate.append(first.astype(np.float32))
        found.stranger.append(measured.people[split.strangers])
        found.top.append(best[count:])
        found.rows.append(split.strangers)
        found.enrolled.append(split.enrolled[:size])
        found.close.append(_within(close, size, least))


def _lowest_floors(sizes: Sequence[int], floors: Sequence[float]) -> NDArray[np.float64]:
    """Return float64 (largest,): the lowest floor of all sizes that a place is in."""
    lowest = np.full(max(sizes), np.inf)
    for size, least in zip(sizes, floors, strict=True):
        lowest[:size] = np.minimum(lowest[:size], least)
    return lowest


def _close(
    block: NDArray[np.float32], begin: int, first: int, lowest: NDArray[np.float64]
) -> Close:
    """Return what is close in the rows of a block from ``begin`` on; row 0 is search ``first``."""
    rows, place = np.nonzero(block[begin:] >= lowest)
    rows += begin
    return Close((rows + first).astype(np.int32), place.astype(np.int32), block[rows, place])


def _within(close: Sequence[Close], size: int, least: float) -> Close:
    """Return what is close enough, of the first so many of the gallery."""
    kept = [(each, (each.place < size) & (each.scores >= least)) for each in close]
    return Close(
        np.concatenate([each.search[mask] for each, mask in kept]),
        np.concatenate([each.place[mask] for each, mask in kept]),
        np.concatenate([each.scores[mask] for each, mask in kept]),
    )
