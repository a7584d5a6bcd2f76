"""What the application's methods share: admission, and acts that are on record or not done."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from sayso.audit.events import CallRefused, Event
from sayso.audit.log import Log, Who
from sayso.callers import Action, Caller, permit
from sayso.core.resources import Resources
from sayso.errors import AccessDenied, ConsentRequired, SaysoError, SubjectNotFound
from sayso.gallery import access_keys, consents, coverage, enrolled, subjects, users
from sayso.gallery.collections import Pinned
from sayso.gallery.enrolled import FaceRow
from sayso.gallery.store import Change
from sayso.gallery.subjects import Known
from sayso.gallery.times import moment
from sayso.gallery.types import ConsentRecord
from sayso.gallery.users import Linked
from sayso.keyring.store import Keyring
from sayso.results import Subject, User

#: A key that no subject has.
_NOBODY = -1


@dataclass(frozen=True, slots=True)
class Call:
    """A call: by whom, to do what, in which collection.

    ``action`` is the right that it takes, or several of which one will do.
    """

    caller: Caller
    action: str
    collection: str | None

    @property
    def who(self) -> Who:
        """The caller as the audit log names them."""
        return Who(self.caller.actor, self.caller.key, self.caller.purpose)

    @property
    def known_purpose(self) -> str | None:
        """The purpose of those whom the caller may know of; None where that is everybody."""
        return None if self.caller.sees_everybody else self.caller.purpose

    def subject(
        self,
        connection: Connection,
        keyring: Keyring,
        collection: Pinned,
        name: str,
        now: int,
        *,
        begun: bool = True,
    ) -> Known:
        """Return a subject that the caller may know of; raises InvalidName or SubjectNotFound.

        Unless ``begun``, also one whose consent to the caller's purpose only begins later: they
        can withdraw it already.
        """
        known = subjects.look_up(connection, keyring, collection, name)
        # The store is asked the same whether or not there is one: a subject who is hidden takes
        # as long as none.
        if self._knows_of(connection, known, now, begun=begun) and known is not None:
            return known
        raise subjects.not_found(collection, name)

    def knows_of(
        self, connection: Connection, subject: Known, now: int, *, begun: bool = True
    ) -> bool:
        """Tell whether the caller may know of a subject; for ``begun`` see ``subject``."""
        return self._knows_of(connection, subject, now, begun=begun)

    def _knows_of(
        self, connection: Connection, subject: Known | None, now: int, *, begun: bool
    ) -> bool:
        purpose = self.known_purpose
        key = _NOBODY if subject is None else subject.key
        return purpose is None or bool(
            coverage.covered(connection, [key], purpose, now, begun=begun)
        )

    def user(
        self,
        connection: Connection,
        keyring: Keyring,
        collection: Pinned,
        name: str,
        now: int,
        *,
        shown_only: bool = False,
    ) -> Linked:
        """Return a user that the caller may know of; raises InvalidName or UserNotFound.

        With ``shown_only`` one whom the caller may be shown in a search.
        """
        try:
            known = self.subject(connection, keyring, collection, name, now)
        except SubjectNotFound:
            raise users.not_found(collection, name) from None
        purpose = self.caller.purpose if shown_only else self.known_purpose
        return users.find(connection, collection, known, purpose, now)


@dataclass(slots=True)
class Act:
    """A change of the store with its entry in the audit log; both commit together, or neither."""

    call: Call
    change: Change
    log: Log
    recorded: bool = False

    @property
    def connection(self) -> Connection:
        """The transaction."""
        return self.change.connection

    def record(self, *events: Event) -> None:
        """Put what was done on record, in this transaction."""
        if events:
            self.log.append(self.connection, self.change.now, self.call.who, events)
            self.recorded = True

    def subject(self, collection: Pinned, name: str, *, begun: bool = True) -> Known:
        """Return a subject that the caller may know of; see ``Call.subject``."""
        change = self.change
        return self.call.subject(
            change.connection, change.keyring, collection, name, change.now, begun=begun
        )

    def user(self, collection: Pinned, name: str) -> Linked:
        """Return a user that the caller may know of; see ``Call.user``."""
        change = self.change
        return self.call.user(change.connection, change.keyring, collection, name, change.now)

    def knows_of(self, subject: Known) -> bool:
        """Tell whether the caller may know of a subject now."""
        return self.call.knows_of(self.connection, subject, self.change.now)

    def describe(self, collection: Pinned, subject: Known) -> Subject:
        """Return a subject as the caller may know of them: for their purpose alone, or whole."""
        return subjects.describe(
            self.connection,
            collection,
            subject,
            now=self.change.now,
            purpose=self.call.known_purpose,
        )

    def describe_user(self, collection: Pinned, user: Linked) -> User:
        """Return a user, with as many faces as the caller may know of."""
        return users.describe(
            self.connection, collection, user, self.call.known_purpose, self.change.now
        )

    def faces(self, collection: Pinned, ids: Iterable[str]) -> dict[str, FaceRow]:
        """Return those faces, by id, that are there and that the caller may know of."""
        return enrolled.find(
            self.connection, collection, ids, purpose=self.call.known_purpose, now=self.change.now
        )

    def consents(self, subject: Known) -> tuple[ConsentRecord, ...]:
        """Return a subject's consents, the oldest first, as far as the caller may know of them."""
        found = consents.records(self.connection, self.change.find_keys, subject)
        caller = self.call.caller
        if caller.sees_everybody:
            return found
        own = caller.purpose or ""
        return tuple(each.limited_to(own) for each in found if own in each.purposes)


