"""Limits of single callers: of each access key, and of addresses that send wrong ones."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from sayso.service.addresses import network_of
from sayso.service.engine import Clock, Overloaded
from sayso.settings import ServiceSettings

_Value = TypeVar("_Value")
#: How many keys or addresses are remembered at most; the ones least lately seen are forgotten.
MOST = 10_000
#: The time in which failed sign-ins are counted, in seconds.
WINDOW = 60.0
#: How long after its last request an access key counts as one that is in use, in seconds.
IN_USE = 900.0


class _Latest(Generic[_Value]):
    """A mapping that forgets what was least lately used."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[str, _Value] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, name: str) -> _Value | None:
        if name in self._values:
            self._values.move_to_end(name)
        return self._values.get(name)

    def put(self, name: str, value: _Value) -> None:
        self._values[name] = value
        self._values.move_to_end(name)
        if len(self._values) > self._most:
            self._values.popitem(last=False)


@dataclass(slots=True)
class _Bucket:
    """The tokens of a key: each request takes one, and they come back at the key's rate."""

    tokens: float
    filled: float
    running: int = 0


@dataclass(slots=True)
class _Failures:
    """Failed sign-ins since a time."""

    since: float
    count: int = 0


class KeyLimits:
    """How much each access key may ask, and how often an address may come with a wrong one.

    A handler does, in this order::

        limits.check_peer(address, key_id)   # before it authenticates
        caller = ...authenticate...          # on UnknownKey: limits.failed(address, key_id)
        async with limits.admit(caller.key):
            ...

    Every refused sign-in is an entry in the audit log: without a limit, anybody could fill it.
    Used on one event loop only.
    """

    def __init__(
        self,
        *,
        rate: float,
        burst: float,
        concurrency: int,
        failures: int = 30,
        most: int = MOST,
        clock: Clock = time.monotonic,
    ) -> None:
        self._rate, self._burst, self._concurrency = rate, max(1.0, burst), concurrency
        self._clock = clock
        self._buckets: _Latest[_Bucket] = _Latest(most)
        self._sign_ins = FailedSignIns(failures, most=most, clock=clock)
        self.throttled = 0

    @classmethod
    def of(cls, settings: ServiceSettings) -> KeyLimits:
        """Return the limits that the settings name."""
        return cls(
            rate=settings.key_rate,
            burst=2 * settings.key_rate,
            concurrency=settings.key_concurrency,
            failures=settings.failed_sign_ins,
        )

    @asynccontextmanager
    async def admit(self, key: str | None) -> AsyncIterator[None]:
        """Let a request of an access key in, until the block is left; raises Overloaded.

        Called after the key was authenticated. None is nobody's key, and has a limit of its own.
        """
        bucket = self._take(key or "")
        bucket.running += 1
        try:
            yield
        finally:
            bucket.running -= 1

    def check_peer(self, address: str | None, key: str | None = None) -> None:
        """Raise Overloaded when an address has sent too many wrong keys within a minute.

        Called before anything is authenticated. ``key`` is the id of the key that the request
        names: one that was let in lately goes on, as far as it has not itself failed as often.
        Behind a proxy all requests come from one address, and somebody who guesses must not shut
        out everybody else.
        """
        if key is not None and self._in_use(key):
            self._sign_ins.check(f"{network_of(address)} {key}")
        else:
            self._sign_ins.check(network_of(address))

    def failed(self, address: str | None, key: str | None = None) -> None:
        """Count a failed sign-in of an address, with the key that it named."""
        network = network_of(address)
        self._sign_ins.count(network)
        if key is not None and self._in_use(key):
            self._sign_ins.count(f"{network} {key}")

    def _in_use(self, key: str) -> bool:
        bucket = self._buckets.get(key)
        return bucket is not None and self._clock() < bucket.filled + IN_USE

    def _take(self, key: str) -> _Bucket:
        now = self._clock()
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = _Bucket(self._burst, now)
            self._buckets.put(key, bucket)
        bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.filled) * self._rate)
        bucket.filled = now
        if bucket.running >= self._concurrency:
            self.throttled += 1
            raise Overloaded(
                1.0, f"the access key has {bucket.running} requests running, which is its limit"
            )
        if bucket.tokens < 1:
            self.throttled += 1
            raise Overloaded(
                (1 - bucket.tokens) / self._rate,
                f"the access key sends more than {self._rate:g} requests in a second",
            )
        bucket.tokens -= 1
        return bucket


class FailedSignIns:
    """Counts failed sign-ins, by who sent them, in windows of a minute."""

    def __init__(self, limit: int, *, most: int = MOST, clock: Clock = time.monotonic) -> None:
        self._limit, self._clock = limit, clock
        self._failures: _Latest[_Failures] = _Latest(most)

    def check(self, who: str) -> None:
        """Raise Overloaded when they failed too often."""
        found = self._failures.get(who)
        now = self._clock()
        if found is not None and found.count >= self._limit and now < found.since + WINDOW:
            raise Overloaded(
                found.since + WINDOW - now,
                f"more than {self._limit} requests with wrong access keys in a minute",
            )

    def count(self, who: str) -> None:
        """Count one."""
        now = self._clock()
        found = self._failures.get(who)
        if found is None or now >= found.since + WINDOW:
            found = _Failures(now)
            self._failures.put(who, found)
        found.count += 1
