"""The index: a disposable cache of the gallery in this process, to search in.

The store is the truth. Before every answer the index applies the changes that were committed since
its last one, so that what was acknowledged anywhere is found here, and what was erased anywhere is
gone, from memory too. After the search the store has the last word, in the very change that
records the search: whoever is not covered any more when that commits is not in the answer.

Whoever the purpose does not cover is masked out before the search. Their faces cost the same time
as others and leave no trace in the answer.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from sayso.gallery import collections, coverage, faces, schema, subjects
from sayso.gallery.cache import CollectionCache, Found
from sayso.gallery.store import Change, Store, current_state

#: How often an answer is put together anew because consents changed under way.
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Hit:
    """A subject that a probe resembles, with the id and cosine of their most similar face.

    ``subject_id`` is by what the audit log knows them; the keys are the store's.
    """

    subject: str
    subject_id: str
    face_id: str
    cosine: float
    subject_key: int
    face_key: int


@dataclass(frozen=True, slots=True)
class Matches:
    """For each probe the hits, best first; ``templates`` counts those that could have been one."""

    hits: tuple[tuple[Hit, ...], ...]
    templates: int


class Index:
    """The caches of a process, one for each collection that was searched; thread-safe.

    ``threads`` is how many cores a search may use, None for all.
    """

    def __init__(self, store: Store, *, threads: int | None = None) -> None:
        self._threads = threads
        self._store = store
        self._lock = threading.Lock()
        self._state = self._refreshed = ("", 0)
        self._caches: dict[int, CollectionCache] = {}

    def match(
        self,
        collection: str,
        probes: NDArray[np.float32],
        *,
        purpose: str,
        top: int,
        min_cosine: float,
    ) -> Matches:
        """Find, for each probe (float32 (p, d)), up to ``top`` subjects at least so similar.

        Only subjects whose consent covers the purpose when the answer is put together. Raises
        CollectionNotFound, and ModelConflict for probes of another length than the templates.
        """
        for _ in range(_ATTEMPTS):
            found, templates = self._search(collection, probes, purpose, top, min_cosine)
            with self._store.read() as connection:
                hits = self._shown(connection, found, purpose, self._store.now())
            if sum(map(len, hits)) == sum(map(len, found)):
                break
            # Somebody withdrew, expired or was erased meanwhile: the next best may move up.
        return Matches(hits, templates)

    def confirm(self, change: Change, matches: Matches, purpose: str) -> Matches:
        """Leave out whoever may not be shown any more at the time of the change.

        No other change can come between this and the commit of that one.
        """
        keys = {hit.subject_key for hits in matches.hits for hit in hits}
        faces_of = {hit.face_key for hits in matches.hits for hit in hits}
        shown = coverage.covered(change.connection, sorted(keys), purpose, change.now)
        there = faces.ids(change.connection, sorted(faces_of))
        hits = tuple(
            tuple(hit for hit in of_probe if hit.subject_key in shown and hit.face_key in there)
            for of_probe in matches.hits
        )
        return Matches(hits, matches.templates)

    def most_alike(
        self, collection: str, probes: NDArray[np.float32], min_cosine: float
    ) -> list[int | None]:
        """Return for each probe the key of the most similar subject, whatever they agreed to.

        For enrolment only, where it must not matter who may be shown. None where nobody is at
        least so similar.
        """
        found, _ = self._search(collection, probes, None, 1, min_cosine)
        return [hits[0][1] if hits else None for hits in found]

    def refresh(self) -> None:
        """Apply every change to every cache now, not only before its next answer."""
        with self._lock:
            caches = list(self._caches.values())
        for cache in caches:
            with cache.lock, self._store.read() as connection:
                cache.refresh(connection)
        self._wipe_deleted()

    def refresh_if_changed(self) -> None:
        """Do as ``refresh``, if anything was committed since the last time that this was asked."""
        with self._store.read() as connection:
            state = current_state(connection)
        if state != self._refreshed:
            self._refreshed = state  # first: what cannot be read is not tried over and over
            self.refresh()

    def close(self) -> None:
        """Overwrite the templates in memory, and drop every cache."""
        with self._lock:
            caches, self._caches = list(self._caches.values()), {}
        for cache in caches:
            with cache.lock:
                cache.wipe()

    def _shown(
        self, connection: Connection, found: list[list[Found]], purpose: str, now: int
    ) -> tuple[tuple[Hit, ...], ...]:
        """Put names to what was found, leaving out whoever is gone or not covered."""
        face_ids = faces.ids(connection, sorted({face for hits in found for face, _, _ in hits}))
        keys = sorted({subject for hits in found for _, subject, _ in hits})
        covered = coverage.covered(connection, keys, purpose, now)
        known = subjects.names(connection, self._store.keyring.find, sorted(covered))
        return tuple(
            tuple(
                Hit(known[subject].name, known[subject].id, face_ids[face], cosine, subject, face)
                for face, subject, cosine in of_probe
                if face in face_ids and subject in known
            )
            for of_probe in found
        )

    def _search(
        self,
        collection: str,
        probes: NDArray[np.float32],
        purpose: str | None,
        top: int,
        min_cosine: float,
    ) -> tuple[list[list[Found]], int]:
        self._wipe_deleted()
        with self._store.read() as connection:
            pinned = collections.find(connection, collection)
        if pinned.dimension is None or not len(probes):
            return [[] for _ in probes], 0  # nobody was ever enrolled, or nobody is looked for
        collections.check_dimension(pinned, probes.shape[1])
        cache = self._cache(pinned.key, pinned.dimension)
        with cache.lock:
            # The connection comes after the lock: a cache must not meet an older state than it has.
            with self._store.read() as connection:
                cache.refresh(connection, purpose)
            if purpose is None:
                eligible = cache.everybody()
            else:
                eligible = cache.eligible(purpose, self._store.now())
            return cache.search(probes, eligible, top, min_cosine), eligible.templates

    def _cache(self, key: int, dimension: int) -> CollectionCache:
        with self._lock:
            if key not in self._caches:
                self._caches[key] = CollectionCache(
                    key, dimension, self._store.keyring, self._threads
                )
            return self._caches[key]

    def _wipe_deleted(self) -> None:
        """Drop the caches of collections that are no more; one small query when any change came.

        After a backup was restored none of them is what it was.
        """
        key = schema.collections.c.key
        with self._lock, self._store.read() as connection:
            state = current_state(connection)
            if state == self._state:
                return
            gone = set(self._caches)
            if state[0] == self._state[0]:
                gone -= set(connection.execute(select(key).where(key.in_(list(gone)))).scalars())
            caches = [self._caches.pop(key) for key in gone]
            self._state = state
        for cache in caches:
            with cache.lock:
                cache.wipe()
