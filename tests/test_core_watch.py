"""The thread that watches: it goes on whatever happens, and leaves nothing half done."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sayso.core import Sayso
from sayso.results import Consent
from tests.gallery.synthetic import PURPOSE, enrol

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Clock:
    """A clock that stands still, and can break."""

    def __init__(self) -> None:
        self.time = START
        self.broken: Exception | None = None

    def __call__(self) -> datetime:
        if self.broken is not None:
            raise self.broken
        return self.time


def _within(seconds: float, condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    return condition()


def _count(app: Sayso, table: str) -> int:
    with app._resources.store.read() as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())


def test_the_watch_survives_what_nobody_foresaw(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    with Sayso(tmp_path, clock=clock) as app:
        app.create_collection("club")
        enrol(app, ["ada"], consent=Consent([PURPOSE], "form", until=START + HOUR))
        clock.broken = OverflowError("the clock is broken")
        assert _within(5, lambda: "the clock is broken" in caplog.text)
        time.sleep(0.6)
        told = [record for record in caplog.records if "broken" in record.getMessage()]
        assert len(told) == 1  # once, and not every time
        clock.time, clock.broken = START + HOUR, None
        assert _within(5, lambda: _count(app, "subjects") == 0)


def test_whoever_lapses_after_the_clock_was_set_back_is_erased(tmp_path: Path) -> None:
    clock = Clock()
    clock.time = START + 100 * HOUR
    with Sayso(tmp_path, clock=clock) as app, Sayso(tmp_path, clock=clock) as other:
        app.create_collection("club")
        time.sleep(0.6)  # both have looked at that time
        clock.time = START
        time.sleep(0.6)
        enrol(other, ["ada"], consent=Consent([PURPOSE], "form", until=START + HOUR))
        other.close()
        clock.time = START + HOUR
        assert _within(5, lambda: _count(app, "subjects") == 0)


def test_closing_ends_the_watch(tmp_path: Path) -> None:
    app = Sayso(tmp_path)
    watch = app._resources._watch
    assert watch.is_alive()
    app.close()
    assert not watch.is_alive()
