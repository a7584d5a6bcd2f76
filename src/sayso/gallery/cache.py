"""What the index keeps of one collection: templates to search, and who may be shown when."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from sayso.errors import StoreUnavailable
from sayso.evidence.calibration import COSINES, Scoring
from sayso.gallery import coverage, faces, schema, serving, users
from sayso.gallery.coverage import FOREVER, Windows
from sayso.gallery.fusing import Fused
from sayso.gallery.scored import ScoredSearch
from sayso.gallery.store import current_sequence, current_state
from sayso.keyring.store import Keyring

Keys = NDArray[np.int64]

#: The score to be reached, of how many there are who could.
Least = Callable[[int], float]


class Found(NamedTuple):
    """A match: the keys of the face and its subject, the score, and the cosine, for comparison."""

    face: int
    subject: int
    score: float
    cosine: float


@dataclass(frozen=True, slots=True)
class Eligible:
    """Who may be shown for a purpose at any time from ``start`` on and before ``end``.

    ``rows`` is bool (n,) over the cached rows; ``population`` counts the subjects among them, and
    ``templates`` the rows. ``live`` has the keys of all subjects who may be shown, some of them
    several times, and also of those who have no row. ``users`` has the keys of the users who are
    known for the purpose, whether or not their subjects may be shown.
    """

    rows: NDArray[np.bool_]
    population: int
    templates: int
    start: int
    end: int
    live: Keys
    users: Keys


class CollectionCache:
    """The templates of one collection, row by row, with the keys of their faces and subjects.

    ``keyring`` opens the templates, and ``scoring`` says how they are scored; ``threads`` is how
    many cores a search may use, None for all. Hold ``lock`` for whatever is done with it.
    """

    def __init__(
        self,
        key: int,
        dimension: int,
        keyring: Keyring,
        *,
        scoring: Scoring = COSINES,
        threads: int | None = None,
    ) -> None:
        self.lock = threading.Lock()
        self._key = key
        self._keyring = keyring
        self._dimension = dimension
        self._threads = threads
        self._epoch = ""
        self._sequence = 0
        self._scoring = scoring
        self._search = ScoredSearch(dimension, scoring.normaliser, threads=threads)
        self._faces: Keys = np.empty(0, np.int64)
        self._subjects: Keys = np.empty(0, np.int64)
        self._users: Keys = np.empty(0, np.int64)  # of each row, 0 for none
        self._user_subjects: dict[int, int] = {}
        self._purposes: dict[str, _PurposeCache] = {}
        self._fused: dict[str, tuple[Eligible, Fused]] = {}

    def __len__(self) -> int:
        return len(self._faces)

    @property
    def loaded(self) -> bool:
        """Whether it holds what the store had at some time since it was made or wiped."""
        return bool(self._sequence)

    def refresh(self, connection: Connection, purpose: str | None = None) -> None:
        """Apply what was committed since the last time; load that purpose if it is a new one."""
        epoch, sequence = current_state(connection)
        if epoch != self._epoch:  # a backup was restored: nothing that was cached counts
            self.wipe()
            self._epoch = epoch
        try:
            self._refresh(connection, sequence, purpose)
        except BaseException:
            self.wipe()  # half of a change is worse than none: begin anew next time
            raise

    def _refresh(self, connection: Connection, sequence: int, purpose: str | None) -> None:
        if sequence != self._sequence:
            changed = self._remove(faces.removed(connection, self._key, self._sequence))
            changed |= self._add(connection)
            linked = self._link(connection)
            if changed or linked:
                self._wipe_fused()
            for known in self._purposes.values():
                known.refresh(connection, self._key, rows_changed=changed)
            self._sequence = sequence
        if purpose is not None and purpose not in self._purposes:
            new = _PurposeCache(purpose)
            new.refresh(connection, self._key, rows_changed=True)
            self._purposes[purpose] = new

    def eligible(self, purpose: str, now: int) -> Eligible:
        """Tell which rows may be shown for a purpose, loaded before, at that time."""
        return self._purposes[purpose].eligible(self._faces, self._subjects, now)

    def everybody(self) -> Eligible:
        """Return every row, whatever was agreed to: to enrol nobody under another's name."""
        rows = np.ones(len(self._faces), np.bool_)
        people = np.unique(self._subjects)
        return Eligible(rows, len(people), len(rows), 0, FOREVER, people, self._users)

    def row_of(self, face: int) -> int | None:
        """Return the row of the face of that key."""
        found = np.flatnonzero(self._faces == face)
        return int(found[0]) if found.size else None

    def template_at(self, row: int) -> NDArray[np.float32]:
        """Return the template of a row, float32 (d,)."""
        return self._search.templates(np.array([row], np.int64)).reshape(-1)

    def templates_of(self, faces: Sequence[int]) -> NDArray[np.float32] | None:
        """Return the templates, float32 (n, d), of faces by their keys; None where one is gone."""
        places = {int(self._faces[row]): row for row in np.flatnonzero(np.isin(self._faces, faces))}
        if not places.keys() >= set(faces):
            return None
        return self._search.templates(np.array([places[face] for face in faces], np.int64))

    def search_faces(
        self,
        probe: NDArray[np.float32],
        eligible: Eligible,
        top: int,
        least: Least,
        without: int | None = None,
    ) -> list[Found]:
        """Find the ``top`` faces most like a probe, float32 (d,), but for the row ``without``."""
        allowed, available = eligible.rows, eligible.templates
        if without is not None and allowed[without]:
            allowed = allowed.copy()
            allowed[without] = False
            available -= 1
        if not available:
            return []
        scores, rows = self._search.search(probe[None], min(top, available), allowed)
        good = (rows[0] >= 0) & (scores[0] >= least(available))
        return self._found(probe, scores[0][good], rows[0][good])

    def fused(self, purpose: str, eligible: Eligible) -> Fused:
        """Return the fused templates of users who may be shown, of faces that may be."""
        known = self._fused.get(purpose)
        if known is not None:
            if known[0] is eligible:
                return known[1]
            known[1].wipe()
        rows = np.flatnonzero(np.isin(self._users, eligible.users) & eligible.rows)
        shown = np.array(
            [self._user_subjects.get(int(user), 0) for user in self._users[rows]], np.int64
        )
        rows = rows[np.isin(shown, eligible.live)]
        users, owners = np.unique(self._users[rows], return_inverse=True)
        made = Fused(
            users,
            np.array([self._user_subjects[int(user)] for user in users], np.int64),
            owners.astype(np.int64, copy=False),
            self._faces[rows],
            self._subjects[rows],
            self._search.templates(rows),
            self._scoring,
        )
        self._fused[purpose] = (eligible, made)
        return made

    def search(
        self, probes: NDArray[np.float32], eligible: Eligible, top: int, least: Least
    ) -> list[list[Found]]:
        """Find for each probe the best face of each of the ``top`` most similar subjects."""
        wanted = min(top, eligible.population)
        if not wanted:
            return [[] for _ in probes]
        available, limit = eligible.templates, least(eligible.templates)
        # A subject may have several faces among the best rows: ask for more until there are enough.
        k = wanted
        while True:
            scores, rows = self._search.search(probes, k, eligible.rows)
            best = [self._best(*ranked, limit) for ranked in zip(scores, rows, strict=True)]
            short = any(
                len(places) < wanted and last >= limit
                for places, last in zip(best, scores[:, -1], strict=True)
            )
            if not short or k == available:
                break
            k = min(4 * k, available)
        return [
            self._found(probe, of_probe[places[:wanted]], found[places[:wanted]])
            for probe, of_probe, found, places in zip(probes, scores, rows, best, strict=True)
        ]

    def wipe(self) -> None:
        """Overwrite the templates in memory and start from nothing."""
        self._search.remove(np.arange(len(self._search)))
        self.clear()

    def clear(self) -> None:
        """Start from nothing."""
        self._search = ScoredSearch(
            self._dimension, self._scoring.normaliser, threads=self._threads
        )
        self._faces = self._subjects = self._users = np.empty(0, np.int64)
        self._user_subjects = {}
        self._purposes = {}
        self._wipe_fused()
        self._sequence = 0

    def _best(
        self, scores: NDArray[np.float32], rows: NDArray[np.int64], limit: float
    ) -> list[int]:
        """Return the places of the best face of each subject among ranked rows, above the limit."""
        best: dict[int, int] = {}
        for place, (score, row) in enumerate(zip(scores.tolist(), rows.tolist(), strict=True)):
            if row < 0 or score < limit:
                break
            best.setdefault(int(self._subjects[row]), place)
        return list(best.values())

    def _found(
        self, probe: NDArray[np.float32], scores: NDArray[np.float32], rows: NDArray[np.int64]
    ) -> list[Found]:
        """Put keys and cosines to rows that were found."""
        if not len(rows):
            return []
        cosines = scores
        if self._scoring.normaliser is not None:
            cosines = np.vecdot(self._search.templates(rows), probe[None])
        every = (self._faces[rows], self._subjects[rows], scores, cosines)
        return [Found(*each) for each in zip(*(part.tolist() for part in every), strict=True)]

    def _add(self, connection: Connection) -> bool:
        new_faces, new_subjects = [self._faces], [self._subjects]
        for chunk in faces.changed(
            connection, self._keyring, self._key, self._dimension, self._sequence
        ):
            try:
                self._search.add(chunk.templates)
            except ValueError as error:
                raise StoreUnavailable(faces.DAMAGED) from error
            new_faces.append(chunk.faces)
            new_subjects.append(chunk.subjects)
        if len(new_faces) == 1:
            return False
        self._faces = np.concatenate(new_faces)
        self._subjects = np.concatenate(new_subjects)
        self._users = np.r_[self._users, np.zeros(len(self._faces) - len(self._users), np.int64)]
        return True

    def _link(self, connection: Connection) -> bool:
        """Apply what was associated with users, or no longer is."""
        new = users.changed(connection, self._key, self._sequence)
        if not new:
            return False
        of_face = dict(new)
        rows = np.flatnonzero(np.isin(self._faces, list(of_face)))
        self._users[rows] = [of_face[int(face)] for face in self._faces[rows]]
        unknown = {user for user in of_face.values() if user} - set(self._user_subjects)
        self._user_subjects |= users.subjects_of(connection, sorted(unknown))
        return True

    def _wipe_fused(self) -> None:
        for _, made in self._fused.values():
            made.wipe()
        self._fused = {}

    def _remove(self, gone: Keys) -> bool:
        rows = np.flatnonzero(np.isin(self._faces, gone)) if gone.size else gone
        if not rows.size:
            return False
        self._search.remove(rows)
        # As the search does: the other rows close up and keep their order.
        self._faces = np.delete(self._faces, rows)
        self._subjects = np.delete(self._subjects, rows)
        self._users = np.delete(self._users, rows)
        return True


