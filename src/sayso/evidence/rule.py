"""How many false matches a collection's searches may expect, and what that asks of a match."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from sayso.errors import GalleryError

#: What a rule counts expected false matches over: all faces of a picture together, or each face.
Per = Literal["picture", "face"]
PER: Final[tuple[Per, ...]] = ("picture", "face")
_MOST = 1e6


@dataclass(frozen=True, slots=True)
class FalseMatchRule:
    """How many false matches may be expected, over what; raises GalleryError for what cannot be."""

    max_expected: float = 0.01
    per: Per = "picture"

    def __post_init__(self) -> None:
        if not 0 < self.max_expected <= _MOST:  # NaN fails this, too
            raise GalleryError(
                f"max_expected_false_matches is {self.max_expected}; it must be more than 0, and "
                f"at most {_MOST:g}"
            )
        if self.per not in PER:
            raise GalleryError(
                f"false_matches_per is {str(self.per)[:64]!r}; it can be {' or '.join(PER)}"
            )


@dataclass(frozen=True, slots=True)
class Threshold:
    """What had to be reached to be found, and why.

    ``similarity`` is None when it was not measured: no score, however high, is known to keep the
    rule, so nobody could be found. ``asked`` is the caller's own limit. ``population`` counts the
    enrolled who could have been found, ``probes`` the faces that were looked for together, and
    ``max_expected_false_matches`` is the collection's rule, over all of them or for each.
    """

    similarity: float | None
    asked: float
    population: int
    probes: int
    max_expected_false_matches: float
    per: Per

    @property
    def measured(self) -> bool:
        """Whether any match could be claimed."""
        return self.similarity is not None

    @property
    def raised(self) -> bool:
        """Whether the rule wanted more than the caller."""
        return self.similarity is None or self.similarity > self.asked
