"""Conflicts: a face offered under a name that means somebody else for another purpose.

One name in a collection is one person. Two systems that both number people 1001 would make one of
two, each seeing nothing of the other. So a face is compared with those of its subject that serve
another purpose than the enrolment's, and is refused where it resembles none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sayso.errors import EnrolmentError
from sayso.gallery import consents, serving
from sayso.gallery.store import Change
from sayso.gallery.subjects import Known

#: How similar a face must be to one of its subject's for another purpose. One in 3,000 strangers
#: is; of two pictures of one person about one in sixty is not (LFW). At the 80 that names somebody
#: in a search one in five would not be.
SAME_PERSON = 40.0

Templates = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Likeness:
    """How faces are compared with those of their subject that serve other purposes.

    ``purpose`` is the only one that the caller knows of, None for a caller who sees everybody.
    ``templates_of`` gives the templates of faces by their keys, float32 (n, d), None where one is
    gone; ``alike`` says whether a template, (1, d), resembles any of others, (n, d).
    """

    purpose: str | None
    templates_of: Callable[[Sequence[int]], Templates | None]
    alike: Callable[[Templates, Templates], bool]


def conflicting(
    change: Change,
    likeness: Likeness,
    people: Sequence[Known],
    templates: Templates,
    granted: Mapping[int, int],
) -> set[int]:
    """Return the rows of the templates, float32 (n, d), that are not like their subject's own.

    Row i is of ``people[i]``; ``granted`` has the consents that they are to be enrolled on, by
    subject. Raises EnrolmentError when a face that they are compared with is deleted meanwhile.
    """
    known = {each.key for each in people if each.id not in change.new_keys}
    apart = _apart(change, likeness.purpose, {key: granted[key] for key in known})
    rows = [row for row, person in enumerate(people) if person.key in apart]
    if not rows:
        return set()
    keys = [face for faces in apart.values() for face in faces]
    found = likeness.templates_of(keys)
    if found is None:
        raise EnrolmentError("a face was deleted meanwhile: enrol again")
    place = {face: at for at, face in enumerate(keys)}
    return {
        row
        for row in rows
        if not likeness.alike(
            templates[[row]], found[[place[face] for face in apart[people[row].key]]]
        )
    }


def message(subject: str) -> str:
    """Return what is told of a conflict: the name is taken, and nothing of whose it is."""
    return (
        f"the name {subject!r} means somebody else in this collection, for another purpose: the "
        "face does not resemble theirs; enrol this person under another name"
    )


def _apart(change: Change, purpose: str | None, granted: Mapping[int, int]) -> dict[int, list[int]]:
    """Return by subject the keys of their faces that serve another purpose than the enrolment's."""
    if purpose is not None:
        return serving.elsewhere(change.connection, granted, [purpose], change.now)
    found: dict[int, list[int]] = {}
    agreed = consents.purposes_of(change.connection, granted.values())
    groups: dict[tuple[str, ...], list[int]] = {}
    for subject, consent in granted.items():
        groups.setdefault(agreed[consent], []).append(subject)
    for own, subjects in groups.items():
        found |= serving.elsewhere(change.connection, subjects, own, change.now)
    return found
