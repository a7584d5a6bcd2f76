"""What a piece of work may take, and whether anyone still waits for it.

Long work asks between its steps: a detector before each tile, whoever waits for another process
in short turns. The limit travels in the context, so that no function in between has to pass it on;
without one, as in the library, work takes as long as it takes.
"""

from __future__ import annotations

import contextlib
import contextvars
import math
import threading
import time
from collections.abc import Callable, Iterator

from sayso.vision.errors import PictureTooCostly, WorkAbandoned

#: The longest pause at one step, in seconds: who gives way must get on, too.
_MOMENT = 1.0
_CURRENT: contextvars.ContextVar[Effort | None] = contextvars.ContextVar(
    "sayso_effort", default=None
)


class Effort:
    """At most so many seconds from its first step on, and not a step after it was abandoned.

    Safe to abandon from another thread.
    """

    def __init__(
        self, seconds: float = math.inf, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._began: float | None = None
        self._abandoned = threading.Event()
        #: Where there is one, this work pauses at its steps while it is not set.
        self.way: threading.Event | None = None
        #: For how many seconds it has paused; they do not count.
        self.paused = 0.0

    def begin(self) -> None:
        """Let the time run from now on; what waits in a line has not begun."""
        self._began = self._clock()

    def abandon(self) -> None:
        """Say that nobody waits for the work any more."""
        self._abandoned.set()

    @property
    def abandoned(self) -> bool:
        """Whether nobody waits for the work any more."""
        return self._abandoned.is_set()

    @property
    def remaining(self) -> float:
        """How many seconds are left; 0 where none are."""
        if self._began is None:
            return self._seconds
        return max(0.0, self._seconds - (self._clock() - self._began))

    def check(self) -> None:
        """Raise WorkAbandoned or PictureTooCostly where the work must not go on."""
        if self._abandoned.is_set():
            raise WorkAbandoned("the work was stopped, since nobody waits for it any more")
        if not self.remaining:
            raise PictureTooCostly(
                f"the picture took more than {self._seconds:g} s, the limit on work; "
                "make it smaller, or ask for a faster mode"
            )

    def give_way(self) -> None:
        """Do as ``check`` does, and pause for a moment where other work goes first.

        In all no longer than it has worked, and a moment: it gets on, whatever goes first.
        """
        self.check()
        if self.way is None or self.way.is_set():
            return
        began = self._clock()
        worked = math.inf if self._began is None else began - self._began
        if self.paused > worked + _MOMENT:
            return
        self.way.wait(_MOMENT)
        waited = self._clock() - began
        self.paused += waited
        if self._began is not None:
            self._began += waited
        self.check()


@contextlib.contextmanager
def bounded(effort: Effort) -> Iterator[Effort]:
    """Hold the work of this block, in this context, to an effort; its time begins now."""
    token = _CURRENT.set(effort)
    effort.begin()
    try:
        yield effort
    finally:
        _CURRENT.reset(token)


def check() -> None:
    """Raise WorkAbandoned or PictureTooCostly where the work of this context must not go on."""
    effort = _CURRENT.get()
    if effort is not None:
        effort.check()


def give_way() -> None:
    """Pause for a moment where other work goes first; never called with a lock held.

    Raises as ``check`` does.
    """
    effort = _CURRENT.get()
    if effort is not None:
        effort.give_way()


def begin_picture() -> None:
    """Let the time of the work of this context run anew: each picture may take all of it."""
    effort = _CURRENT.get()
    if effort is not None:
        effort.check()
        effort.begin()


def remaining() -> float:
    """How many seconds the work of this context may still take; infinite where nothing limits."""
    effort = _CURRENT.get()
    return math.inf if effort is None else effort.remaining