class Base:
    """A caller at an open gallery."""

    def __init__(self, resources: Resources, caller: Caller) -> None:
        self._resources = resources
        self._caller = caller

    @property
    def caller(self) -> Caller:
        """Who calls through this."""
        return self._caller

    @property
    def now(self) -> datetime:
        """The time that the gallery goes by, in UTC: when a consent begins and ends."""
        return moment(self._resources.store.now())

    def _admit(
        self,
        *any_of: Action,
        collection: str | None = None,
        everywhere: bool = False,
    ) -> Call:
        """Say who calls, and raise unless they may; every method begins here.

        ``everywhere`` is for what concerns all collections. Raises InvalidName or AccessDenied
        (UnknownKey for a key that has ended).
        """
        call = Call(self._caller, " or ".join(any_of), collection)
        try:
            permit(call.caller, any_of, collection, everywhere=everywhere)
            if call.caller.key is not None:  # before any work is done for nothing
                store = self._resources.store
                with store.read() as connection:
                    access_keys.require_live(connection, call.caller.key, store.now())
        except AccessDenied as error:
            self._refused(call, error)
            raise
        return call

    @contextlib.contextmanager
    def _act(self, call: Call, *, ends: bool = False) -> Iterator[Act]:
        """Run an act: durable, and on record, when the block is left, or it did not happen.

        ``ends`` says that it ends something, for which there is room also on a full disk.
        What was refused for want of a right or of a consent is on record, too.
        """
        try:
            with self._resources.change(ends=ends) as change:
                if call.caller.key is not None:
                    access_keys.require_live(change.connection, call.caller.key, change.now)
                # Before anything is done that no transaction takes back.
                self._resources.log.check(change.connection)
                act = Act(call, change, self._resources.log)
                yield act
                if not act.recorded:
                    raise RuntimeError("an act must leave an entry in the audit log")
        except (AccessDenied, ConsentRequired) as error:
            self._refused(call, error)
            raise

    def _refused(self, call: Call, error: SaysoError) -> None:
        event = CallRefused(
            action=call.action, error=type(error).__name__, collection=call.collection
        )
        with self._resources.change() as change:
            self._resources.log.append(change.connection, change.now, call.who, [event])
