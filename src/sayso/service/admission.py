"""Who is let into a line, and who is told to come again, and when.

A batch may wait as long as its client does (``patience``); where it would wait longer it is refused
at once, with the time in which there will be room.

The SDKs of AWS try a few times, but within seconds, whatever they are told: what is refused at once
they soon give up. So their requests are let in while they would be done by the second try. What has
waited for all of the patience is refused, and has its old place in the queue when it comes again,
which these SDKs say. A batch whose threads ask again as soon as they are answered would fill the
line before those return who were refused; so a part of it is for these, and of several that are
refused each is told a later time.

A key that is marked interactive would rather be refused than wait. Its line is bounded twice:
normally it is long enough for a few people who ask together. Once somebody had to be refused, and
for a second after the last time, only a short one is let in: what is accepted under overload is
then answered soon (B. Maurer, "Fail at Scale", ACM Queue 13(8), 2015: controlled delay). After that
it grows no faster than work is done, so that a pause in an overload is not taken for its end.
"""

from __future__ import annotations

import contextvars
import math
from collections import Counter
from typing import Any, Protocol

from sayso.service.overload import BUSY, Cause, Overloaded
from sayso.service.turns import Turns

#: How often the client of the request that this is about has tried before, where it says so.
TRIES: contextvars.ContextVar[int | None] = contextvars.ContextVar("sayso_tries", default=None)
#: The part of the patience that the line may be long for clients that do not say that they try
#: again; for first tries of those that do; and for their next ones.
ONCE, FRESH, AGAIN = 0.9, 1.8, 2.0
#: The latest time that those who are refused are told, in seconds: they may not be of the key that
#: they claim, and must not put off those who are for longer.
LATEST = 300.0
#: How long, in seconds, the line of marked keys stays short after somebody was refused; longer
#: where work is slow, or a gap between requests would let a whole line in again before the last has
#: emptied.
HOLD = 1.0
_HOLD_WORKS = 3
#: What may wait of marked keys for each worker, normally; and while the line is short, of keys of
#: which nothing runs, or else one that asks all the time would always be the first to see that a
#: thread is free.
BURST, SHORT = 3, 1
_INSTANT = 1e-6


class Gate(Protocol):
    """Decides what is let in."""

    patience: float
    #: How many were refused, by cause.
    refused: Counter[Cause]

    def lets_in(self, key: str | None) -> bool:
        """Whether one more piece of work of a key may come into the line."""

    def refuse(self, key: str | None, *, late: bool = False) -> Overloaded:
        """Return, and count, the refusal of one; ``late`` where it was let in and waited."""

    @property
    def overloaded(self) -> bool:
        """Whether somebody was refused just now."""


class CountedGate:
    """Lets in a number of pieces of work, whatever they are."""

    def __init__(self, turns: Turns[Any], most: int) -> None:
        self._turns, self._most = turns, most
        self.patience = math.inf
        self.refused: Counter[Cause] = Counter()

    def lets_in(self, key: str | None) -> bool:
        """Whether it is not full."""
        del key
        return self._turns.running + self._turns.waiting < self._turns.workers + self._most

    def refuse(self, key: str | None, *, late: bool = False) -> Overloaded:
        """Return the refusal of one more."""
        del late
        self.refused["full"] += 1
        return Overloaded(self._turns.wait(key), BUSY, cause="full")

    @property
    def overloaded(self) -> bool:
        """Whether it is full."""
        return not self.lets_in(None)


class PatientGate:
    """Lets in what will be done while its client still waits."""

    def __init__(self, turns: Turns[Any], patience: float) -> None:
        self._turns, self.patience = turns, patience
        self.refused: Counter[Cause] = Counter()
        self._last_refusal = -math.inf
        self._last_of_marked = -math.inf

    @property
    def overloaded(self) -> bool:
        """Whether somebody was refused within the last second."""
        return self._turns.clock() - self._last_refusal < HOLD

    def lets_in(self, key: str | None) -> bool:
        """Whether one more piece of work of a key may come into the line."""
        if key in self._turns.marked:
            return self._lets_in_marked(key)
        return self._turns.wait(key) <= _bound() * self.patience

    def refuse(self, key: str | None, *, late: bool = False) -> Overloaded:
        """Refuse until there is room again, and each of several for a little longer."""
        now = self._last_refusal = self._turns.clock()
        if key in self._turns.marked:
            return self._refuse_marked(now)
        cause: Cause = "expired" if late else "patience"
        self.refused[cause] += 1
        if late:
            return Overloaded(0, BUSY, cause=cause)  # it keeps its place
        due = now + max(0.0, self._turns.wait(key) - _bound() * self.patience)
        account = self._turns.account(key)
        if account is not None:
            due = max(due, account.promised) + self._turns.share(key)
            account.promised = due = min(due, now + LATEST)
        return Overloaded(due - now, BUSY, cause=cause)

    # --- marked keys ------------------------------------------------------------------------------

    def _lets_in_marked(self, key: str | None) -> bool:
        account = self._turns.account(key)
        room = self._room(nothing_held=account is None or not account.held)
        return self._held_by_marked() < self._turns.workers + int(room)

    def _refuse_marked(self, now: float) -> Overloaded:
        self._last_of_marked = now
        self.refused["interactive"] += 1
        wait = self._held_by_marked() * self._turns.mean / self._turns.workers
        return Overloaded(wait, BUSY, cause="interactive")

    def _held_by_marked(self) -> int:
        return sum(each.held for each in self._turns.accounts if each.key in self._turns.marked)

    def _room(self, *, nothing_held: bool) -> float:
        """Return how many pieces of work of marked keys may wait."""
        if not self.patience:
            return 0
        turns = self._turns
        hold = max(HOLD, _HOLD_WORKS * turns.mean)
        calm = turns.clock() - self._last_of_marked - hold
        if calm < 0:
            return SHORT if nothing_held else 0
        grown = SHORT + calm * turns.workers / max(turns.mean, _INSTANT)
        return min(BURST * turns.workers, grown)


def _bound() -> float:
    tries = TRIES.get()
    if tries is None:
        return ONCE
    return AGAIN if tries else FRESH
