"""A gallery with somebody at it, whose pictures are drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from sayso.analyzer import Analyzer
from sayso.callers import ACTIONS, Action, Caller
from sayso.core import Sayso
from sayso.results import Consent
from tests.gallery.clock import Clock
from tests.service.rekognition.drawn import Drawn, Studio

PHOTOS, DOOR = "photos", "door"


@dataclass
class Desk:
    """A gallery, and somebody at it with a key for photos that attests consent."""

    app: Sayso
    clock: Clock
    studio: Studio
    data: Path

    def key(self, *actions: Action, purpose: str = PHOTOS, **more: Any) -> Sayso:
        """Return the gallery for somebody with another key."""
        made = self.app.create_key("tester", purpose=purpose, actions=actions or ACTIONS, **more)
        return self.app.acting_as(Caller.of(made.key))

    def reopened(self) -> Sayso:
        """Return the same gallery as another process sees it."""
        analyzer = cast("Analyzer", self.studio)
        return Sayso(self.data, actor="user:other", analyzer=analyzer, clock=self.clock)

    def enrol(self, name: str, person: int, *purposes: str, **how: Any) -> str:
        """Enrol a new picture of a person under a name; return the face's id."""
        done = self.app.index_picture(
            "club",
            subject=name,
            picture=self.studio.draw(Drawn(person, **how)),
            consent=Consent(list(purposes or [PHOTOS]), f"form of {name}"),
            allow_lookalike=True,
        )
        assert done.enrolled is not None
        return done.enrolled.id

    def found(self, person: int, purpose: str = PHOTOS, app: Sayso | None = None) -> list[str]:
        """Return the users that a new picture of a person finds."""
        picture = self.studio.draw(person)
        answer = (app or self.app).search_users_by_picture("club", picture, purpose=purpose)
        return [candidate.user.name for candidate in answer.candidates]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    clock, studio, data = Clock(), Studio(), tmp_path / "data"
    with Sayso(data, analyzer=cast("Analyzer", studio), clock=clock) as app:
        app.create_collection("club")
        yield Desk(app, clock, studio, data)
