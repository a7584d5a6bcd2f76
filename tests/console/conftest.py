"""The whole service in memory, whose pictures are drawn, and somebody signed in to its console."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from sayso.analyzer import Analyzer
from sayso.core import Sayso
from sayso.service.app import Service, assemble
from sayso.service.sessions import Sessions
from sayso.settings import ServiceSettings
from tests.console.visiting import Console, Seconds, open_browser
from tests.gallery.clock import Clock
from tests.service.loop import Loop
from tests.service.rest.people import Reader


@contextlib.contextmanager
def visiting(app: Sayso, clock: Clock, **settings: Any) -> Iterator[Console]:
    """Serve a gallery to a browser with nobody signed in."""
    chosen = ServiceSettings(**{"key_rate": 10_000.0, **settings})
    loop, seconds = Loop(), Seconds()

    async def start() -> Service:
        return assemble(app, chosen, Sessions(clock=seconds))

    service = loop.run(start())
    browser = open_browser(service.asgi, loop, app, service.state, clock, seconds)
    try:
        yield browser
    finally:
        loop.run(browser.close())
        loop.run(service.state.engine.close())
        loop.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(tmp_path: Path, clock: Clock) -> Iterator[Sayso]:
    """A gallery whose pictures are those of tests/service/rest/people.py: ``picture("ada")``."""
    reader = cast("Analyzer", Reader())
    with Sayso(tmp_path / "data", actor="user:test", analyzer=reader, clock=clock) as opened:
        yield opened


@pytest.fixture
def stranger(app: Sayso, clock: Clock) -> Iterator[Console]:
    """A browser with nobody signed in."""
    with visiting(app, clock) as browser:
        yield browser


@pytest.fixture
def console(stranger: Console) -> Console:
    """A browser in which whoever runs the service is signed in."""
    stranger.enter()
    assert stranger.token
    return stranger
