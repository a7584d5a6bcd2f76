"""The index: a disposable cache of the gallery in this process, to search in.

The store is the truth. Before every answer the index applies the changes that were committed since
its last one, so that what was acknowledged anywhere is found here, and what was erased anywhere is
gone, from memory too. After the search the store has the last word, in the very change that
records the search: whoever is not covered any more when that commits is not in the answer.

Whoever the purpose does not cover is masked out before the search. Their faces cost the same time
as others and leave no trace in the answer.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from sayso.errors import CollectionNotFound, ModelConflict
from sayso.evidence.calibration import COSINES, Scoring
from sayso.gallery import collections, faces, schema, serving, subjects, users
from sayso.gallery.cache import CollectionCache, Eligible, Found, Least
from sayso.gallery.collections import Pinned
from sayso.gallery.matches import Hit, Matches, UserHit, UserMatches
from sayso.gallery.store import Change, Store, current_state

#: How often an answer is put together anew because consents changed under way.
_ATTEMPTS = 5


class Index:
    """The caches of a process, one for each collection that was searched; thread-safe.

    ``threads`` is how many cores a search may use, None for all. ``scoring_of`` tells how templates
    of a model and version are scored.
    """

    def __init__(
        self,
        store: Store,
        *,
        threads: int | None = None,
        scoring_of: Callable[[str, str], Scoring] = lambda *_: COSINES,
    ) -> None:
        self._threads = threads
        self._scoring_of = scoring_of
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
        least: Least,
    ) -> Matches:
        """Find, for each probe (float32 (p, d)), up to ``top`` subjects of a high enough score.

        ``least`` tells the score to be reached, of how many templates could reach it. Only subjects
        whose consent covers the purpose when the answer is put together. Raises CollectionNotFound,
        and ModelConflict for probes of another length than the templates.
        """
        return self._settled(lambda: self._search(collection, probes, purpose, top, least), purpose)

    def match_faces(
        self,
        collection: str,
        probe: NDArray[np.float32],
        *,
        purpose: str,
        top: int,
        least: Least,
        without: int | None = None,
    ) -> Matches:
        """Find up to ``top`` faces of a high enough score with one probe, float32 (d,).

        As ``match``, but a subject may be found by several faces; the face of the key ``without``
        is left out.
        """

        def search() -> tuple[list[list[Found]], int]:
            with self._ready(collection, probe[None], purpose) as ready:
                if ready is None:
                    return [[]], 0
                cache, eligible = ready
                row = None if without is None else cache.row_of(without)
                found = cache.search_faces(probe, eligible, top, least, row)
                left_out = row is not None and bool(eligible.rows[row])
                return [found], eligible.templates - left_out

        return self._settled(search, purpose)

    def match_users(
        self,
        collection: str,
        probe: NDArray[np.float32],
        *,
        purpose: str,
        top: int,
        least: Least,
        without: int | None = None,
        fused: bool = False,
    ) -> UserMatches:
        """Find up to ``top`` users whose fused template has a high enough score with one probe.

        ``least`` tells the score to be reached, of how many users could reach it. The user of the
        key ``without`` is left out; ``fused`` says that the probe is made of several faces.
        """
        with self._ready(collection, probe[None], purpose) as ready:
            if ready is None:
                return UserMatches((), 0)
            cache, eligible = ready
            known = cache.fused(purpose, eligible)
            population = len(known) - (without is not None and known.of(without) is not None)
            found = known.search(probe, top, least(population), without, fused=fused)
        with self._store.read() as connection:
            keyring = self._store.keyring
            names = users.by_keys(connection, keyring.find, [f.user for f in found])
        hits = tuple(
            UserHit(names[f.user], f.score, f.cosine, f.faces, f.subjects)
            for f in found
            if f.user in names
        )
        return UserMatches(hits, population)

    def confirm_users(self, change: Change, matches: UserMatches, purpose: str) -> UserMatches:
        """Leave out whoever may not be shown any more, or is made of a face that may not be."""
        connection, now = change.connection, change.now
        made_of = [key for hit in matches.hits for key in hit.faces]
        there = faces.linked(connection, made_of)
        shown = serving.faces_shown(connection, made_of, purpose, now)
        people = [hit.user.subject.key for hit in matches.hits]
        known = serving.users_known(connection, people, purpose, now)
        hits = tuple(
            hit
            for hit in matches.hits
            if hit.user.subject.key in known
            and all(face in shown and there.get(face) == hit.user.key for face in hit.faces)
        )
        return UserMatches(hits, matches.population)

    def template(self, collection: str, face: int, purpose: str) -> NDArray[np.float32] | None:
        """Return a face's template, by key, float32 (d,), if it may be used for the purpose."""
        with self._ready(collection, None, purpose) as ready:
            if ready is None:
                return None
            cache, eligible = ready
            row = cache.row_of(face)
            if row is None or not eligible.rows[row]:
                return None
            return cache.template_at(row)

    def fused_template(
        self, collection: str, user: int, purpose: str
    ) -> tuple[NDArray[np.float32] | None, bool]:
        """Return a user's fused template, float32 (d,), of what may be used for the purpose.

        And whether it is made of several faces.
        """
        with self._ready(collection, None, purpose) as ready:
            if ready is None:
                return None, False
            made = ready[0].fused(purpose, ready[1])
            return made.of(user), made.is_fused(user)

    def templates(self, collection: str, wanted: Sequence[int]) -> NDArray[np.float32] | None:
        """Return the templates of faces by their keys, float32 (n, d), whatever was agreed to.

        To compare faces that are said to be one person's, and nothing else. None when one of them
        is gone.
        """
        with self._ready(collection, None, None) as ready:
            return None if ready is None else ready[0].templates_of(wanted)

    def load(self) -> None:
        """Load the templates of every collection, as far as that was not done.

        Where only the one collection cannot be searched, that is for a search in it to say.
        """
        self._wipe_deleted()
        collection = schema.collections.c
        enrolled = select(collection.key, collection.name).where(collection.dimension.is_not(None))
        with self._store.read() as connection:
            there = [(int(key), str(name)) for key, name in connection.execute(enrolled)]
        with self._lock:
            caches = dict(self._caches)
        for key, name in there:
            if key not in caches or not caches[key].loaded:
                with (
                    contextlib.suppress(CollectionNotFound, ModelConflict),
                    self._ready(name, None, None),
                ):
                    pass

    def size(self) -> int:
        """Return how many templates this process has in memory."""
        with self._lock:
            return sum(map(len, self._caches.values()))

    def confirm(self, change: Change, matches: Matches, purpose: str) -> Matches:
        """Leave out whoever may not be shown any more at the time of the change.

        No other change can come between this and the commit of that one.
        """
        found = {hit.face_key for hits in matches.hits for hit in hits}
        shown = serving.faces_shown(change.connection, sorted(found), purpose, change.now)
        hits = tuple(
            tuple(hit for hit in of_probe if hit.face_key in shown) for of_probe in matches.hits
        )
        return Matches(hits, matches.templates)

    def most_alike(
        self, collection: str, probes: NDArray[np.float32], least: float
    ) -> list[int | None]:
        """Return for each probe the key of the most similar subject, whatever they agreed to.

        For enrolment only, where it must not matter who may be shown. None where nobody is at
        least so similar.
        """
        found, _ = self._search(collection, probes, None, 1, lambda _: least)
        return [hits[0].subject if hits else None for hits in found]

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

    def _settled(
        self, search: Callable[[], tuple[list[list[Found]], int]], purpose: str
    ) -> Matches:
        """Search until everybody who was found may still be shown, and put names to them."""
        for _ in range(_ATTEMPTS):
            found, templates = search()
            with self._store.read() as connection:
                hits = self._shown(connection, found, purpose, self._store.now())
            if sum(map(len, hits)) == sum(map(len, found)):
                break
            # Somebody withdrew, expired or was erased meanwhile: the next best may move up.
        return Matches(hits, templates)

    def _shown(
        self, connection: Connection, found: list[list[Found]], purpose: str, now: int
    ) -> tuple[tuple[Hit, ...], ...]:
        """Put names to what was found, leaving out whoever is gone or not covered."""
        listed = sorted({each.face for hits in found for each in hits})
        face_ids = serving.faces_shown(connection, listed, purpose, now)
        people = {each.subject for hits in found for each in hits if each.face in face_ids}
        known = subjects.names(connection, self._store.keyring.find, sorted(people))
        return tuple(
            tuple(
                Hit(
                    subject=known[each.subject].name,
                    subject_id=known[each.subject].id,
                    face_id=face_ids[each.face],
                    score=each.score,
                    cosine=each.cosine,
                    subject_key=each.subject,
                    face_key=each.face,
                )
                for each in of_probe
                if each.face in face_ids and each.subject in known
            )
            for of_probe in found
        )

    def _search(
        self,
        collection: str,
        probes: NDArray[np.float32],
        purpose: str | None,
        top: int,
        least: Least,
    ) -> tuple[list[list[Found]], int]:
        # Without a probe nobody is looked for, and it has no length to be held against.
        with self._ready(collection, probes if len(probes) else None, purpose) as ready:
            if ready is None:
                return [[] for _ in probes], 0  # nobody was ever enrolled
            cache, eligible = ready
            if not len(probes):
                return [], eligible.templates
            return cache.search(probes, eligible, top, least), eligible.templates

    @contextlib.contextmanager
    def _ready(
        self, collection: str, probes: NDArray[np.float32] | None, purpose: str | None
    ) -> Iterator[tuple[CollectionCache, Eligible] | None]:
        """Give a collection's cache, locked and up to date, and who in it may be shown.

        Everybody where there is no purpose. None where nobody was ever enrolled.
        """
        self._wipe_deleted()
        with self._store.read() as connection:
            pinned = collections.find(connection, collection)
        if pinned.dimension is None:
            yield None
            return
        if probes is not None:
            collections.check_dimension(pinned, probes.shape[1])
        cache = self._cache(pinned, pinned.dimension)
        with cache.lock:
            # The connection comes after the lock: a cache must not meet an older state than it has.
            with self._store.read() as connection:
                cache.refresh(connection, purpose)
            if purpose is None:
                yield cache, cache.everybody()
            else:
                yield cache, cache.eligible(purpose, self._store.now())

    def _cache(self, pinned: Pinned, dimension: int) -> CollectionCache:
        with self._lock:
            if pinned.key not in self._caches:
                scoring = self._scoring_of(pinned.model or "", pinned.template_version or "")
                if scoring.normaliser and scoring.normaliser.dimension != dimension:
                    raise ModelConflict(
                        f"templates of {pinned.template_version!r} have {dimension} numbers, and "
                        f"their calibration is for {scoring.normaliser.dimension}"
                    )
                self._caches[pinned.key] = CollectionCache(
                    pinned.key,
                    dimension,
                    self._store.keyring,
                    scoring=scoring,
                    threads=self._threads,
                )
            return self._caches[pinned.key]

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
