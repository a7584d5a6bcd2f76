"""Look: who of those who agreed is in pictures, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from sayso.console.forms import FormRefused
from sayso.console.purposes import Choice, choose
from sayso.console.routing import Page
from sayso.console.visits import Visit
from sayso.console.words import say
from sayso.core import RULE_ALONE
from sayso.results import Candidate, RecognizedFace, Threshold
from sayso.vision.types import MODES, Face, Mode

DEFAULT_MODE: Final[Mode] = "balanced"
#: Under these a face is recognised badly, and the page says so.
_SMALL, _POOR = 40.0, 40.0


@dataclass(frozen=True, slots=True)
class Seen:
    """A face as the page shows it; ``number`` is its place in the list.

    ``duplicate`` says that another one has the same name.
    """

    number: int
    face: Face
    candidate: Candidate | None
    duplicate: bool

    @property
    def poor(self) -> str | None:
        """What speaks against recognising anybody by it, in a word of the catalogue."""
        quality = self.face.quality
        if quality.height < _SMALL:
            return "small"
        return "poor" if quality.overall < _POOR else None


@dataclass(frozen=True, slots=True)
class Sight:
    """What was found in a picture, named faces first and then the largest."""

    width: int
    height: int
    faces: tuple[Seen, ...]
    threshold: Threshold | None
    notices: tuple[str, ...]

    @property
    def named(self) -> int:
        """How many have a name."""
        return sum(each.candidate is not None for each in self.faces)

    @property
    def text_size(self) -> float:
        """The least height of names on the picture, in its pixels."""
        return max(self.width, self.height) / 70


async def _show(visit: Visit) -> Response:
    collections = await visit.light(visit.app.collections)
    choice = await choose(visit, collections) if visit.may("search") else Choice("", (), "")
    return visit.page(
        "look.html", collections=collections, choice=choice, modes=MODES, least=RULE_ALONE
    )


async def _picture(visit: Visit) -> Response:
    """Look at one picture, and answer with its faces as a part of the page."""
    files = await visit.files("picture")
    if len(files) != 1:
        raise FormRefused(say("look.one_picture"))
    mode = _mode(visit.given("mode", DEFAULT_MODE))
    collection = visit.given("collection")
    least = _least(visit.given("least") or RULE_ALONE)

    def work() -> Sight:
        if not collection:
            analysis = visit.app.detect(files[0], mode=mode)
            return _sight(
                analysis.width,
                analysis.height,
                [RecognizedFace(face, None) for face in analysis.faces],
                notices=analysis.notices,
            )
        found = visit.app.recognize(
            collection,
            files[0],
            purpose=visit.given("purpose") or None,
            mode=mode,
            min_similarity=least,
        )
        return _sight(found.width, found.height, found.faces, found.threshold, found.notices)

    sight = await visit.heavy(work)
    visit.request.scope["sayso.faces"] = len(sight.faces)
    return visit.fragment("look_picture.html", sight=sight, collection=collection)


def _sight(
    width: int,
    height: int,
    found: Sequence[RecognizedFace],
    threshold: Threshold | None = None,
    notices: tuple[str, ...] = (),
) -> Sight:
    def order(each: RecognizedFace) -> tuple[bool, float]:
        candidate = each.candidate
        return candidate is None, -(candidate.similarity if candidate else each.face.height)

    ordered = enumerate(sorted(found, key=order), 1)
    faces = tuple(
        Seen(number, each.face, each.candidate, each.duplicate) for number, each in ordered
    )
    return Sight(width, height, faces, threshold, notices)


def _mode(given: str) -> Mode:
    for mode in MODES:
        if given == mode:
            return mode
    raise FormRefused(say("look.no_mode", mode=given[:40]))


def _least(given: str | float) -> float:
    try:
        return float(given)
    except ValueError:
        raise FormRefused(say("look.no_number", given=str(given)[:40])) from None


PAGES = (Page("look", _show, {"picture": _picture}),)
