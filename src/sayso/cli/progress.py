"""Progress on standard error: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

_LINE_EVERY_SECONDS = 10.0
_MEGABYTE = 1e6


def _bar(*, of_bytes: bool) -> Bar:
    from rich import progress
    from rich.console import Console

    measured: list[progress.ProgressColumn] = (
        [progress.DownloadColumn(), progress.TransferSpeedColumn(), progress.TimeRemainingColumn()]
        if of_bytes
        else [progress.MofNCompleteColumn(), progress.TimeRemainingColumn()]
    )
    return progress.Progress(
        progress.SpinnerColumn(),
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        *measured,
        console=Console(stderr=True),
        transient=True,
    )


class TerminalProgress:
    """Shows a ``sayso.models.progress.Progress`` job."""

    def __init__(self) -> None:
        self._running: Bar | None = None

    def start(self, what: str, total: int | None) -> None:
        """Show ``what``, of ``total`` bytes or of unknown length."""
        self.finish()
        if sys.stderr.isatty():
            self._running = _bar(of_bytes=total is not None)
            self._running.add_task(what, total=total)
            self._running.start()
        elif total is not None:
            click.echo(f"sayso: {what} ({total / _MEGABYTE:.1f} MB)", err=True)

    def update(self, done: int) -> None:
        """Say that ``done`` bytes are there."""
        if self._running is not None:
            self._running.update(self._running.task_ids[0], completed=done)

    def finish(self) -> None:
        """Take the bar away."""
        if self._running is not None:
            self._running.stop()
            self._running = None


class PictureProgress:
    """Counts pictures; ``paused`` makes room for what is printed between them."""

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._said = time.monotonic()
        self._running: Bar | None = None

    def __enter__(self) -> Self:
        if self._total > 1 and sys.stderr.isatty():
            self._running = _bar(of_bytes=False)
            self._running.add_task(self._what, total=self._total)
            self._running.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._running is not None:
            self._running.stop()

    def advance(self) -> None:
        """Count one more picture."""
        self._done += 1
        now = time.monotonic()
        if self._running is not None:
            self._running.advance(self._running.task_ids[0])
        elif self._total > 1 and now - self._said > _LINE_EVERY_SECONDS:
            self._said = now
            click.echo(f"sayso: {self._what}: {self._done} of {self._total}", err=True)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Take the bar away for a moment, where printing would run into it."""
        if self._running is None:
            yield
            return
        self._running.stop()
        try:
            yield
        finally:
            self._running.start()


@contextmanager
def busy(what: str) -> Iterator[None]:
    """Show that something is going on whose length is not known."""
    progress = TerminalProgress()
    progress.start(what, None)
    try:
        yield
    finally:
        progress.finish()
