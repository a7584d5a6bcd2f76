"""The index: a disposable cache of the gallery in this process, to search in.

The store is the truth. Before every answer the index applies the changes that were committed since
its last one, so that what was acknowledged anywhere is found here, and what was erased anywhere is
gone, from memory too. After the search the store has the last word: whoever is no longer covered
when the answer is put together is not in it.

Whoever the purpose does not cover is masked out before the search. Their faces cost the same time
as others and leave no trace in the answer.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from sayso.gallery import collections, consents, faces, schema
from sayso.gallery.cache import CollectionCache, Found
from sayso.gallery.store import Store, current_sequence

#: How often an answer is put together anew because consents changed under way.
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Hit:
    """A subject that a probe resembles, with the id and cosine of their most similar face."""

    subject: str
    face_id: str
    cosine: float


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
        self._sequence = 0
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
            face_keys = sorted({face for hits in found for face, _, _ in hits})
            subject_keys = sorted({subject for hits in found for _, subject, _ in hits})
            with self._store.read() as connection:
                names = faces.names(connection, face_keys)
                shown = consents.covered(connection, subject_keys, purpose, self._store.now())
            if len(names) == len(face_keys) and len(shown) == len(subject_keys):
                break
            # Somebody withdrew, expired or was erased meanwhile: the next best may move up.
        hits = tuple(
            tuple(
                Hit(names[face][1], names[face][0], cosine)
                for face, subject, cosine in of_probe
                if face in names and subject in shown
            )
            for of_probe in found
        )
        return Matches(hits, templates)

    def refresh(self) -> None:
        """Apply every change to every cache now, not only before its next answer."""
        with self._lock:
            caches = list(self._caches.values())
        for cache in caches:
            with cache.lock, self._store.read() as connection:
                cache.refresh(connection)
        self._wipe_deleted()

    def close(self) -> None:
        """Drop every cache."""
        with self._lock:
            self._caches = {}

    def _search(
        self,
        collection: str,
        probes: NDArray[np.float32],
        purpose: str,
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
            eligible = cache.eligible(purpose, self._store.now())
            return cache.search(probes, eligible, top, min_cosine), eligible.templates

    def _cache(self, key: int, dimension: int) -> CollectionCache:
        with self._lock:
            if key not in self._caches:
                self._caches[key] = CollectionCache(key, dimension, self._threads)
            return self._caches[key]

    def _wipe_deleted(self) -> None:
        """Drop the caches of collections that are no more; one small query when any change came."""
        key = schema.collections.c.key
        with self._lock, self._store.read() as connection:
            sequence = current_sequence(connection)
            if sequence == self._sequence:
                return
            existing = connection.execute(select(key).where(key.in_(list(self._caches))))
            gone = set(self._caches) - set(existing.scalars())
            caches = [self._caches.pop(key) for key in gone]
            self._sequence = sequence
        for cache in caches:
            with cache.lock:
                cache.wipe()
