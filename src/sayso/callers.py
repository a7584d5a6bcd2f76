"""Who asks, for which purpose, and whether they may."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, get_args

from sayso.errors import AccessDenied, ConsentRequired, InvalidName
from sayso.gallery.names import check_purpose, is_text, known_collection
from sayso.gallery.types import AccessKey

#: What a caller may be allowed to do.
Action = Literal["detect", "compare", "enrol", "search", "erase", "audit", "admin"]
ACTIONS: tuple[Action, ...] = get_args(Action)
#: Whoever may do one of these is told who is in a collection, as far as they may know of them.
KNOWING: tuple[Action, ...] = ("enrol", "search", "erase", "audit", "admin")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, for what, and what they may.

    ``purpose`` is the one that they search for; only somebody at the machine itself has none, and
    names one with each search. ``actions`` are what they may do, in ``collections``, or in all of
    them where that is None. ``key`` is the id of the access key they came with, and
    ``attestation`` its statement of how consent is collected; it ends when it ``expires``.
    """

    actor: str
    purpose: str | None = None
    actions: frozenset[Action] = frozenset()
    collections: frozenset[str] | None = None
    key: str | None = None
    attestation: str | None = None
    expires: datetime | None = None

    def __post_init__(self) -> None:
        if not is_text(self.actor):
            raise InvalidName(f"{self.actor!r} is no name for an actor: it must be text, in UTF-8")
        if self.purpose is not None:
            check_purpose(self.purpose)

    @classmethod
    def local(cls, actor: str | None = None) -> Caller:
        """Return whoever sits at the machine: they may do everything, and it is on record.

        The actor is the operating-system user unless given. Raises InvalidName.
        """
        return cls(actor or local_actor(), actions=frozenset(ACTIONS))

    @classmethod
    def of(cls, key: AccessKey) -> Caller:
        """Return whoever came with an access key."""
        return cls(
            key.actor,
            key.purpose,
            frozenset(action for action in ACTIONS if action in key.actions),
            None if key.collections is None else frozenset(key.collections),
            key.id,
            key.attestation,
            key.expires,
        )

    @property
    def sees_everybody(self) -> bool:
        """Whether subjects are listed to them whatever purpose those agreed to."""
        return self.purpose is None or "admin" in self.actions

    def searching_for(self, purpose: str | None) -> Caller:
        """Return the caller with the purpose of a search.

        Raises ConsentRequired when there is none, InvalidName, or AccessDenied for another one
        than their own.
        """
        if self.purpose is None:
            if purpose is None:
                raise ConsentRequired("a search needs a purpose, such as photo-delivery")
            return replace(self, purpose=purpose)
        if purpose not in (None, self.purpose):
            raise AccessDenied(
                f"the access key is for the purpose {self.purpose!r}, not for {purpose!r}: use a "
                "key of that purpose"
            )
        return self

    def require_within(
        self,
        actions: Iterable[Action],
        collections: Iterable[str] | None,
        until: datetime | None,
    ) -> None:
        """Raise AccessDenied unless these rights are among their own, and end no later."""
        if self.expires is not None and (until is None or until > self.expires):
            raise AccessDenied(
                f"{self.actor} can give rights only until their own end, at "
                f"{self.expires.isoformat()}"
            )
        more = set(actions) - self.actions
        if more:
            raise AccessDenied(
                f"{self.actor} cannot give the right to {', '.join(sorted(more))} without having it"
            )
        if self.collections is not None and (
            collections is None or not self.collections.issuperset(collections)
        ):
            raise AccessDenied(
                f"{self.actor} can give access only to {', '.join(sorted(self.collections))}"
            )

    def require_purposes(self, purposes: Iterable[str]) -> None:
        """Raise AccessDenied unless they may record consent to all these purposes."""
        others = set() if self.sees_everybody else set(purposes) - {self.purpose}
        if others:
            raise AccessDenied(
                f"the access key is for the purpose {self.purpose!r} and cannot record consent to "
                f"{', '.join(sorted(others))}: use a key of that purpose, or one that may admin"
            )


def local_actor() -> str:
    """Name the operating-system user, as the actor of commands and library calls.

    The system is asked, not the environment: ``LOGNAME`` and ``USER`` say what anybody likes. A
    user without a name that is text is told by number.
    """
    if sys.platform == "win32":  # which has no such numbers
        try:
            return f"user:{getpass.getuser()}"
        except OSError:
            return "user:unknown"
    import pwd  # only where there is one

    number = os.getuid()
    try:
        name = pwd.getpwuid(number).pw_name
    except KeyError:  # a container may run under a number that has no name
        return f"uid:{number}"
    return f"user:{name}" if is_text(name) else f"uid:{number}"


def permit(
    caller: Caller, any_of: Iterable[Action], collection: str | None, *, everywhere: bool = False
) -> None:
    """Raise unless the caller may do one of these to the collection (None: to none in particular).

    With ``everywhere``, unless they may do it to all there are, and those to come.
    Raises InvalidName for a bad collection name, or AccessDenied naming what is missing.
    """
    wanted = tuple(any_of)
    if collection is not None:
        known_collection(collection)
    if not caller.actions.intersection(wanted):
        raise AccessDenied(
            f"{caller.actor} may not do this: it takes the right to {' or '.join(wanted)}, and "
            f"theirs are {', '.join(sorted(caller.actions)) or 'none'}"
        )
    if caller.collections is None:
        return
    if everywhere:
        raise AccessDenied(
            f"{caller.actor} may do this only in {', '.join(sorted(caller.collections))}, and it "
            "concerns every collection"
        )
    if collection is None or collection in caller.collections:
        return
    raise AccessDenied(
        f"{caller.actor} has no access to collection {collection!r}: the key names the collections "
        "it is for (sayso keys list)"
    )
