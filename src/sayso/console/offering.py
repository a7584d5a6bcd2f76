"""The form of a consent: what somebody may have agreed to, and what the form says they did."""

from __future__ import annotations

from dataclasses import dataclass

from sayso.console.fields import day_given, past_day_given
from sayso.console.visits import Visit
from sayso.results import Consent


@dataclass(frozen=True, slots=True)
class Choice:
    """A purpose that can be agreed to, and what people are told of it; None where nothing is."""

    name: str
    notice: str | None


@dataclass(frozen=True, slots=True)
class Choices:
    """The purposes of a collection; ``free`` is whether others can be named."""

    named: tuple[Choice, ...]
    free: bool


async def choices(visit: Visit, collection: str) -> Choices:
    """Return what somebody of a collection can agree to, as far as the visitor may record it."""
    caller = visit.caller
    found = await visit.light(lambda: visit.app.purposes(collection))
    takes_others = all(each.by_default for each in found)
    named = [Choice(each.name, each.notice) for each in found if each.met is None]
    if caller.sees_everybody or caller.purpose is None:
        return Choices(tuple(named), takes_others)
    own = [each for each in named if each.name == caller.purpose]
    if not own and takes_others:
        own = [Choice(caller.purpose, None)]
    return Choices(tuple(own), free=False)


def offered(visit: Visit) -> Consent:
    """Return the consent that a form describes.

    Raises FormRefused, InvalidName or ConsentRequired for what cannot be one.
    """
    return Consent(
        purposes=[*visit.all_given("purposes"), *visit.all_given("other_purpose")],
        evidence=visit.given("evidence"),
        given=past_day_given(visit, "given"),
        valid_from=past_day_given(visit, "from"),
        until=day_given(visit, "until"),
    )
