"""Pictures of people who are known, measured one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sayso.evaluation.folder import Measured


@dataclass(frozen=True, slots=True)
class Seen:
    """What was made of one picture: a ``template``, or ``why`` there is none.

    ``template`` is float32 (d,), of unit length; ``quality`` is 0 to 100.
    """

    template: NDArray[np.float32] | None = field(default=None, repr=False)
    quality: float = 0.0
    why: str = ""


class Gathering:
    """What was made of pictures so far; one that comes again takes the place of the first.

    The order in which pictures come makes no difference to what is measured of them.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], Seen] = {}
        self._people: Counter[str] = Counter()
        self._failures = 0

    def put(self, person: str, file: str, seen: Seen) -> None:
        """Take what was made of a picture of a person."""
        before = self._seen.get((person, file))
        self._seen[person, file] = seen
        self._people[person] += before is None
        self._failures += (seen.template is None) - (before is not None and before.template is None)

    def __contains__(self, picture: tuple[str, str]) -> bool:
        return picture in self._seen

    @property
    def pictures(self) -> int:
        """How many pictures there are."""
        return len(self._seen)

    @property
    def people(self) -> frozenset[str]:
        """Those of whom there are pictures."""
        return frozenset(self._people)

    @property
    def with_template(self) -> int:
        """How many of the pictures gave a template."""
        return len(self._seen) - self._failures

    def measured(self, groups: Mapping[str, str]) -> Measured:
        """Return all, ordered by the names of people and files; ``groups`` are labels of people."""
        names = tuple(sorted(self._people))
        places = {name: place for place, name in enumerate(names)}
        every = sorted(self._seen.items(), key=lambda each: each[0])
        files = [f"{person}/{file}" for (person, file), _ in every]
        return Measured(
            tuple(files),
            np.array([places[person] for (person, _), _ in every], np.int64),
            names,
            tuple(groups.get(name) for name in names),
            _stacked([seen.template for _, seen in every]),
            np.array([seen.quality for _, seen in every], np.float32),
            tuple(
                (file, seen.why)
                for file, (_, seen) in zip(files, every, strict=True)
                if seen.template is None
            ),
        )


def _stacked(templates: list[NDArray[np.float32] | None]) -> NDArray[np.float32]:
    """Return float32 (pictures, d) with the templates in their rows, and zeros elsewhere."""
    dimension = next((len(each) for each in templates if each is not None), 0)
    matrix = np.zeros((len(templates), dimension), np.float32)
    for row, template in enumerate(templates):
        if template is not None:
            matrix[row] = template
    return matrix
