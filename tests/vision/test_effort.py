"""Work stops between its steps when it took too long, or when nobody waits for it."""

from __future__ import annotations

import math
import threading
import time

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


def test_each_picture_may_take_all_of_the_time() -> None:
    clock = Seconds()
    effort.begin_picture()  # outside of it nothing happens
    with bounded(Effort(2.0, clock=clock)):
        for _ in range(5):
            effort.begin_picture()
            clock.now += 1.5
            effort.check()
        clock.now += 1
        with pytest.raises(PictureTooCostly):
            effort.begin_picture()


def test_it_pauses_while_other_work_goes_first_and_that_does_not_count() -> None:
    work, steps = Effort(0.25), 0
    work.way = threading.Event()
    threading.Timer(0.5, work.way.set).start()
    began = time.monotonic()
    with bounded(work):
        effort.give_way()
        assert time.monotonic() - began > 0.4
        assert work.paused > 0.4
        while steps < 3:  # nothing to wait for now
            effort.give_way()
            steps += 1
    effort.give_way()


def test_who_gives_way_gets_on_too() -> None:
    work = Effort()
    work.way = threading.Event()  # and nobody sets it
    with bounded(work):
        effort.give_way()
    assert 0.5 < work.paused < 30


def test_it_pauses_no_longer_in_all_than_it_works_and_a_moment() -> None:
    work = Effort()
    work.way = threading.Event()  # nobody sets it: others go first for ever
    began = time.monotonic()
    with bounded(work):
        for _ in range(100):
            effort.give_way()
    assert 1.0 < work.paused <= time.monotonic() - began < 30


def test_what_is_abandoned_while_it_pauses_goes_no_further() -> None:
    work = Effort()
    work.way = threading.Event()
    threading.Timer(0.1, work.abandon).start()
    with bounded(work), pytest.raises(WorkAbandoned):
        effort.give_way()
    assert work.abandoned
