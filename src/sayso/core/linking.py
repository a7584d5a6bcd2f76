"""Users: subjects to be searched for by several faces at once; and faces by their ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from sayso.audit.events import (
    FacesAssociated,
    FacesDisassociated,
    FacesRead,
    FacesTaken,
    UserCreated,
    UserDeleted,
    UsersRead,
)
from sayso.callers import ACTIONS, KNOWING
from sayso.core.base import Act
from sayso.core.enrolling import Enrolling
from sayso.core.erased import faces_erased
from sayso.core.looking import check_similarity
from sayso.errors import GalleryError, InvalidName, TooManyFacesOfUser
from sayso.evidence.calibration import Calibration
from sayso.gallery import collections, consents, enrolled, erasure, serving, subjects, users
from sayso.gallery.collections import Pinned
from sayso.gallery.enrolled import FaceRow
from sayso.gallery.users import MOST_FACES, Linked
from sayso.results import (
    Consent,
    DeletionFailure,
    EnrolledFace,
    FaceLinking,
    FacesDeletion,
    LinkFailure,
    User,
)

#: How alike a face must be to the others of a user, unless the caller says otherwise.
DEFAULT_LINK_SIMILARITY = 75.0
#: The similarity of a face that is with no other.
_ALONE = 100.0
#: What a list gives at once, at most.
MOST_LISTED = 4096
#: As Amazon has it for users; subjects may have longer names.
_LONGEST_USER = 128


class Linking(Enrolling):
    """What can be done with users, and with faces by their ids.

    A caller who came with a key knows only of those whose consent covers their purpose, unless
    they may ``admin``.
    """

    def enrolled_faces(
        self,
        collection: str,
        *,
        user: str | None = None,
        faces: Sequence[str] | None = None,
        after: str = "",
        limit: int = 1000,
    ) -> tuple[EnrolledFace, ...]:
        """Return faces of a collection in the order of their ids, at most ``limit``.

        Those whose id comes after ``after``; only a user's, only those of the ids ``faces``, where
        these are given. Raises CollectionNotFound, UserNotFound, or GalleryError for a limit that
        is not from 1 to 4096.
        """
        call = self._admit(*KNOWING, collection=collection)
        _check_limit(limit)
        with self._act(call) as act:
            pinned = collections.find(act.connection, collection)
            which = [] if faces is None else [enrolled.with_ids(list(faces)[:MOST_LISTED])]
            if user is not None:
                which.append(enrolled.of_user(act.user(pinned, user).key))
            found = enrolled.listed(
                act.connection,
                act.change.find_keys,
                pinned,
                which=which,
                after=after,
                limit=limit,
                purpose=call.known_purpose,
                now=act.change.now,
            )
            act.record(FacesRead(collection=collection, faces=len(found)))
        return found

    def delete_faces(self, collection: str, faces: Sequence[str]) -> FacesDeletion:
        """Delete faces by their ids; their subjects and consents stay.

        A caller who knows of one purpose alone takes them from that one: a face that was enrolled
        for another as well stays for it. Those that are associated with a user are not deleted,
        and the answer says so, as it does of those that are not there. Raises CollectionNotFound.
        """
        call = self._admit("enrol", "erase", collection=collection)
        with self._act(call, ends=True) as act:
            pinned = collections.find(act.connection, collection)
            found = act.faces(pinned, faces)
            # A user whom the caller may not know of does not keep a face in their purpose.
            shown = _users_shown(act, found.values())
            failed: dict[str, DeletionFailure] = {}
            for face in faces:
                if face not in found:
                    failed[face] = "FACE_NOT_FOUND"
                elif found[face].user_key in shown:
                    failed[face] = "ASSOCIATED_TO_AN_EXISTING_USER"
            deleted = [row for face, row in found.items() if face not in failed]
            keys = [row.key for row in deleted]
            if call.known_purpose is not None:
                keys = serving.take(act.change, keys, call.known_purpose)
            gone = erasure.erase_listed_faces(act.change, pinned, keys)
            act.record(*faces_erased(gone, "asked"))
            taken = [row for row in deleted if row.key not in keys]
            if taken:
                act.record(
                    FacesTaken(
                        collection=collection,
                        subjects=_subject_ids(act, taken),
                        faces=len(taken),
                    )
                )
            elif not gone:
                act.record(FacesRead(collection=collection, faces=len(found)))
            told = _users_told(act, found, _because(failed, "ASSOCIATED_TO_AN_EXISTING_USER"))
        return FacesDeletion(tuple(row.id for row in deleted), failed, told)

    def create_user(self, collection: str, user: str, *, consent: Consent | None = None) -> User:
        """Make a subject a user, and the subject where there is none yet.

        It takes a consent as an enrolment does: ``consent``, the caller's attestation, or one on
        record. Raises CollectionNotFound, InvalidName, UserExists, ConsentRequired,
        PurposeNotDeclared.
        """
        call = self._admit("enrol", collection=collection)
        if len(user) > _LONGEST_USER:
            raise InvalidName(
                f"the name of a user has at most {_LONGEST_USER} characters, not {len(user)}"
            )
        attested = consent is None
        offered = self._offered(call, consent)
        with self._act(call) as act:
            pinned = collections.find(act.connection, collection)
            known = subjects.find_or_create(act.change, pinned, [user])[user]
            grant = consents.require_enrolment_consent(
                act.change,
                pinned,
                [known],
                offered,
                call.caller.actor,
                call.caller.purpose,
                attested,
                extends=call.caller.sees_everybody,
            )
            made, new = users.create(act.change, pinned, known, call.known_purpose)
            self._record_consents(act, collection, [known], grant, offered)
            if new:
                act.record(UserCreated(collection=collection, subject=known.id))
            else:  # it was there, for others alone
                act.record(UsersRead(collection=collection, users=1))
            return act.describe_user(pinned, made)

    def delete_user(self, collection: str, user: str) -> None:
        """Delete a user: the faces are associated with nobody then, and stay with their subjects.

        A caller who knows of one purpose alone deletes them for that one. Raises
        CollectionNotFound or UserNotFound.
        """
        with self._act(self._admit("enrol", "erase", collection=collection), ends=True) as act:
            pinned = collections.find(act.connection, collection)
            found = act.user(pinned, user)
            users.remove(act.change, found, act.call.known_purpose)
            act.record(UserDeleted(collection=collection, subject=found.subject.id))

    def user(self, collection: str, user: str) -> User:
        """Return one user; raises CollectionNotFound or UserNotFound."""
        call = self._admit(*KNOWING, collection=collection)
        with self._act(call) as act:
            pinned = collections.find(act.connection, collection)
            found = act.user(pinned, user)
            act.record(UsersRead(collection=collection, users=1))
            return act.describe_user(pinned, found)

    def users(self, collection: str, *, after: str = "", limit: int = 500) -> tuple[User, ...]:
        """Return users of a collection in the order of their ids, at most ``limit``.

        Those whose id comes after ``after``. Raises CollectionNotFound, or GalleryError for a
        limit that is not from 1 to 4096.
        """
        call = self._admit(*KNOWING, collection=collection)
        _check_limit(limit)
        with self._act(call) as act:
            found = users.listed(
                act.connection,
                act.change.find_keys,
                collections.find(act.connection, collection),
                after=after,
                limit=limit,
                purpose=call.known_purpose,
                now=act.change.now,
            )
            act.record(UsersRead(collection=collection, users=len(found)))
        return found

    def count_users(self, collection: str) -> int:
        """Return how many users a collection has, as far as the caller may know of them."""
        call = self._admit(*ACTIONS, collection=collection)
        with self._act(call) as act:
            pinned = collections.find(act.connection, collection)
            act.record(UsersRead(collection=collection, users=0))
            return users.count(act.connection, pinned, call.known_purpose, act.change.now)

    def associate_faces(
        self,
        collection: str,
        user: str,
        faces: Sequence[str],
        *,
        min_similarity: float = DEFAULT_LINK_SIMILARITY,
    ) -> FaceLinking:
        """Say that enrolled faces are of one user, whose fused template is then made of them, too.

        A face whose similarity to the others, of the user and of this call, stays below
        ``min_similarity`` is refused. Raises CollectionNotFound, UserNotFound,
        TooManyFacesOfUser, ModelConflict.
        """
        call = self._admit("enrol", collection=collection)
        check_similarity(min_similarity)
        measured = self._measured(self._comparable(collection))
        with self._resources.store.read() as connection:
            store = self._resources.store
            pinned = collections.find(connection, collection)
            now = store.now()
            found = call.user(connection, store.keyring, pinned, user, now)
            asked = enrolled.find(connection, pinned, faces, purpose=call.known_purpose, now=now)
            # Nobody is told how alike a face is to one that they may not know of.
            there = users.faces_of(connection, found, call.known_purpose, now)
        free = [row for row in asked.values() if row.user_key is None]
        likeness = self._likeness(collection, there, [row.key for row in free], measured)
        alike = dict(zip((row.id for row in free), likeness, strict=True))
        with self._act(call) as act:
            pinned = collections.find(act.connection, collection)
            found = act.user(pinned, user)
            rows = act.faces(pinned, faces)
            apart = _serving_others(act, rows.values())
            failed: dict[str, LinkFailure] = {}
            for face in dict.fromkeys(faces):
                row = rows.get(face)
                if row is None or (row.user_key is None and face not in alike):
                    failed[face] = "FACE_NOT_FOUND"
                elif row.user_key not in (None, found.key) or (
                    # Another purpose's person is not made this one's user.
                    row.key in apart and row.subject_key != found.subject.key
                ):
                    failed[face] = "ASSOCIATED_TO_A_DIFFERENT_USER"
                elif row.user_key is None and alike[face] < min_similarity:
                    failed[face] = "LOW_MATCH_CONFIDENCE"
            # Those that are associated already are passed over.
            linked = [
                row for face, row in rows.items() if face not in failed and row.user_key is None
            ]
            total = len(users.faces_of(act.connection, found)) + len(linked)
            if total > MOST_FACES:
                # Not how many: some may be of people whom the caller does not know of.
                raise TooManyFacesOfUser(
                    f"user {user!r} would have too many faces; the limit is {MOST_FACES}"
                )
            users.link(act.change, found, [row.key for row in linked])
            act.record(
                FacesAssociated(
                    collection=collection,
                    subject=found.subject.id,
                    faces=tuple(row.id for row in linked),
                    subjects=_subject_ids(act, linked),
                )
            )
            return self._linking(act, pinned, found, linked, failed, rows, alike)

    def disassociate_faces(self, collection: str, user: str, faces: Sequence[str]) -> FaceLinking:
        """Take faces from a user; they stay enrolled. Raises CollectionNotFound, UserNotFound.

        A caller who knows of one purpose alone takes none that serves another one, too, from a
        user who is known for another: they would be gone there as well.
        """
        with self._act(self._admit("enrol", "erase", collection=collection), ends=True) as act:
            pinned = collections.find(act.connection, collection)
            found = act.user(pinned, user)
            rows = act.faces(pinned, faces)
            apart = _serving_others(act, rows.values(), of=found)
            failed: dict[str, LinkFailure] = {}
            for face in dict.fromkeys(faces):
                row = rows.get(face)
                if row is None:
                    failed[face] = "FACE_NOT_FOUND"
                elif row.user_key not in (None, found.key) or row.key in apart:
                    failed[face] = "ASSOCIATED_TO_A_DIFFERENT_USER"
            taken = [row for face, row in rows.items() if face not in failed and row.user_key]
            users.unlink(act.change, found, [row.key for row in taken])
            act.record(
                FacesDisassociated(
                    collection=collection,
                    subject=found.subject.id,
                    faces=tuple(row.id for row in taken),
                    subjects=_subject_ids(act, taken),
                )
            )
            return self._linking(act, pinned, found, taken, failed, rows, {})

    def _likeness(
        self, collection: str, there: list[int], new: list[int], measured: Calibration
    ) -> list[float]:
        """Return for each new face the similarity to the mean of all others; 100 if it is alone."""
        if not new:
            return []
        templates = self._resources.index.templates(collection, [*there, *new])
        if templates is None:
            raise GalleryError("a face was deleted meanwhile: ask for the faces anew")
        if len(templates) == 1:
            return [_ALONE]
        own = templates[len(there) :]
        others = templates.sum(axis=0) - own
        others /= np.maximum(np.linalg.norm(others, axis=1, keepdims=True), 1e-12)
        # The mean of several others is a fused template; see ``Calibration``.
        factor = measured.scoring.fused if len(templates) > 2 else 1.0
        scores = [
            factor * measured.between(a[None], b[None])[0, 0]
            for a, b in zip(own, others, strict=True)
        ]
        return [float(each) for each in measured.similarity(np.array(scores, np.float64))]

    def _linking(
        self,
        act: Act,
        pinned: Pinned,
        user: Linked,
        linked: Sequence[FaceRow],
        failed: dict[str, LinkFailure],
        rows: dict[str, FaceRow],
        alike: dict[str, float],
    ) -> FaceLinking:
        return FaceLinking(
            act.describe_user(pinned, user),
            tuple(row.id for row in linked),
            failed,
            _users_told(act, rows, _because(failed, "ASSOCIATED_TO_A_DIFFERENT_USER")),
            {face: alike[face] for face in _because(failed, "LOW_MATCH_CONFIDENCE")},
        )


def _serving_others(
    act: Act, rows: Iterable[FaceRow], *, of: Linked | None = None
) -> frozenset[int]:
    """Return the keys of those rows that serve another purpose than the caller's only one.

    None where the user ``of`` whom they are is known for no other purpose.
    """
    purpose = act.call.known_purpose
    if purpose is None:
        return frozenset()
    if of is not None and not serving.user_known_elsewhere(act.connection, of.key, purpose):
        return frozenset()
    keys = [row.key for row in rows]
    return frozenset(serving.apart_from(act.connection, keys, purpose, act.change.now))


def _users_shown(act: Act, rows: Iterable[FaceRow]) -> frozenset[int]:
    """Return the keys of the users of some faces, as far as the caller may know of them."""
    keys = sorted({row.user_key for row in rows if row.user_key is not None})
    people = users.subjects_of(act.connection, keys)
    purpose = act.call.known_purpose
    if purpose is None:
        return frozenset(people)
    known = serving.users_known(
        act.connection, sorted(set(people.values())), purpose, act.change.now
    )
    return frozenset(user for user, subject in people.items() if subject in known)


def _check_limit(limit: int) -> None:
    if isinstance(limit, bool) or not 1 <= limit <= MOST_LISTED:
        raise GalleryError(f"limit is {limit}; it runs from 1 to {MOST_LISTED}")


def _because(failed: Mapping[str, str], reason: str) -> list[str]:
    return [face for face, why in failed.items() if why == reason]


def _users_told(act: Act, rows: Mapping[str, FaceRow], faces: Iterable[str]) -> dict[str, str]:
    """Return the users of some of the rows, by face, as far as the caller may know of them."""
    user_of = {face: key for face in faces if (key := rows[face].user_key) is not None}
    keys = _users_shown(act, (rows[face] for face in user_of))
    people = users.subjects_of(act.connection, sorted(keys))
    shown = set(people.values())
    known = subjects.names(act.connection, act.change.find_keys, sorted(shown))
    names = {user: known[subject].name for user, subject in people.items() if subject in known}
    return {face: names[user] for face, user in user_of.items() if user in names}


def _subject_ids(act: Act, rows: Sequence[FaceRow]) -> tuple[str, ...]:
    found = subjects.ids(act.connection, sorted({row.subject_key for row in rows}))
    return tuple(sorted(found.values()))
