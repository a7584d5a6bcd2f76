"""What the index keeps of one collection: templates to search, and who may be shown when."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from sayso.errors import StoreUnavailable
from sayso.gallery import coverage, faces
from sayso.gallery.coverage import FOREVER, Windows
from sayso.gallery.search import ExactSearch
from sayso.gallery.store import current_sequence, current_state
from sayso.keyring.store import Keyring

Keys = NDArray[np.int64]

#: Face key, subject key and cosine of a match.
Found = tuple[int, int, float]


@dataclass(frozen=True, slots=True)
class Eligible:
    """Who may be shown for a purpose at any time from ``start`` on and before ``end``.

    ``rows`` is bool (n,) over the cached rows; ``population`` counts the subjects among them, and
    ``templates`` the rows.
    """

    rows: NDArray[np.bool_]
    population: int
    templates: int
    start: int
    end: int


class CollectionCache:
    """The templates of one collection, row by row, with the keys of their faces and subjects.

    ``keyring`` opens the templates; ``threads`` is how many cores a search may use, None for all.
    Hold ``lock`` for whatever is done with it.
    """

    def __init__(
        self, key: int, dimension: int, keyring: Keyring, threads: int | None = None
    ) -> None:
        self.lock = threading.Lock()
        self._key = key
        self._keyring = keyring
        self._dimension = dimension
        self._threads = threads
        self._epoch = ""
        self._sequence = 0
        self._search = ExactSearch(dimension, threads=threads)
        self._faces: Keys = np.empty(0, np.int64)
        self._subjects: Keys = np.empty(0, np.int64)
        self._purposes: dict[str, _PurposeCache] = {}

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
            for known in self._purposes.values():
                known.refresh(connection, self._key, rows_changed=changed)
            self._sequence = sequence
        if purpose is not None and purpose not in self._purposes:
            new = _PurposeCache(purpose)
            new.refresh(connection, self._key, rows_changed=True)
            self._purposes[purpose] = new

    def eligible(self, purpose: str, now: int) -> Eligible:
        """Tell which rows may be shown for a purpose, loaded before, at that time."""
        return self._purposes[purpose].eligible(self._subjects, now)

    def everybody(self) -> Eligible:
        """Return every row, whatever was agreed to: to enrol nobody under another's name."""
        rows = np.ones(len(self._faces), np.bool_)
        return Eligible(rows, len(np.unique(self._subjects)), len(rows), 0, FOREVER)

    def search(
        self, probes: NDArray[np.float32], eligible: Eligible, top: int, min_cosine: float
    ) -> list[list[Found]]:
        """Find for each probe the best face of each of the ``top`` most similar subjects."""
        wanted = min(top, eligible.population)
        if not wanted:
            return [[] for _ in probes]
        available = int(np.count_nonzero(eligible.rows))
        # A subject may have several faces among the best rows: ask for more until there are enough.
        k = wanted
        while True:
            scores, rows = self._search.search(probes, k, eligible.rows)
            found = [self._reduce(*ranked, min_cosine) for ranked in zip(scores, rows, strict=True)]
            short = any(
                len(hits) < wanted and last >= min_cosine
                for hits, last in zip(found, scores[:, -1], strict=True)
            )
            if not short or k == available:
                return [hits[:wanted] for hits in found]
            k = min(4 * k, available)

    def wipe(self) -> None:
        """Overwrite the templates in memory and start from nothing."""
        self._search.remove(np.arange(len(self._search)))
        self.clear()

    def clear(self) -> None:
        """Start from nothing."""
        self._search = ExactSearch(self._dimension, threads=self._threads)
        self._faces = self._subjects = np.empty(0, np.int64)
        self._purposes = {}
        self._sequence = 0

    def _reduce(
        self, scores: NDArray[np.float32], rows: NDArray[np.int64], min_cosine: float
    ) -> list[Found]:
        best: dict[int, Found] = {}
        for score, row in zip(scores.tolist(), rows.tolist(), strict=True):
            if row < 0 or score < min_cosine:
                break
            subject = int(self._subjects[row])
            if subject not in best:
                best[subject] = (int(self._faces[row]), subject, score)
        return list(best.values())

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
        return True

    def _remove(self, gone: Keys) -> bool:
        rows = np.flatnonzero(np.isin(self._faces, gone)) if gone.size else gone
        if not rows.size:
            return False
        self._search.remove(rows)
        # As the search does: the other rows close up and keep their order.
        self._faces = np.delete(self._faces, rows)
        self._subjects = np.delete(self._subjects, rows)
        return True


class _PurposeCache:
    """The windows of consent to one purpose in one collection."""

    def __init__(self, purpose: str) -> None:
        self._purpose = purpose
        self._sequence = 0
        empty = np.empty(0, np.int64)
        self._windows = Windows(empty, empty, empty, empty)
        self._eligible: Eligible | None = None

    def refresh(self, connection: Connection, collection_key: int, *, rows_changed: bool) -> None:
        """Apply what was committed since the last time."""
        sequence = current_sequence(connection)
        new = coverage.covering(connection, collection_key, self._purpose, self._sequence)
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
        if rows_changed or new.consents.size:
            self._eligible = None

    def eligible(self, subjects: Keys, now: int) -> Eligible:
        """Tell which rows, by the subject of each, may be shown at that time."""
        found = self._eligible
        if found is None or not found.start <= now < found.end:
            starts, ends = self._windows.starts, self._windows.ends
            live = self._windows.subjects[(starts <= now) & (now < ends)]
            rows = np.isin(subjects, live)
            people = np.sort(subjects[rows])
            population = int(np.count_nonzero(people[1:] != people[:-1])) + bool(people.size)
            # Nothing changes by itself before the next window opens or closes.
            edges = np.concatenate([starts, ends, [FOREVER]])
            found = Eligible(rows, population, people.size, now, int(edges[edges > now].min()))
            self._eligible = found
        return found
