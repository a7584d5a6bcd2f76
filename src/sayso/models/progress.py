"""How long work tells whoever waits how far it is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Shows one job at a time; the terminal and the console each have their own."""

    def start(self, what: str, total: int | None) -> None:
        """Begin to show ``what``, of ``total`` bytes, or of unknown length when None."""

    def update(self, done: int) -> None:
        """Say that ``done`` bytes of the total are there."""

    def finish(self) -> None:
        """End the job that was started last, whether it succeeded or not."""


class Silent:
    """Progress that nobody watches."""

    def start(self, what: str, total: int | None) -> None:
        """Ignore."""

    def update(self, done: int) -> None:
        """Ignore."""

    def finish(self) -> None:
        """Ignore."""
