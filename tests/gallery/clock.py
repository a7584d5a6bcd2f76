"""A clock that tests move."""

from __future__ import annotations

from datetime import UTC, datetime

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Clock:
    """Tells the time that it was set to; it stands still."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time
