"""Collections, and the purposes that they are for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sayso.audit.events import (
    CollectionCreated,
    CollectionDeleted,
    CollectionsRead,
    CollectionTagged,
    FalseMatchRuleSet,
    PurposeDeclared,
    PurposeMet,
    PurposesRead,
)
from sayso.callers import ACTIONS
from sayso.core.base import Act, Base
from sayso.core.resources import erasures
from sayso.errors import CollectionNotEmpty
from sayso.gallery import collections, erasure, purposes, serving
from sayso.gallery import tags as tagging
from sayso.gallery.purposes import LONGEST_IDLE_DAYS
from sayso.results import Collection, FalseMatchRule, Purpose, Tombstone


def declared(purpose: Purpose) -> PurposeDeclared:
    """Return the event of a purpose's declaration."""
    return PurposeDeclared(
        collection=purpose.collection,
        purpose_declared=purpose.name,
        notice=purpose.version,
        notice_sha256=hashlib.sha256(purpose.notice.encode()).hexdigest(),
        max_days=purpose.max_days,
        idle_days=purpose.idle_days,
        by_default=purpose.by_default,
    )


class Galleries(Base):
    """What can be done with collections and their purposes."""

    def create_collection(
        self,
        name: str,
        *,
        tags: Mapping[str, str] | None = None,
        rule: FalseMatchRule | None = None,
    ) -> Collection:
        """Make a collection; ``rule`` says how many false matches its searches may expect.

        Raises InvalidName, CollectionExists, InvalidTag or TooManyTags.
        """
        with self._act(self._admit("admin", collection=name)) as act:
            collections.create(act.change, name)
            act.record(CollectionCreated(collection=name))
            if rule is not None:
                _set_rule(act, name, rule)
            if tags:
                _tag(act, name, tags)
            return collections.describe(act.connection, name)

    def set_false_match_rule(self, collection: str, rule: FalseMatchRule) -> Collection:
        """Say how many false matches the searches of a collection may expect, from now on.

        The rule raises what a caller asks for as a match once the gallery is large enough to need
        it, and never lowers it. Raises CollectionNotFound.
        """
        with self._act(self._admit("admin", collection=collection)) as act:
            _set_rule(act, collection, rule)
            return collections.describe(act.connection, collection)

    def tag_collection(self, collection: str, tags: Mapping[str, str]) -> None:
        """Tag a collection for whoever runs it; a tag of the same key is replaced.

        Raises CollectionNotFound, InvalidTag or TooManyTags.
        """
        with self._act(self._admit("admin", collection=collection)) as act:
            _tag(act, collection, tags)

    def untag_collection(self, collection: str, keys: Sequence[str]) -> None:
        """Take tags from a collection, by their keys; raises CollectionNotFound."""
        with self._act(self._admit("admin", collection=collection)) as act:
            pinned = collections.find(act.connection, collection)
            gone = sorted(set(keys) & tagging.of(act.connection, pinned).keys())
            tagging.remove(act.change, pinned, gone)
            act.record(
                CollectionTagged(collection=collection, tags_set=(), tags_removed=tuple(gone))
            )

    def collection_tags(self, collection: str) -> dict[str, str]:
        """Return the tags of a collection; raises CollectionNotFound."""
        with self._act(self._admit(*ACTIONS, collection=collection)) as act:
            act.record(CollectionsRead(collections=1))
            return tagging.of(act.connection, collections.find(act.connection, collection))

    def collections(self) -> tuple[Collection, ...]:
        """Return every collection that the caller has access to, ordered by name.

        A caller who may not know of everybody is told how many those are whom they may see.
        """
        call = self._admit(*ACTIONS)
        with self._act(call) as act:
            allowed = call.caller.collections
            found = tuple(
                self._counted(act, each)
                for each in collections.describe_all(act.connection)
                if allowed is None or each.name in allowed
            )
            act.record(CollectionsRead(collections=len(found)))
        return found

    def collection(self, name: str) -> Collection:
        """Return one collection; raises CollectionNotFound."""
        with self._act(self._admit(*ACTIONS, collection=name)) as act:
            act.record(CollectionsRead(collections=1))
            return self._counted(act, collections.describe(act.connection, name))

    def delete_collection(self, name: str, *, erase_subjects: bool = False) -> int:
        """Delete a collection, and erase every subject of it; return how many there were.

        Where there are any, ``erase_subjects`` must say that they are to be erased: a slip of the
        pen, or a path that was shortened on the way, must not. Raises CollectionNotFound or
        CollectionNotEmpty.
        """
        with self._act(self._admit("admin", collection=name), ends=True) as act:
            pinned = collections.find(act.connection, name)
            there = collections.describe(act.connection, name).subjects
            if there and not erase_subjects:
                raise _not_empty(name, there)
            erased = erasure.delete_collection(act.change, pinned)
            act.record(*erasures(erased), CollectionDeleted(collection=name, subjects=len(erased)))
        return len(erased)

    def declare_purpose(
        self,
        collection: str,
        purpose: str,
        *,
        notice: str,
        max_days: int | None = None,
        idle_days: int = LONGEST_IDLE_DAYS,
    ) -> Purpose:
        """Declare what a collection is for, or declare it anew with another notice or rule.

        ``notice`` tells people in plain words what it means for them. A consent to the purpose
        ends at the latest ``max_days`` after it was given, and ``idle_days`` after the last
        interaction. A stricter rule binds the consents that were given, too, and whoever has none
        left by it is erased; a looser one does not lengthen them. From the first declaration on,
        consents to other purposes are refused.

        Raises CollectionNotFound, InvalidName, or GalleryError for a notice or days that cannot be.
        """
        call = self._admit("admin", collection=collection)
        with self._act(call) as act:
            found = purposes.declare(
                act.change,
                collections.find(act.connection, collection),
                purpose,
                notice=notice,
                max_days=max_days,
                idle_days=idle_days,
                actor=call.caller.actor,
            )
            act.record(declared(found))
            self._resources.sweep(act.change, since=-1)  # a stricter rule may end some at once
        return found

    def purposes(self, collection: str) -> tuple[Purpose, ...]:
        """Return the purposes of a collection, ordered by name; raises CollectionNotFound."""
        with self._act(self._admit(*ACTIONS, collection=collection)) as act:
            act.record(PurposesRead(collection=collection))
            return purposes.describe_all(
                act.connection, collections.find(act.connection, collection)
            )

    def purpose_met(self, collection: str, purpose: str) -> tuple[Tombstone, ...]:
        """Say that a purpose is met: every consent to it ends now.

        Whoever agreed to nothing else is erased; their tombstones are returned. Raises
        CollectionNotFound, InvalidName or PurposeNotDeclared.
        """
        with self._act(self._admit("admin", collection=collection), ends=True) as act:
            pinned = collections.find(act.connection, collection)
            purposes.met(act.change, pinned, purpose)
            act.record(PurposeMet(collection=collection, purpose_met=purpose))
            swept = self._resources.sweep(act.change, since=-1)
        return tuple(each for each in swept if each.collection == collection)

    def _counted(self, act: Act, collection: Collection) -> Collection:
        """Return a collection as the caller may see it: counting those they know of."""
        caller = self._caller
        if caller.sees_everybody:
            return collection
        pinned = collections.find(act.connection, collection.name)
        counts = serving.counts(act.connection, pinned.key, caller.purpose or "", act.change.now)
        return replace(collection, subjects=counts[0], faces=counts[1])


def _not_empty(name: str, subjects: int) -> CollectionNotEmpty:
    people = "1 subject, who" if subjects == 1 else f"{subjects:,} subjects, who"
    return CollectionNotEmpty(
        f"collection {name!r} has {people} would be erased with it, for good: if that is meant, "
        f"say so (sayso collections delete --yes; in the REST API confirm={name}; in Python "
        "erase_subjects=True)",
        subjects,
    )


def _set_rule(act: Act, name: str, rule: FalseMatchRule) -> None:
    collections.set_rule(act.change, collections.find(act.connection, name), rule)
    act.record(
        FalseMatchRuleSet(
            collection=name, max_expected_false_matches=repr(rule.max_expected), per=rule.per
        )
    )


def _tag(act: Act, collection: str, tags: Mapping[str, str]) -> None:
    tagging.put(act.change, collections.find(act.connection, collection), tags)
    act.record(
        CollectionTagged(collection=collection, tags_set=tuple(sorted(tags)), tags_removed=())
    )
