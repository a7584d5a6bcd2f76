from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sayso.core import Sayso
from tests.gallery.clock import Clock


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Sayso]:
    """A gallery with one empty collection, ``club``."""
    with Sayso(tmp_path / "data") as app:
        app.create_collection("club")
        yield app


@pytest.fixture
def clock() -> Clock:
    """The clock of ``timed``."""
    return Clock()


@pytest.fixture
def timed(tmp_path: Path, clock: Clock) -> Iterator[Sayso]:
    """A gallery with one empty collection, ``club``, whose time the test sets."""
    with Sayso(tmp_path, clock=clock) as app:
        app.create_collection("club")
        yield app
