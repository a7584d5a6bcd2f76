"""How a request is refused for now: why, and when to come again."""

from __future__ import annotations

import math
from typing import Literal, get_args

from sayso.errors import SaysoError

BUSY = "the service is busy"
SHUTTING_DOWN = "the service is shutting down"
#: Why work was refused: it would have waited longer than clients do, it did wait that long, its key
#: is marked interactive and does not wait, or the service is stopping.
Cause = Literal["patience", "expired", "interactive", "full", "stopping"]
CAUSES: tuple[Cause, ...] = get_args(Cause)


class Overloaded(SaysoError):
    """A request is refused for now; it may come again after so many seconds."""

    def __init__(self, retry_after: float, reason: str, *, cause: Cause | None = None) -> None:
        super().__init__(f"{reason}; retry in {seconds_header(retry_after)} s")
        self.retry_after = retry_after
        self.reason = reason
        self.cause = cause

    @property
    def header(self) -> str:
        """The value of the header ``Retry-After``: whole seconds, at least one."""
        return seconds_header(self.retry_after)


def seconds_header(seconds: float) -> str:
    """Return seconds as ``Retry-After`` has them."""
    return str(max(1, math.ceil(seconds)))
