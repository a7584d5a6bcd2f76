"""What a search in the index finds, before anybody is told of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sayso.gallery.users import Linked


@dataclass(frozen=True, slots=True)
class Hit:
    """A subject that a probe resembles, with the id and scores of their most similar face.

    ``subject_id`` is by what the audit log knows them; the keys are the store's.
    """

    subject: str
    subject_id: str
    face_id: str
    score: float
    cosine: float
    subject_key: int
    face_key: int


@dataclass(frozen=True, slots=True)
class UserHit:
    """A user that a probe resembles, with the scores of their fused template.

    ``faces`` and ``people`` are the store's keys of the faces that it is made of, and of whose
    these are.
    """

    user: Linked
    score: float
    cosine: float
    faces: tuple[int, ...]
    people: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class UserMatches:
    """The users that a probe resembles, best first; ``population`` counts who could have been."""

    hits: tuple[UserHit, ...]
    population: int

    def reaching(self, least: float) -> UserMatches:
        """Return the same without those whose score is lower."""
        return replace(self, hits=tuple(hit for hit in self.hits if hit.score >= least))


@dataclass(frozen=True, slots=True)
class Matches:
    """For each probe the hits, best first; ``templates`` counts those that could have been one."""

    hits: tuple[tuple[Hit, ...], ...]
    templates: int

    def reaching(self, least: float) -> Matches:
        """Return the same without those whose score is lower."""
        hits = tuple(tuple(hit for hit in each if hit.score >= least) for each in self.hits)
        return replace(self, hits=hits)
