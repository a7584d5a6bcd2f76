"""Whose turn it is: the workers are shared among keys by the time that they use.

Start-time fair queueing (P. Goyal, H. Vin, H. Cheng, "Start-time Fair Queuing", SIGCOMM 1996),
with measured seconds for the length of a packet: each key has a tag, the seconds it has used on a
scale that all share, and the lowest tag is served first. A key that was away does not save up what
it did not use. How long a piece of work takes is known only at its end, so a key is charged its
mean at the start, and what it really took as soon as that is more.

A key is *interactive* while it has few pieces of work in flight and has used no more than its
share, or because the operator marked it so; any other is a *batch*. Three things follow:

- A key below its share has the lowest tag, and is served first.
- Workers are not taken away from work that runs. So while some other key is interactive, batches
  leave one worker free (of several): it finds that one idle instead of waiting for an end. And
  while its work runs, that of batches pauses at its next step (see ``line``).
- Where pieces of other keys have held every worker for longer than ``LONG``, work of a key of which
  nothing runs, and which is not long itself, begins beside them.
"""

from __future__ import annotations

import bisect
import math
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Generic, TypeVar

#: What a clock is: seconds that only go up.
Clock = Callable[[], float]

#: Pieces of work in flight up to which a key is interactive: a person, or a page with a second
#: picture on its way.
FEW = 2
#: How far, in seconds of work, a key may be ahead of its share and still be interactive.
SLACK = 2.0
#: How long, in seconds, a worker is kept free for an interactive key after its last request, and
#: what a key has used is remembered.
MEMORY = 30.0
#: From how many seconds on work is long: others need not wait for its end.
LONG = 1.0
#: What a piece of work is thought to take before any was done, in seconds.
FIRST_GUESS = 0.1
_WEIGHT = 0.1


@dataclass(slots=True, eq=False)
class Piece:
    """A piece of work of a key: when it came and began, what was charged, and if as a batch."""

    key: str | None
    came: float = 0.0
    began: float = 0.0
    charged: float = 0.0
    batch: bool = False

    @property
    def paused(self) -> float:
        """For how many seconds it has paused since it began; they are not used."""
        return 0.0


Job = TypeVar("Job", bound=Piece)


@dataclass(slots=True, eq=False)
class Account(Generic[Job]):
    """What a key has used, in seconds, and what it asks for."""

    key: str | None
    tag: float
    mean: float
    seen: float
    waiting: deque[Job] = field(default_factory=deque)
    running: list[Job] = field(default_factory=list)
    #: When it last asked for something while it had few pieces in flight.
    modest: float = -math.inf
    #: Until when those that were refused have been told to stay away.
    promised: float = -math.inf

    @property
    def held(self) -> int:
        """How much of it runs or waits."""
        return len(self.waiting) + len(self.running)

    @property
    def backlog(self) -> float:
        """The seconds of work that wait."""
        return len(self.waiting) * self.mean