class _PurposeCache:
    """The windows of consent to one purpose in one collection, and what serves it."""

    def __init__(self, purpose: str) -> None:
        self._purpose = purpose
        self._sequence = 0
        empty = np.empty(0, np.int64)
        self._windows = Windows(empty, empty, empty, empty)
        self._faces = self._users = empty  # those that serve the purpose
        self._eligible: Eligible | None = None

    def refresh(self, connection: Connection, collection_key: int, *, rows_changed: bool) -> None:
        """Apply what was committed since the last time."""
        sequence = current_sequence(connection)
        new = coverage.covering(connection, collection_key, self._purpose, self._sequence)
        of_faces, of_users = (
            serving.changed(connection, table, collection_key, self._purpose, self._sequence)
            for table in (schema.face_purposes, schema.user_purposes)
        )
        self._faces = _with(self._faces, *of_faces)
        self._users = _with(self._users, *of_users)
        served = any(keys.size for keys in (*of_faces, *of_users))
        self._sequence = sequence
        # The windows of the erased stay: keys without a template, never given again, match nobody.
        if new.consents.size:
            old = self._windows
            kept = ~np.isin(old.consents, new.consents)
            self._windows = Windows(
                np.concatenate([old.consents[kept], new.consents]),
                np.concatenate([old.subjects[kept], new.subjects]),
                np.concatenate([old.starts[kept], new.starts]),
                np.concatenate([old.ends[kept], new.ends]),
            )
        if rows_changed or served or new.consents.size:
            self._eligible = None

    def eligible(self, faces: Keys, subjects: Keys, now: int) -> Eligible:
        """Tell which rows, by the face and the subject of each, may be shown at that time."""
        found = self._eligible
        if found is None or not found.start <= now < found.end:
            starts, ends = self._windows.starts, self._windows.ends
            live = self._windows.subjects[(starts <= now) & (now < ends)]
            rows = np.isin(subjects, live) & np.isin(faces, self._faces)
            people = np.sort(subjects[rows])
            population = int(np.count_nonzero(people[1:] != people[:-1])) + bool(people.size)
            # Nothing changes by itself before the next window opens or closes.
            edges = np.concatenate([starts, ends, [FOREVER]])
            end = int(edges[edges > now].min())
            found = Eligible(rows, population, people.size, now, end, live, self._users)
            self._eligible = found
        return found


def _with(known: Keys, new: Keys, gone: Keys) -> Keys:
    """Return keys with those that are new, and without those that are gone."""
    if not new.size and not gone.size:
        return known
    return np.union1d(known[~np.isin(known, gone)], new)
