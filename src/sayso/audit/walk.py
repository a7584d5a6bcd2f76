"""Following the chain from entry to entry, wherever the entries come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sayso.audit import chain
from sayso.audit.canonical import parse
from sayso.audit.events import LogBegun
from sayso.audit.heads import Head
from sayso.errors import AuditError

_MOST = 100
#: What is wrong with a log that nothing can be said of.
NO_KEY = "there is no public key to check signatures with; give it, or a saved head"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it was written: in the entry of that number, or in the whole."""

    number: int | None
    what: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What verification found: how many entries, the last of them, and at most 100 problems.

    ``head`` is None where there is no last entry, or it cannot be told. ``notes`` say what the
    result stands on, and are no problems.
    """

    entries: int
    head: Head | None
    problems: tuple[Problem, ...]
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether there is no problem."""
        return not self.problems


class _Last(NamedTuple):
    shown: int | None
    document: Mapping[str, Any]
    hash: bytes
    signature: bytes


class Walk:
    """A verification under way.

    Without ``public_key`` (32 bytes) the one of ``head`` is used, and without either the one that
    the first entry names. ``every_signature`` false checks the last one only. ``whole`` is
    whether the walk must begin with the log's first entry.

    ``next`` is the number that the next entry should have, ``entries`` how many there were.
    Raises AuditError for a public key that is none.
    """

    def __init__(
        self, public_key: bytes | None, head: Head | None, *, every_signature: bool, whole: bool
    ) -> None:
        self.next = 1
        self.entries = 0
        self._problems: list[Problem] = []
        self._notes: list[str] = []
        self._more = False
        self._every = every_signature
        self._whole = whole
        self._head = head
        self._head_seen = False
        self._link: str | None = chain.START  # None: not known
        self._last: _Last | None = None
        self._raw_key: bytes | None = None
        self._key: Ed25519PublicKey | None = None
        if public_key is not None:
            self._use(public_key)
        elif head is not None:
            self._use(bytes.fromhex(head.public_key))
            self._notes.append("checked with the public key of the saved head")

    def problem(self, number: int | None, what: str) -> None:
        """Note a problem."""
        if len(self._problems) < _MOST:
            self._problems.append(Problem(number, what))
        else:
            self._more = True

    def skip(self, what: str) -> None:
        """Go past an entry of which nothing can be told but what is wrong."""
        self.problem(self.next, what)
        self.entries += 1
        self.next += 1
        self._link = self._last = None

    def take(
        self, shown: int | None, body: bytes, entry_hash: bytes, signature: bytes
    ) -> dict[str, Any]:
        """Check the next entry, which problems call number ``shown``.

        Returns its body parsed, without anything in it where it cannot be.
        """
        self.entries += 1
        if chain.body_hash(body) != entry_hash:
            self.problem(shown, "its hash is not that of its content")
        document = parse(body) or {}
        if self.entries == 1:
            self._begin(document)
        self._check_place(shown, document)
        self._last = _Last(shown, document, entry_hash, signature)
        self._link = chain.link(entry_hash, signature)
        if self._every:
            self._check_signature(self._last)
        if self._head is not None and document.get("number") == self._head.number:
            self._head_seen = True
            if self._head_of(self._last) != self._head:
                self.problem(shown, "it is not the entry of the saved head")
        return document

    def finish(self) -> Verification:
        """Check what the end shows, and return the result."""
        if self._last is not None and not self._every:
            self._check_signature(self._last)
        if self.entries and self._key is None:
            self.problem(None, NO_KEY)
        if self._head is not None:
            self._check_head(self._head)
        if self._more:
            self._notes.append(f"there are more problems than the {_MOST} that are listed")
        last = None if self._last is None else self._head_of(self._last)
        return Verification(self.entries, last, tuple(self._problems), tuple(self._notes))

    @property
    def last_hash(self) -> bytes | None:
        """The hash of the last entry, None before the first and after one that was skipped."""
        return None if self._last is None else self._last.hash

    def _use(self, public_key: bytes) -> None:
        self._key = chain.public_key(public_key)
        self._raw_key = public_key

    def _begin(self, document: Mapping[str, Any]) -> None:
        number = document.get("number")
        if not self._whole and type(number) is int and number > 1:
            self.next, self._link = number, None
            self._notes.append(f"begins with entry {number}, and tells nothing of those before")
            return
        named = document.get("public_key")
        if document.get("event") != LogBegun.kind or not isinstance(named, str):
            self.problem(1, "it does not say, as the first entry must, that the log begins")
        elif self._raw_key is None:
            self._adopt(named)
        elif named != self._raw_key.hex():
            self.problem(1, "it names another public key than the log's")

    def _adopt(self, named: str) -> None:
        try:
            self._use(bytes.fromhex(named))
        except (AuditError, ValueError):
            return  # that there is no key is told at the end
        self._notes.append(
            "checked with the public key that the first entry names: only a key or a head that "
            "was kept elsewhere shows that nobody wrote all of it anew"
        )

    def _check_place(self, shown: int | None, document: Mapping[str, Any]) -> None:
        number, expected = document.get("number"), self.next
        if type(number) is not int:
            self.problem(shown, "its content is not that of an entry")
            self.next += 1
            return
        self.next = number + 1
        if number > expected:
            gap = f"{expected}" if number == expected + 1 else f"{expected} to {number - 1}"
            self.problem(number, f"missing before it: {gap}")
        elif number < expected:
            self.problem(number, f"it stands where entry {expected} should")
        if self._link is not None and document.get("previous") != self._link:
            self.problem(number, "it does not follow from the entry before it")

    def _check_signature(self, last: _Last) -> None:
        if self._key is not None and not chain.signed(self._key, last.hash, last.signature):
            self.problem(last.shown, "its signature is not by the log's key")

    def _check_head(self, head: Head) -> None:
        if self._raw_key is not None and head.public_key != self._raw_key.hex():
            self.problem(None, "the saved head is of a log with another public key")
        try:
            head.check()
        except AuditError:
            self.problem(None, "the saved head was changed: its signature does not fit")
        if not self._head_seen:
            self.problem(
                None,
                f"entry {head.number}, of the saved head, is not there: entries were removed, or "
                "this is an older copy of the log",
            )

    def _head_of(self, last: _Last) -> Head | None:
        number, time = last.document.get("number"), chain.read_stamp(last.document.get("time"))
        if type(number) is not int or time is None or self._raw_key is None:
            return None
        return Head(number, last.hash.hex(), last.signature.hex(), self._raw_key.hex(), time)
