"""Write transactions of several threads, put together where they wait for each other.

A commit waits for the disk, and every call ends with one, since it is on record before its answer
leaves. Threads whose changes come at the same time therefore share a transaction: each runs its
change, one after the other, behind a savepoint of its own, and nobody is told that theirs is done
before the commit that makes all of them durable. A lone thread commits at once.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine

from sayso.sqlite import WRITING

#: Changes that one commit makes durable, and seconds that the first of them waits for others.
_MOST, _LONGEST = 32, 0.02
#: How often, in seconds, a thread that waits for the commit looks whether there is anybody left.
_LOOK = 0.05


@dataclass(slots=True)
class _Group:
    """A transaction that is open, and how it ended."""

    connection: Connection
    begun: float
    changes: int = 0
    done: threading.Event = field(default_factory=threading.Event)
    error: BaseException | None = None


class Commits:
    """The one writer of a database, for the threads of this process.

    ``timeout`` is how many seconds a thread waits for its turn; then ``busy`` gives the error.
    ``check`` is called after each commit, and raises where it went into files that are lost: then
    nobody is told that theirs is done.
    """

    def __init__(
        self,
        engine: Engine,
        timeout: float,
        busy: Callable[[], Exception],
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._engine = engine
        self._check = check
        self._timeout = timeout
        self._busy = busy
        self._turn = threading.Lock()
        self._counting = threading.Lock()
        self._waiting = 0
        self._group: _Group | None = None  # touched only by whose turn it is

    @contextlib.contextmanager
    def change(self) -> Iterator[Connection]:
        """Give the connection of a write transaction; what was done is durable after the block.

        What the block raises undoes its own change and no other.
        """
        self._take_turn()
        try:
            group = self._group or self._begin()
            self._group = group
        except BaseException:
            self._turn.release()
            raise
        try:
            self._start(group)
            yield group.connection
            self._keep(group)
        except BaseException:
            self._undo(group)
            self._pass_on(group)
            raise
        self._pass_on(group)
        self._await(group)

    def _take_turn(self) -> None:
        with self._counting:
            self._waiting += 1
        try:
            if not self._turn.acquire(timeout=self._timeout):
                raise self._busy()
        finally:
            with self._counting:
                self._waiting -= 1

    def _begin(self) -> _Group:
        connection = self._engine.connect()
        try:
            connection.execution_options(**WRITING)
            connection.begin()
        except BaseException:
            connection.close()
            raise
        return _Group(connection, time.monotonic())

    def _start(self, group: _Group) -> None:
        if group.error is not None:
            raise group.error
        group.connection.exec_driver_sql("SAVEPOINT change")

    def _keep(self, group: _Group) -> None:
        group.connection.exec_driver_sql("RELEASE change")
        group.changes += 1

    def _undo(self, group: _Group) -> None:
        """Undo one change; where even that fails, none of the group can be kept."""
        if group.error is not None:
            return
        try:
            group.connection.exec_driver_sql("ROLLBACK TO change")
            group.connection.exec_driver_sql("RELEASE change")
        except Exception as error:  # noqa: BLE001 - told to everybody whose change it takes
            group.error = error

    def _pass_on(self, group: _Group) -> None:
        """Leave the commit to whoever waits for their turn, or commit, and end this turn."""
        more = (
            self._waiting > 0
            and group.error is None
            and group.changes < _MOST
            and time.monotonic() - group.begun < _LONGEST
        )
        if not more:
            self._finish(group)
        self._turn.release()

    def _finish(self, group: _Group) -> None:
        try:
            if group.error is None and group.changes:
                group.connection.commit()
                self._check()
        except Exception as error:  # noqa: BLE001 - told to everybody whose change it takes
            group.error = error
        finally:
            self._group = None
            with contextlib.suppress(Exception):
                group.connection.close()  # rolls back what was not committed
            group.done.set()

    def _await(self, group: _Group) -> None:
        while not group.done.wait(_LOOK):
            # Whoever was to follow may have given up waiting.
            if self._turn.acquire(blocking=False):
                try:
                    if self._group is group:
                        self._finish(group)
                finally:
                    self._turn.release()
        if group.error is not None:
            raise group.error
