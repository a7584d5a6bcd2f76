"""Work stops between its steps when it took too long, or when nobody waits for it."""

from __future__ import annotations

import math

import pytest

from sayso.errors import PictureTooCostly, WorkAbandoned
from sayso.vision import effort
from sayso.vision.effort import Effort, bounded


class Seconds:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_time_in_a_line_does_not_count() -> None:
    clock = Seconds()
    work = Effort(2.0, clock=clock)
    clock.now += 50
    assert work.remaining == 2.0
    with bounded(work):
        clock.now += 1.5
        effort.check()
        assert effort.remaining() == 0.5
        clock.now += 0.5
        with pytest.raises(PictureTooCostly, match="more than 2 s"):
            effort.check()


def test_nothing_goes_on_once_nobody_waits() -> None:
    with bounded(Effort()) as work:
        effort.check()
        work.abandon()
        with pytest.raises(WorkAbandoned):
            effort.check()


def test_outside_of_it_nothing_limits() -> None:
    with bounded(Effort(0.0)), pytest.raises(PictureTooCostly):
        effort.check()
    effort.check()
    assert effort.remaining() == math.inf