class Turns(Generic[Job]):
    """What waits and what runs, by key, and what is to run next. Starts nothing itself."""

    def __init__(
        self, workers: int, *, clock: Clock, interactive: Iterable[str | None] = ()
    ) -> None:
        self.workers = workers
        self.marked = frozenset(interactive)
        self.clock = clock
        self.mean = FIRST_GUESS
        self._accounts: dict[str | None, Account[Job]] = {}
        self._running: list[Job] = []
        #: The tag of the work begun last: what a key that was away starts from.
        self._now = 0.0
        self.waiting = 0

    @property
    def running(self) -> int:
        """How much runs."""
        return len(self._running)

    def runs(self, job: Job) -> bool:
        """Whether a piece of work runs now."""
        return job in self._running

    @property
    def idle(self) -> bool:
        """Whether nothing runs or waits."""
        return not self._running and not self.waiting

    @property
    def accounts(self) -> Iterable[Account[Job]]:
        """The keys that are known."""
        return self._accounts.values()

    def account(self, key: str | None) -> Account[Job] | None:
        """Return what is known of a key, if anything."""
        return self._accounts.get(key)

    def enter(self, job: Job, *, waited: float = 0.0) -> None:
        """Put work into its key's queue, at the end; or where it was, if it has waited before."""
        now = self.clock()
        job.came = now - waited
        account = self._accounts.get(job.key)
        if account is None:
            account = Account(job.key, self._now, self.mean, now)
            self._accounts[job.key] = account
        if not account.held:
            account.tag = max(account.tag, self._now)
        if account.held < FEW:
            account.modest = now
        account.seen = now
        bisect.insort(account.waiting, job, key=attrgetter("came"))
        self.waiting += 1

    def leave(self, job: Job) -> bool:
        """Take work out of its queue; False for what runs, or has run."""
        account = self._accounts.get(job.key)
        if account is None or job not in account.waiting:
            return False
        account.waiting.remove(job)
        self.waiting -= 1
        self._forget()
        return True

    def begin_next(self) -> Job | None:
        """Return the work that is to begin now, and take it as begun; None where nothing may."""
        able = [each for each in self.accounts if each.waiting and self._may_begin(each)]
        if not able:
            return None
        account = min(able, key=self._standing)
        job = account.waiting.popleft()
        self.waiting -= 1
        job.batch = not self.is_interactive(account)
        job.began, job.charged = self.clock(), account.mean
        self._now = max(self._now, account.tag)
        account.tag += job.charged
        account.running.append(job)
        self._running.append(job)
        # Of keys with equal tags the one that was served last is behind the others.
        self._accounts[account.key] = self._accounts.pop(account.key)
        return job

    def end(self, job: Job) -> None:
        """Take work as done."""
        account = self._accounts[job.key]
        took = self.clock() - job.began - job.paused
        account.tag += took - job.charged
        account.mean += _WEIGHT * (took - account.mean)
        self.mean += _WEIGHT * (took - self.mean)
        account.running.remove(job)
        self._running.remove(job)
        self._forget()

    def is_interactive(self, account: Account[Job]) -> bool:
        """Whether a key asks for little, or is marked."""
        if account.key in self.marked:
            return True
        if account.held > FEW:
            return False
        # Against those who wait, and not what it has moved on itself: a key that asks without a
        # break is as far as it drives the rest, and would be within its share for ever.
        behind = [
            self._standing(each) for each in self.accounts if each.waiting and each is not account
        ]
        return self._standing(account) <= min(behind, default=self._now) + SLACK

    def hands(self, key: str | None) -> int:
        """Return how many workers a batch of this key may have now."""
        since = self.clock() - MEMORY
        if self.workers > 1 and any(
            each.key != key and each.modest >= since and self.is_interactive(each)
            for each in self.accounts
        ):
            return self.workers - 1
        return self.workers

    def wait(self, key: str | None) -> float:
        """Return in how many seconds one more piece of work of a key would begin, about.

        While its own queue is done, every other batch has as much of the workers' time, since its
        clients ask again as soon as they are answered; other keys have what they ask for.
        """
        if not self.waiting and self.running < self.workers:
            return 0.0
        account = self._accounts.get(key)
        own = 0.0 if account is None else account.backlog
        now = self.clock()
        left = sum(max(0.0, job.charged - (now - job.began)) for job in self._running)
        others = sum(
            min(each.backlog, own) if self.is_interactive(each) else own
            for each in self.accounts
            if each.key != key
        )
        batch = account is not None and not self.is_interactive(account)
        return (left + own + others) / (self.hands(key) if batch else self.workers)

    def share(self, key: str | None) -> float:
        """Return how many seconds pass, about, between two pieces of work of a key."""
        account = self._accounts.get(key)
        mean = self.mean if account is None else account.mean
        active = sum(1 for each in self.accounts if each.waiting or each.key == key)
        return mean * max(1, active) / self.hands(key)

    def _may_begin(self, account: Account[Job]) -> bool:
        if self.running < self.workers:
            if self.is_interactive(account):
                return True
            return sum(job.batch for job in self._running) < self.hands(account.key)
        if self.running >= 2 * self.workers or account.running or account.mean >= LONG:
            return False
        since = self.clock() - LONG
        return all(job.began <= since for job in self._running)

    def _standing(self, account: Account[Job]) -> float:
        """Return the tag of a key, with what its running work took beyond what was charged."""
        now = self.clock()
        return account.tag + sum(
            max(0.0, now - job.began - job.paused - job.charged) for job in account.running
        )

    def _forget(self) -> None:
        """Forget the keys that have not been here for a while."""
        since = self.clock() - MEMORY
        gone = [each.key for each in self.accounts if not each.held and each.seen < since]
        for key in gone:
            del self._accounts[key]
